#include "codec/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(const char *at, size_t len)
{
    size_t count = 0;

    while (count < len && is_digit(at[count]))
        count++;
    return count;
}

/* jansson refuses integers above 2^63-1 and reals that overflow. So before it sees the text, such
 * numbers are replaced in place, at the same length: a long integer by a real that is its offset
 * in the text ("17.000…"), where document_integer() finds it again, and every real by 0.5. Members
 * never take reals, so none is taken for the other. */
#define LONG_INTEGER 19 /* digits; all that have fewer fit */

enum number {
    NUMBER_PLAIN, /* left as it is */
    NUMBER_LONG,
    NUMBER_REAL,
};

/* What follows the digits of a real (RFC 8259): a fraction, an exponent, or both. */
static bool is_real_tail(const char *at, size_t len)
{
    if (len > 1 && *at == '.') {
        size_t digits = count_digits(at + 1, len - 1);
        at += 1 + digits;
        len -= 1 + digits;
        if (digits == 0 || len == 0)
            return digits > 0;
    }
    if (len < 2 || (*at != 'e' && *at != 'E'))
        return false;
    size_t sign = at[1] == '+' || at[1] == '-';
    return len > 1 + sign && count_digits(at + 1 + sign, len - 1 - sign) == len - 1 - sign;
}

static enum number classify(const char *at, size_t len)
{
    size_t digits = count_digits(at, len);

    if (digits == 0 || (digits > 1 && *at == '0'))
        return NUMBER_PLAIN; /* no number, or a malformed one: jansson will say so */
    if (digits == len)
        return len >= LONG_INTEGER ? NUMBER_LONG : NUMBER_PLAIN;
    return is_real_tail(at + digits, len - digits) ? NUMBER_REAL : NUMBER_PLAIN;
}

static void write_real(char *at, size_t len, size_t whole, char fraction)
{
    char digits[24];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%zu.%c", whole, fraction);

    memset(at, '0', len);
    memcpy(at, digits, count);
}

static size_t string_length(const char *at, size_t len)
{
    size_t end = 1;

    while (end < len && at[end] != '"')
        end += at[end] == '\\' ? 2 : 1;
    return end < len ? end + 1 : len;
}

static bool is_number_part(char c)
{
    return is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/* All that could belong to a number, so that what is replaced cannot join what stands behind it. A
 * minus sign in front is left where it is. */
static size_t number_length(const char *at, size_t len)
{
    size_t end = 1;

    while (end < len && is_number_part(at[end]))
        end++;
    return end;
}

static size_t token_length(const char *at, size_t len)
{
    if (*at == '"')
        return string_length(at, len);
    return is_digit(*at) ? number_length(at, len) : 1;
}

/* Leaves `marked` empty if the text needs no change. */
static bool mark_numbers(const char *json, size_t len, struct text *marked)
{
    for (size_t at = 0, step; at < len; at += step) {
        step = token_length(json + at, len - at);
        enum number number = classify(json + at, step);
        if (number == NUMBER_PLAIN)
            continue;
        if (marked->len == 0 && !text_set(marked, json, len))
            return false;
        if (number == NUMBER_LONG)
            write_real(marked->data + at, step, at, '0');
        else
            write_real(marked->data + at, step, 0, '5');
    }
    return true;
}

static bool explain(const json_error_t *why, struct error *err)
{
    const char *quote = strstr(why->text, " near '"); /* of the text, newlines and all */
    size_t len = quote ? (size_t)(quote - why->text) : strlen(why->text);

    if (errno == ENOMEM) /* jansson reports some of these as bad tokens */
        return error_memory(err);
    if (json_error_code(why) == json_error_null_byte_in_key)
        return error_set(err, ERR_INVALID, "a member's name must not hold U+0000");
    return error_set(err, ERR_MALFORMED_JSON, "malformed JSON at line %d, column %d: %.*s",
                     why->line, why->column, (int)len, why->text);
}

/* jansson 2.14 passes over one that follows a number or a literal. */
static bool check_no_nul(const char *json, size_t len, struct error *err)
{
    const char *nul = len > 0 ? memchr(json, '\0', len) : NULL;

    return !nul
        || error_set(err, ERR_MALFORMED_JSON, "malformed JSON: a NUL at offset %td", nul - json);
}

bool document_parse(const char *json, size_t len, struct document *out, struct error *err)
{
    auto_text struct text marked = {.max = len + 1};
    json_error_t why;

    if (!check_no_nul(json, len, err))
        return false;
    if (!mark_numbers(json, len, &marked))
        return error_memory(err);
    errno = 0;
    json_t *root = json_loadb(marked.len ? marked.data : json, len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!root)
        return explain(&why, err);
    *out = (struct document){.root = root, .text = json, .len = len};
    return true;
}

void document_clear(struct document *document)
{
    json_decref(document->root);
    *document = (struct document){0};
}

static void add_digits(struct integer *integer, const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (__builtin_mul_overflow(integer->magnitude, 10, &integer->magnitude)
            || __builtin_add_overflow(integer->magnitude, at[i] - '0', &integer->magnitude))
            integer->huge = true;
}

static bool from_string(const char *at, size_t len, struct integer *out)
{
    size_t sign = len > 0 && *at == '-';
    const char *first = at + sign;
    size_t digits = len - sign;

    if (digits == 0 || count_digits(first, digits) != digits || (*first == '0' && len > 1))
        return false;
    *out = (struct integer){.negative = sign};
    add_digits(out, first, digits);
    return true;
}

static bool from_marked(const struct document *document, double marker, struct integer *out)
{
    bool negative = marker < 0;
    size_t at = (size_t)(negative ? -marker : marker);

    if (at == 0) /* a real of the document's own: no member stands at its first byte */
        return false;
    *out = (struct integer){.negative = negative};
    add_digits(out, document->text + at, count_digits(document->text + at, document->len - at));
    return true;
}

bool document_integer(const struct document *document, const json_t *value, struct integer *out)
{
    if (json_is_string(value))
        return from_string(json_string_value(value), json_string_length(value), out);
    if (json_is_real(value))
        return from_marked(document, json_real_value(value), out);
    if (!json_is_integer(value))
        return false;
    json_int_t number = json_integer_value(value);
    *out = (struct integer){
        .negative = number < 0,
        .magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number,
    };
    return true;
}
