/* Growable bytes with a hard maximum; they may hold NUL, and end in one that is not counted.
 *
 * A zeroed struct is a valid empty text. A failed append (no memory, or more than `max`)
 * leaves the text as it was and is remembered: a builder may append at will and ask
 * text_failed() once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/own.h"

struct text {
    char *data; /* owned; NULL while nothing was ever appended */
    size_t len;
    size_t cap;
    size_t max; /* most bytes it may hold; 0 means TEXT_MAX */
    bool failed;
};

#define TEXT_MAX ((size_t)64 << 20)

bool text_append(struct text *text, const void *data, size_t len);
bool text_appends(struct text *text, const char *string);
bool text_appendf(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes text hold just these bytes. */
bool text_set(struct text *text, const void *data, size_t len);

/* Room for `more` further bytes, to be filled at data + len by the caller, who then adds to len. */
bool text_reserve(struct text *text, size_t more);

/* Frees what it holds; the limit stays. */
void text_clear(struct text *text);

static inline bool text_failed(const struct text *text)
{
    return text->failed;
}

/* Never NULL; a C string if the text holds no NUL. */
static inline const char *text_str(const struct text *text)
{
    return text->data ? text->data : "";
}

static inline bool text_equals(const struct text *text, const void *data, size_t len)
{
    return text->len == len && (len == 0 || memcmp(text->data, data, len) == 0);
}

static inline void text_clear_p(struct text *text)
{
    text_clear(text);
}
#define auto_text AUTO(text_clear)
