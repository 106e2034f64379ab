#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

static bool fail(struct text *text)
{
    text->failed = true;
    return false;
}

bool text_reserve(struct text *text, size_t more)
{
    size_t max = text->max ? text->max : TEXT_MAX;

    if (more > max - text->len)
        return fail(text);
    size_t need = text->len + more + 1;
    if (need <= text->cap)
        return true;
    size_t cap = text->cap ? text->cap * 2 : 64;
    if (cap < need)
        cap = need;
    char *data = realloc(text->data, cap);
    if (!data)
        return fail(text);
    text->data = data;
    text->cap = cap;
    text->data[text->len] = '\0';
    return true;
}

bool text_append(struct text *text, const void *data, size_t len)
{
    if (!text_reserve(text, len))
        return false;
    if (len > 0)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
    return true;
}

bool text_appends(struct text *text, const char *string)
{
    return text_append(text, string, strlen(string));
}

bool text_appendf(struct text *text, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    bool ok = len >= 0 ? text_reserve(text, (size_t)len) : fail(text);
    if (ok) {
        vsnprintf(text->data + text->len, (size_t)len + 1, fmt, again);
        text->len += (size_t)len;
    }
    va_end(again);
    return ok;
}

bool text_set(struct text *text, const void *data, size_t len)
{
    size_t before = text->len;

    text->len = 0;
    if (text_append(text, data, len))
        return true;
    text->len = before;
    return false;
}

void text_clear(struct text *text)
{
    free(text->data);
    *text = (struct text){.max = text->max};
}
