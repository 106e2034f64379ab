/* Whether a request's head is one that every server reads alike.
 *
 * A library that is lenient (libmicrohttpd before 1.0) takes a bare LF for the end of a line, drops
 * what a folded line adds and what stands behind a NUL, passes over spare blanks in the first line,
 * and tells nobody. But it takes the head apart in place: what it hands out lies as close together
 * as it was sent, unless something was passed over. */
#pragma once

#include <stdbool.h>

#include "api/header.h"

struct head {
    const char *at;    /* where the next part must lie; NULL if that is not looked at */
    const char *fault; /* the first that was found, for the client; NULL if there is none */
};

/* The first line, with the target as it was sent. `place` is where a lenient library has the target
 * by now, and writes to it; NULL for a strict one. */
void head_begin(struct head *head, struct span method, struct span target, struct span version,
                const char *place);

/* The next field. */
void head_add(struct head *head, struct span name, struct span value);

/* No more fields: `end` is where the body begins. */
void head_end(struct head *head, const char *end);
