/* multipart/form-data (RFC 7578 over RFC 2046), read as it arrives.
 *
 * Bodies come in pieces of any size; what a piece holds of a part's data is handed on from where it
 * lies. Memory is bounded and taken once. What comes before the first delimiter and after the last
 * is passed over; all else must be exact, CRLFs included. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/own.h"

#define MULTIPART_HEADERS_MAX 8192 /* bytes of one part's header fields */
#define MULTIPART_NAME_MAX    255  /* bytes */

/* Called in the order of the body; false, with `err` filled, ends the parse. */
struct multipart_events {
    bool (*begin)(void *context, const char *name, struct error *err); /* UTF-8, not empty */
    /* len > 0 */
    bool (*data)(void *context, const void *data, size_t len, struct error *err);
    bool (*end)(void *context, struct error *err);
};

struct multipart;

/* `events` and `context` must outlive it. ERR_MEDIA_TYPE if `content_type` is not
 * multipart/form-data, ERR_BAD_REQUEST if its boundary is missing or malformed, ERR_INTERNAL
 * without memory. */
struct multipart *multipart_new(const char *content_type, const struct multipart_events *events,
                                void *context, struct error *err);

/* ERR_BAD_REQUEST if the body is malformed; whatever the events give. After a failure it takes no
 * more. */
bool multipart_feed(struct multipart *multipart, const void *data, size_t len, struct error *err);

/* The body has ended: ERR_BAD_REQUEST if its last delimiter did not come. */
bool multipart_finish(const struct multipart *multipart, struct error *err);

void multipart_free(struct multipart *multipart);
OWN(struct multipart, multipart_free)
#define auto_multipart AUTO(multipart_free)
