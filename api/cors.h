/* Web pages of other origins (the Fetch standard's CORS protocol). */
#pragma once

#include "api/http.h"

/* "https://dashboard.example:8443": a scheme, a host in lower case, and a port where it is not the
 * scheme's own, as browsers send it. */
bool cors_is_origin(const char *text);

/* Lets the page that sent the request read the answer, if its origin is one of ours. */
void cors_expose(const struct request *request, struct response *response);

/* Whether the request is a browser's question beforehand, on behalf of one of our origins: then
 * `response` is the answer. */
bool cors_answer_preflight(const struct request *request, struct response *response);
