/* Entity tags of documents that are rendered anew each time, and the conditions on them. */
#pragma once

#include "api/http.h"

#define TAG_SIZE 40

/* A strong tag of these bytes, quotes included (RFC 9110, 8.8.3). ERR_INTERNAL. */
bool tag_of(const struct text *document, char out[TAG_SIZE], struct error *err);

/* Asked when `response` is otherwise complete: true makes it a 304, since If-None-Match says that
 * the client has this representation. Its headers, Content-Length too, stay those of the 200 (RFC
 * 9110, 8.6 and 15.4.5); the body is not sent. */
bool tag_not_modified(const struct request *request, const char *tag, struct response *response);
