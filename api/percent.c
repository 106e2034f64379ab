#include "api/percent.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static int value_of_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool can_stand(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && c != '#';
}

/* Length of what was read, 0 if it is malformed. */
static size_t decode_one(const char *in, size_t len, char *out)
{
    if (*in != '%') {
        *out = *in;
        return can_stand(*in);
    }
    int high = len > 2 ? value_of_hex(in[1]) : -1;
    int low = len > 2 ? value_of_hex(in[2]) : -1;
    if (high < 0 || low < 0)
        return 0;
    *out = (char)(high * 16 + low);
    return 3;
}

enum percent percent_decode(const char *in, size_t len, char *out, size_t *out_len)
{
    size_t used = 0;

    for (size_t at = 0; at < len;) {
        size_t step = decode_one(in + at, len - at, out + used);
        if (step == 0)
            return PERCENT_MALFORMED;
        at += step;
        used++;
    }
    out[used] = '\0';
    *out_len = used;
    return utf8_is_valid(out, used) && !memchr(out, '\0', used) ? PERCENT_TEXT : PERCENT_NOT_TEXT;
}
