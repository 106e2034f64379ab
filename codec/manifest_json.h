/* struct manifest ⇄ JSON: always all seven fields in tag order, lossless both ways. */
#pragma once

#include "codec/fields.h"

/* Appends the document. ERR_INTERNAL without memory. */
bool manifest_to_json(const struct manifest *manifest, struct text *out, struct error *err);

/* ERR_MALFORMED_JSON (also duplicate members and invalid UTF-8); ERR_INVALID with every bad,
 * missing or unknown member in `faults`. The caller clears `out`. */
bool manifest_from_json(const char *json, size_t len, struct manifest *out, struct faults *faults,
                        struct error *err);
