/* A response that lasts: events as they happen, in bytes as they are asked for. */
#pragma once

#include <sys/types.h>

#include "service/event.h"

struct stream;

/* It will tell what comes after `from`; with NULL what comes from now on. The hub must outlive it.
 * NULL with ERR_INTERNAL. */
struct stream *stream_new(struct event_hub *hub, const struct event_position *from,
                          struct error *err);

/* NULL is passed over. */
void stream_free(struct stream *stream);

/* Begins to follow. ERR_INTERNAL. */
bool stream_begin(struct stream *stream, const struct event_listener *listener, struct error *err);

/* From now on the listener is not called. NULL is passed over. */
void stream_end(struct stream *stream);

#define STREAM_ASLEEP 0  /* nothing yet: the listener was told to sleep */
#define STREAM_END    -1 /* nothing more */

/* The next bytes, at most `max`; how many, or one of the above. Not while asleep. */
ssize_t stream_read(struct stream *stream, char *buffer, size_t max);
