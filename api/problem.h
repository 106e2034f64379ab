/* struct error → status and problem document: the only mapping. */
#pragma once

#include "api/http.h"

unsigned problem_status(enum error_code code);

/* Makes `response` the answer to a failed request: a problem document with what the request
 * knows of the failure, and Retry-After where trying again makes sense. */
void problem_respond(const struct request *request, const struct error *err,
                     struct response *response);
