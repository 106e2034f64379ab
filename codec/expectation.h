/* Posted expectations, and the verdict that answers them. */
#pragma once

#include "codec/fields.h"

#define EXPECTATION_BODY_MAX ((size_t)64 << 10)

/* ERR_MALFORMED_JSON (also duplicate members and invalid UTF-8); ERR_INVALID with every bad or
 * unknown member in `faults`, or if no member is there. The caller clears `out`. */
bool expectation_from_json(const char *json, size_t len, struct expectation *out,
                           struct faults *faults, struct error *err);

/* Appends {"valid":…,"mismatches":[…],"warnings":[…],"unchecked":[…]}. ERR_INTERNAL without
 * memory. */
bool verdict_to_json(const struct verdict *verdict, struct text *out, struct error *err);

/* Appends its members but for "valid", to a document that has others; the text remembers
 * failure. */
void verdict_emit_members(const struct verdict *verdict, struct text *out);
