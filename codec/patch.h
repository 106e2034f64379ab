/* A change to what is recorded of a snapshot, as a JSON Merge Patch (RFC 7396). */
#pragma once

#include "codec/fields.h"

#define PATCH_BODY_MAX ((size_t)256 << 10)

/* ERR_MALFORMED_JSON; ERR_INVALID with every bad or unknown member in `faults`. The caller clears
 * `out`. */
bool patch_from_json(const char *json, size_t len, struct patch *out, struct faults *faults,
                     struct error *err);

/* Makes the changes in the record; `changed` says whether it is another one now. ERR_INVALID if
 * there would be too many labels, ERR_INTERNAL: the record is as it was then. */
bool patch_apply(const struct patch *patch, struct record *record, bool *changed,
                 struct error *err);
