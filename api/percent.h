/* Percent-decoding (RFC 3986, section 2.1) of one path segment, or one name or value of a query. */
#pragma once

#include <stddef.h>

enum percent {
    PERCENT_TEXT,      /* decoded to UTF-8 without U+0000 */
    PERCENT_MALFORMED, /* a '%' without two hex digits, or a byte that no URI holds: a control
                          character, a space, '#' */
    PERCENT_NOT_TEXT,  /* well-formed, but decodes to U+0000 or to invalid UTF-8 */
};

/* Decodes `len` bytes into `out`, which has room for len + 1 and ends in a NUL that `out_len` does
 * not count. '+' stays as it is. Only for PERCENT_TEXT are the outputs of any use. */
enum percent percent_decode(const char *in, size_t len, char *out, size_t *out_len);
