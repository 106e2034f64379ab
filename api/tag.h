/* Entity tags of documents that are rendered anew each time, and the conditions on them. */
#pragma once

#include "api/http.h"

#define TAG_SIZE 40

/* A strong tag of these bytes, quotes included (RFC 9110, 8.8.3). ERR_INTERNAL. */
bool tag_of(const struct text *document, char out[TAG_SIZE], struct error *err);

/* True if If-None-Match says that the client has this representation: `response` is then the
 * 304. */
bool tag_not_modified(const struct request *request, const char *tag, struct response *response);
