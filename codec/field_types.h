/* The kinds of members that documents have. For codec/ alone. */
#pragma once

#include "codec/fields_table.h"

extern const struct field_type field_boolean;   /* bool */
extern const struct field_type field_u32;       /* uint32_t, between the row's min and max */
extern const struct field_type field_u64;       /* uint64_t, likewise */
extern const struct field_type field_text;      /* struct text: a string that may hold U+0000 */
extern const struct field_type field_string;    /* char *: a string without U+0000 */
extern const struct field_type field_strings;   /* struct strings; `max` is for all together */
extern const struct field_type field_labels;    /* struct labels */
extern const struct field_type field_capture;   /* enum capture */
extern const struct field_type field_filter;    /* struct snapshot_filter */
extern const struct field_type field_sha256;    /* char[SHA256_HEX_SIZE]: 64 digits, or none */
extern const struct field_type field_timestamp; /* struct timestamp: RFC 3339, or an object */

#define ID_RULE "must match [A-Za-z0-9][A-Za-z0-9._-]{0,127}"

/* An object of labels, of any number. Where `nullable`, the value of one may be null, and is then
 * NULL; else that is a fault as any. */
bool field_read_labels(json_t *value, const struct place *place, bool nullable,
                       struct labels *labels);

/* Strings, for the types that documents define themselves: at most `max` bytes, 0 for any number.
 * NULL or false with the fault noted. A string without U+0000 lives as long as `value`. */
const char *field_get_string(json_t *value, uint64_t max, const struct place *place);
bool field_copy_text(json_t *value, uint64_t max, const struct place *place, struct text *out);
