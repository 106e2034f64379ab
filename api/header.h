/* The grammar that header fields share: tokens, lists, parameters (RFC 9110, section 5.6). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A piece of a field's value; borrows it. */
struct span {
    const char *at;
    size_t len;
};

struct span span_of(const char *string);
bool span_equals(struct span a, struct span b);   /* whatever the case of ASCII letters */
bool span_is(struct span span, const char *word); /* likewise */
struct span span_trim(struct span span);          /* without the spaces and tabs around it */
void span_skip(struct span *span, size_t len);    /* drops `len` bytes from its front */

/* All of these take from the front of `rest`. */

bool header_take(struct span *rest, char c);
struct span header_take_token(struct span *rest); /* empty if there is none */

/* The next element of a comma-separated list, trimmed; commas within quotes do not count. Empty
 * elements are passed over. False at the end. */
bool header_take_element(struct span *rest, struct span *out);

struct parameter {
    struct span name;
    struct span value; /* a token, or what stands between the quotes */
};

/* `name=value`, whatever follows it. */
bool header_take_pair(struct span *rest, struct parameter *out);

/* The next `;name=value`. False leaves `rest` empty at the end, and else at what is malformed. */
bool header_take_parameter(struct span *rest, struct parameter *out);

/* A parameter's value without its backslash escapes, as a C string. False if it needs more than
 * `size` bytes. */
bool header_unquote(struct span value, char *out, size_t size);
