#include "api/header.h"

#include <string.h>
#include <strings.h>

struct span span_of(const char *string)
{
    return (struct span){string, strlen(string)};
}

bool span_equals(struct span a, struct span b)
{
    return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

bool span_is(struct span span, const char *word)
{
    return span_equals(span, span_of(word));
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span span)
{
    while (span.len > 0 && is_space(span.at[0]))
        span_skip(&span, 1);
    while (span.len > 0 && is_space(span.at[span.len - 1]))
        span.len--;
    return span;
}

void span_skip(struct span *span, size_t len)
{
    span->at += len;
    span->len -= len;
}

bool header_take(struct span *rest, char c)
{
    if (rest->len == 0 || *rest->at != c)
        return false;
    span_skip(rest, 1);
    return true;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
        || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

struct span header_take_token(struct span *rest)
{
    struct span token = {rest->at, 0};

    while (token.len < rest->len && is_token_char(rest->at[token.len]))
        token.len++;
    span_skip(rest, token.len);
    return token;
}

/* Length of the quoted string that the span begins with, quotes included; 0 if it does not end. */
static size_t measure_quoted(struct span span)
{
    for (size_t i = 1; i < span.len; i++) {
        if (span.at[i] == '"')
            return i + 1;
        if (span.at[i] == '\\')
            i++;
    }
    return 0;
}

static size_t measure_element(struct span rest)
{
    size_t len = 0;

    while (len < rest.len && rest.at[len] != ',') {
        struct span left = {rest.at + len, rest.len - len};
        size_t quoted = *left.at == '"' ? measure_quoted(left) : 0;
        len += quoted ? quoted : 1;
    }
    return len;
}

bool header_take_element(struct span *rest, struct span *out)
{
    while (rest->len > 0) {
        struct span element = {rest->at, measure_element(*rest)};
        span_skip(rest, element.len);
        header_take(rest, ',');
        *out = span_trim(element);
        if (out->len > 0)
            return true;
    }
    return false;
}

static void skip_space(struct span *rest)
{
    while (rest->len > 0 && is_space(*rest->at))
        span_skip(rest, 1);
}

static bool take_value(struct span *rest, struct span *out)
{
    if (rest->len > 0 && *rest->at == '"') {
        size_t len = measure_quoted(*rest);
        if (len == 0)
            return false;
        *out = (struct span){rest->at + 1, len - 2};
        span_skip(rest, len);
        return true;
    }
    *out = header_take_token(rest);
    return out->len > 0;
}

bool header_take_pair(struct span *rest, struct parameter *out)
{
    struct span at = *rest;
    struct parameter taken = {.name = header_take_token(&at)};

    if (taken.name.len == 0 || !header_take(&at, '=') || !take_value(&at, &taken.value))
        return false;
    *rest = at;
    *out = taken;
    return true;
}

bool header_take_parameter(struct span *rest, struct parameter *out)
{
    struct span at = *rest;
    bool separated = false;

    for (skip_space(&at); header_take(&at, ';'); skip_space(&at))
        separated = true;
    if (at.len == 0)
        *rest = at;
    if (at.len == 0 || !separated || !header_take_pair(&at, out))
        return false;
    *rest = at;
    return true;
}

bool header_unquote(struct span value, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\\' && i + 1 < value.len)
            i++;
        if (used + 1 >= size)
            return false;
        out[used++] = value.at[i];
    }
    out[used] = '\0';
    return size > 0;
}
