/* Events from whoever changes snapshots to whoever follows along: the latest ones in a ring, and
 * readers that each have a place in it. Safe from any thread.
 *
 * Nobody waits for a reader. One that falls so far behind that the ring has gone past it is cut;
 * what a reader costs does not depend on how slow it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/metrics.h"
#include "base/own.h"
#include "codec/event.h"

/* So many are kept, in memory and in the catalogue, for who comes back. */
#define EVENT_HISTORY 10000

/* How long a reader may have had nothing to read before it is told so. */
#define EVENT_BEAT_MS 15000

struct event_hub;

/* Without history, in epoch 0. `metrics` must outlive it. NULL with ERR_INTERNAL. */
struct event_hub *event_hub_open(struct metrics *metrics, unsigned beat_ms, struct error *err);

/* All readers must have left. */
void event_hub_close(struct event_hub *hub);
OWN(struct event_hub, event_hub_close)

/* The events are those of a catalogue that was opened: of its epoch, with this history, oldest
 * first. What is published next has numbers beyond `last`, which is at least the number of any
 * event that was ever told in the epoch. Who reads is told that there is a gap. */
void event_hub_load(struct event_hub *hub, const struct event_position *last,
                    const struct event *history, size_t count);

/* Something happened, now, to the snapshot of this id. Returns the event as it is told, to be
 * recorded. Waits for nothing but the hub's own mutex; never calls a reader. */
struct event event_publish(struct event_hub *hub, enum event_kind kind, const char *id);

/* The newest number from which nobody can resume: older events need not be recorded any longer. */
uint64_t event_hub_forgotten(struct event_hub *hub);

/* What a reader's thread is told. Called with the hub's mutex held: they must not wait, nor call
 * the hub. */
struct event_listener {
    void (*sleep)(void *context); /* there is nothing to read until wake() */
    void (*wake)(void *context);  /* read again; once for each sleep() */

    /* There is nothing to be read any longer: whatever else it is about must end within so long. */
    void (*cut)(void *context, unsigned milliseconds);
    void *context;
};

struct event_reader;

/* Reads what comes after `from`; with NULL what comes from now on. NULL with ERR_INTERNAL. */
struct event_reader *event_subscribe(struct event_hub *hub, const struct event_position *from,
                                     const struct event_listener *listener, struct error *err);
void event_unsubscribe(struct event_reader *reader);
OWN(struct event_reader, event_unsubscribe)

enum event_news {
    NEWS_NONE,     /* it sleeps: sleep() was called */
    NEWS_EVENTS,   /* some events */
    NEWS_POSITION, /* where it begins to read */
    NEWS_RESET,    /* that it missed some; where it goes on */
    NEWS_BEAT,     /* nothing, for a while */
    NEWS_END,      /* that it has to end */
};

#define EVENT_BATCH_MAX 8

struct event_batch {
    struct event_position position; /* of the last event published */
    size_t count;
    struct event events[EVENT_BATCH_MAX];
};

/* What there is to read; `out` is written if there is. Not while it sleeps. */
enum event_news event_read(struct event_reader *reader, struct event_batch *out);

/* Ends all who read now, and gives them so long to say so. */
void event_dismiss(struct event_hub *hub, unsigned milliseconds);
