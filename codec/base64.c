#include "codec/base64.h"

#include <stdint.h>

static int value_of(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+')
        return 62;
    return digit == '/' ? 63 : -1;
}

/* The first `digits` of a group of four, the rest being padding; false if one is no digit. */
static bool decode_group(const char *at, size_t digits, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = value_of(at[i]);
        if (value < 0)
            return false;
        *bits |= (uint32_t)value << (18 - 6 * i);
    }
    return true;
}

static size_t count_digits(const char *group, bool is_last)
{
    if (!is_last || group[3] != '=')
        return 4;
    return group[2] != '=' ? 3 : 2;
}

bool base64_decode(const char *data, size_t len, struct text *out)
{
    if (len % 4 != 0 || !text_reserve(out, len / 4 * 3))
        return false;
    size_t written = 0;
    for (size_t at = 0; at < len; at += 4) {
        size_t digits = count_digits(data + at, at + 4 == len);
        uint32_t bits;
        if (!decode_group(data + at, digits, &bits) || (bits << (8 * (digits - 1)) & 0xffffff) != 0)
            return false;
        for (size_t i = 0; i + 1 < digits; i++)
            out->data[out->len + written++] = (char)(bits >> (16 - 8 * i));
    }
    out->len += written;
    out->data[out->len] = '\0';
    return true;
}

bool base64url_encode(const void *data, size_t len, struct text *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_";
    const unsigned char *bytes = data;
    uint32_t bits = 0;
    unsigned waiting = 0; /* of the bits */

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (waiting += 8; waiting >= 6; waiting -= 6)
            text_append(out, &alphabet[bits >> (waiting - 6) & 63], 1);
    }
    if (waiting > 0)
        text_append(out, &alphabet[bits << (6 - waiting) & 63], 1);
    return !text_failed(out);
}

/* In the other alphabet, and padded, it is what base64_decode() reads. */
bool base64url_decode(const char *data, size_t len, struct text *out)
{
    auto_text struct text standard = {0};

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '+' || data[i] == '/' || data[i] == '=')
            return false;
        text_append(&standard, data[i] == '-' ? "+" : data[i] == '_' ? "/"
                                                                     : &data[i],
                    1);
    }
    if (len % 4 > 1)
        text_append(&standard, "==", 4 - len % 4);
    out->failed |= text_failed(&standard);
    return !text_failed(out) && base64_decode(text_str(&standard), standard.len, out);
}
