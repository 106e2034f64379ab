/* application/problem+json (RFC 9457). */
#pragma once

#include "codec/fields.h"

struct problem {
    const struct error *err;
    int status;
    const char *title;
    const char *request_id;
    const struct faults *faults;   /* or NULL; an error's own field is reported without it */
    const struct verdict *verdict; /* or NULL: its members join the document (not_valid) */
};

/* Appends the document. "errors" lists the faults (or the error's own field, where it has one) as
 * {"pointer","detail"}; a field that begins with '?' names a query parameter and is reported as
 * {"parameter","detail"}. Text that is not UTF-8 is made so. ERR_INTERNAL without memory. */
bool problem_to_json(const struct problem *problem, struct text *out, struct error *err);
