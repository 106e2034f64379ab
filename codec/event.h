/* What happened to snapshots, as a stream of server-sent events tells it
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/text.h"

#define TYPE_EVENTS "text/event-stream"

/* Catalogues keep the numbers: new ones are added at the end. */
enum event_kind {
    EVENT_CREATED,
    EVENT_UPDATED,
    EVENT_DELETED,
    EVENT_INCOMPLETE,
    EVENT_DAMAGED,
    EVENT_PRUNED, /* deleted by a retention policy */
    EVENT__COUNT
};

const char *event_kind_name(enum event_kind kind);

/* How far somebody has read. Numbers rise within an epoch, and need not follow on each other. */
struct event_position {
    uint64_t epoch, number;
};

struct event {
    enum event_kind kind;
    uint64_t number;     /* in an epoch that the context knows */
    uint64_t at_ms;      /* since 1970, within what RFC 3339 can say */
    char id[ID_MAX + 1]; /* of the snapshot */
};

/* Each appends one block to `out`, which remembers if there was no memory. */
void event_write(struct text *out, uint64_t epoch, const struct event *event);

/* No event: from it a client knows what to send as Last-Event-ID before it has seen one. */
void event_write_position(struct text *out, const struct event_position *position);

/* Events were missed: what the client knows has to be read anew. */
void event_write_reset(struct text *out, const struct event_position *position);

/* No event either: something to send, so that who is gone is noticed. */
void event_write_comment(struct text *out);

/* The position that a block's `id` names. False for any other text. */
bool event_parse_position(const char *id, struct event_position *out);
