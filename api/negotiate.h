/* What a client's conditional and content negotiation headers come to (RFC 9110). A header that was
 * not sent is NULL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offer {
    const char *type;    /* "application/json" */
    const char *alias;   /* an older name of the same, or NULL */
    const char *version; /* its parameter of that name, or NULL if it has none */
};

/* Which offer to answer with; -1 if the client takes none of them (section 12.5.1). Among those it
 * likes best the first wins. Ranges that are malformed are passed over. One that names the offer's
 * version speaks for it before all others; one with other parameters speaks for its type only where
 * nothing else in the header does: what is offered has none. */
int negotiate_accept(const char *accept, const struct offer *offers, size_t count);

/* Does a Content-Type name this type? Its parameters do not matter. */
bool negotiate_is_type(const char *content_type, const char *type);

/* `etag` is the current one with its quotes, NULL if there is no representation. A header that was
 * not sent matches nothing; so does what follows a malformed tag. */
bool negotiate_if_match(const char *list, const char *etag);      /* strong comparison, 13.1.1 */
bool negotiate_if_none_match(const char *list, const char *etag); /* weak comparison, 13.1.2 */

enum range { RANGE_WHOLE,
             RANGE_PART,
             RANGE_UNSATISFIABLE };

struct byte_range {
    uint64_t first;
    uint64_t len;
};

/* One byte range of a representation of `size` bytes (section 14.1.2). Several ranges, another unit
 * and what is malformed mean the whole of it. `out` is written for RANGE_PART only. */
enum range negotiate_range(const char *range, uint64_t size, struct byte_range *out);

/* May Range be honoured? Only a strong ETag that is still the current one says so; a date never
 * does (section 13.1.5). */
bool negotiate_if_range(const char *if_range, const char *etag);

/* [A-Za-z0-9._-]{1,64}: fit for a log line and a header. */
bool negotiate_is_request_id(const char *value);
