#include "codec/emit.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"

#define EXACT_MAX ((UINT64_C(1) << 53) - 1) /* RFC 8259, section 6: exact in every reader */

/* An opening bracket or a comma cannot be the last byte of a value. */
void emit_item(struct text *out)
{
    char last = out->len ? out->data[out->len - 1] : '{';

    if (last != '{' && last != '[')
        text_append(out, ",", 1);
}

void emit_key(struct text *out, const char *name)
{
    emit_item(out);
    emit_string(out, name);
    text_append(out, ":", 1);
}

void emit_raw(struct text *out, const char *json)
{
    text_appends(out, json);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Bytes from the start that can stand in a JSON string as they are. */
static size_t count_plain(const char *at, size_t len)
{
    size_t count = 0;

    while (count < len) {
        size_t step = is_plain((unsigned char)at[count]);
        if (step == 0 && (unsigned char)at[count] >= 0x80)
            step = utf8_sequence(at + count, len - count);
        if (step == 0)
            break;
        count += step;
    }
    return count;
}

static void escape(struct text *out, unsigned char c)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(special, c) : NULL;

    if (c >= 0x80)
        text_appends(out, "\xef\xbf\xbd");
    else if (at)
        text_append(out, (char[]){'\\', letters[at - special]}, 2);
    else
        text_appendf(out, "\\u%04x", c);
}

void emit_text(struct text *out, const char *data, size_t len)
{
    text_append(out, "\"", 1);
    for (size_t at = 0; at < len;) {
        size_t plain = count_plain(data + at, len - at);
        text_append(out, data + at, plain);
        at += plain;
        if (at < len)
            escape(out, (unsigned char)data[at++]);
    }
    text_append(out, "\"", 1);
}

void emit_string(struct text *out, const char *string)
{
    if (string)
        emit_text(out, string, strlen(string));
    else
        emit_raw(out, "null");
}

static void emit_number(struct text *out, bool negative, uint64_t magnitude)
{
    const char *quote = magnitude > EXACT_MAX ? "\"" : "";
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%s%s%" PRIu64 "%s", quote, negative ? "-" : "",
                       magnitude, quote);

    text_append(out, digits, (size_t)len);
}

void emit_u64(struct text *out, uint64_t value)
{
    emit_number(out, false, value);
}

void emit_i64(struct text *out, int64_t value)
{
    emit_number(out, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void emit_bool(struct text *out, bool value)
{
    emit_raw(out, value ? "true" : "false");
}

bool emit_done(const struct text *out, struct error *err)
{
    return !text_failed(out) || error_memory(err);
}
