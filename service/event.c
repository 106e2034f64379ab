#include "service/event.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/condition.h"

/* More than the history: who resumes at its far end still has time to read. */
#define RING 16384
_Static_assert(RING > EVENT_HISTORY, "the history lies in the ring");

/* So many readers are woken before others get at the mutex. */
#define WAKE_MAX 64

#define MS UINT64_C(1000000) /* nanoseconds */

struct event_reader {
    struct event_hub *hub;
    struct event_listener listener;
    uint64_t at;              /* the place in the ring that it reads next */
    enum event_news greeting; /* to be read before any event; NEWS_NONE for nothing */
    bool asleep, over;
    bool beaten;       /* it was woken though there was nothing to read */
    uint64_t slept_ns; /* when it fell asleep */
    TAILQ_ENTRY(event_reader)
    link;
};

TAILQ_HEAD(readers, event_reader);

/* Places in the ring are counted from 0 on, and never given twice. */
struct event_hub {
    struct metrics *metrics;
    uint64_t beat_ns;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    bool stopping;
    struct readers awake;
    struct readers asleep;      /* in the order in which they fell asleep */
    struct event_position last; /* published */
    uint64_t floor;             /* the newest number before the first place */
    uint64_t first, end;        /* places: of the oldest event that was loaded, of the next one */
    struct event *ring;
};

static struct event *event_at(const struct event_hub *hub, uint64_t place)
{
    return &hub->ring[place % RING];
}

/* The first of the latest `count` places. */
static uint64_t oldest_of(const struct event_hub *hub, uint64_t count)
{
    return hub->end - hub->first > count ? hub->end - count : hub->first;
}

static uint64_t beat_due(const struct event_reader *reader)
{
    return reader->slept_ns + reader->hub->beat_ns;
}

static bool has_news(const struct event_reader *reader)
{
    return reader->over || reader->greeting != NEWS_NONE || reader->at < reader->hub->end;
}

static void rouse(struct event_hub *hub, struct event_reader *reader)
{
    TAILQ_REMOVE(&hub->asleep, reader, link);
    TAILQ_INSERT_TAIL(&hub->awake, reader, link);
    reader->asleep = false;
    reader->beaten = !has_news(reader);
    reader->listener.wake(reader->listener.context);
}

/* Whoever fell asleep first has the most to read, and the next beat. False if nobody is left to be
 * woken now. */
static bool rouse_some(struct event_hub *hub)
{
    uint64_t now = clock_monotonic_ns();

    for (unsigned i = 0; i < WAKE_MAX; i++) {
        struct event_reader *reader = TAILQ_FIRST(&hub->asleep);
        if (!reader || (!has_news(reader) && beat_due(reader) > now))
            return false;
        rouse(hub, reader);
    }
    return true;
}

/* One that the ring has gone past. */
static bool drop_lost(struct event_reader *reader)
{
    if (reader->over || reader->at >= oldest_of(reader->hub, RING))
        return false;
    metrics_add(reader->hub->metrics, METRIC_EVENT_STREAMS_DROPPED, 0, 1);
    reader->over = true;
    return true;
}

static void cut_lost(struct event_hub *hub)
{
    struct event_reader *reader;

    TAILQ_FOREACH(reader, &hub->awake, link)
    if (drop_lost(reader))
        reader->listener.cut(reader->listener.context, 0);
}

/* Until somebody signals, or somebody's beat is due. */
static void rest(struct event_hub *hub)
{
    const struct event_reader *reader = TAILQ_FIRST(&hub->asleep);

    if (!reader) {
        pthread_cond_wait(&hub->wake, &hub->mutex);
        return;
    }
    condition_wait_until(&hub->wake, &hub->mutex, beat_due(reader));
}

static void *tend(void *context)
{
    struct event_hub *hub = context;

    pthread_mutex_lock(&hub->mutex);
    while (!hub->stopping) {
        cut_lost(hub);
        if (!rouse_some(hub)) {
            rest(hub);
            continue;
        }
        pthread_mutex_unlock(&hub->mutex);
        pthread_mutex_lock(&hub->mutex);
    }
    pthread_mutex_unlock(&hub->mutex);
    return NULL;
}

static void free_hub(struct event_hub *hub)
{
    pthread_cond_destroy(&hub->wake);
    pthread_mutex_destroy(&hub->mutex);
    free(hub->ring);
    free(hub);
}

static struct event_hub *make_hub(void)
{
    struct event_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return NULL;
    hub->ring = calloc(RING, sizeof *hub->ring); /* pages that are not there until they are used */
    TAILQ_INIT(&hub->awake);
    TAILQ_INIT(&hub->asleep);
    pthread_mutex_init(&hub->mutex, NULL);
    condition_init(&hub->wake);
    if (hub->ring)
        return hub;
    free_hub(hub);
    return NULL;
}

struct event_hub *event_hub_open(struct metrics *metrics, unsigned beat_ms, struct error *err)
{
    struct event_hub *hub = make_hub();

    if (!hub) {
        error_memory(err);
        return NULL;
    }
    hub->metrics = metrics;
    hub->beat_ns = beat_ms * MS;
    if (pthread_create(&hub->thread, NULL, tend, hub) == 0) {
        pthread_setname_np(hub->thread, "events");
        return hub;
    }
    error_set(err, ERR_INTERNAL, "cannot start the thread that tells of events");
    free_hub(hub);
    return NULL;
}

void event_hub_close(struct event_hub *hub)
{
    if (!hub)
        return;
    pthread_mutex_lock(&hub->mutex);
    hub->stopping = true;
    pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
    pthread_join(hub->thread, NULL);
    free_hub(hub);
}

static void add(struct event_hub *hub, const struct event *event)
{
    *event_at(hub, hub->end++) = *event;
    hub->last.number = event->number;
}

static void reset(struct event_reader *reader)
{
    reader->greeting = NEWS_RESET;
    reader->at = reader->hub->end; /* what it had not yet read is gone */
}

void event_hub_load(struct event_hub *hub, const struct event_position *last,
                    const struct event *history, size_t count)
{
    struct event_reader *reader;

    pthread_mutex_lock(&hub->mutex);
    hub->first = hub->end;
    hub->floor = count < EVENT_HISTORY ? 0 : history[0].number - 1;
    for (size_t i = 0; i < count; i++)
        add(hub, &history[i]);
    hub->last = *last;
    TAILQ_FOREACH(reader, &hub->awake, link)
    reset(reader);
    TAILQ_FOREACH(reader, &hub->asleep, link)
    reset(reader);
    pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
}

struct event event_publish(struct event_hub *hub, enum event_kind kind, const char *id)
{
    struct event event = {.kind = kind, .at_ms = clock_unix_ms()};

    snprintf(event.id, sizeof event.id, "%s", id);
    metrics_add(hub->metrics, METRIC_EVENTS, kind, 1);
    pthread_mutex_lock(&hub->mutex);
    event.number = hub->last.number + 1;
    add(hub, &event);
    pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
    return event;
}

static uint64_t forgotten(const struct event_hub *hub)
{
    uint64_t oldest = oldest_of(hub, EVENT_HISTORY);

    return oldest == hub->first ? hub->floor : event_at(hub, oldest - 1)->number;
}

uint64_t event_hub_forgotten(struct event_hub *hub)
{
    pthread_mutex_lock(&hub->mutex);
    uint64_t number = forgotten(hub);
    pthread_mutex_unlock(&hub->mutex);
    return number;
}

/* The place of the first event beyond this number. */
static uint64_t find_after(const struct event_hub *hub, uint64_t number)
{
    uint64_t low = oldest_of(hub, EVENT_HISTORY);
    uint64_t high = hub->end;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (event_at(hub, middle)->number > number)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void begin(struct event_reader *reader, const struct event_position *from)
{
    const struct event_hub *hub = reader->hub;
    bool reaches = !from
        || (from->epoch == hub->last.epoch && from->number >= forgotten(hub)
            && from->number <= hub->last.number);

    reader->greeting = reaches ? NEWS_POSITION : NEWS_RESET;
    reader->at = from && reaches ? find_after(hub, from->number) : hub->end;
}

struct event_reader *event_subscribe(struct event_hub *hub, const struct event_position *from,
                                     const struct event_listener *listener, struct error *err)
{
    struct event_reader *reader = calloc(1, sizeof *reader);

    if (!reader) {
        error_memory(err);
        return NULL;
    }
    reader->hub = hub;
    reader->listener = *listener;
    pthread_mutex_lock(&hub->mutex);
    begin(reader, from);
    TAILQ_INSERT_TAIL(&hub->awake, reader, link);
    pthread_mutex_unlock(&hub->mutex);
    metrics_add(hub->metrics, METRIC_EVENT_STREAMS, 0, 1);
    return reader;
}

void event_unsubscribe(struct event_reader *reader)
{
    struct event_hub *hub = reader->hub;

    pthread_mutex_lock(&hub->mutex);
    TAILQ_REMOVE(reader->asleep ? &hub->asleep : &hub->awake, reader, link);
    pthread_mutex_unlock(&hub->mutex);
    metrics_add(hub->metrics, METRIC_EVENT_STREAMS, 0, (uint64_t)-1);
    free(reader);
}

static enum event_news sleep_on(struct event_reader *reader)
{
    struct event_hub *hub = reader->hub;

    TAILQ_REMOVE(&hub->awake, reader, link);
    if (TAILQ_EMPTY(&hub->asleep))
        pthread_cond_signal(&hub->wake); /* there is a beat to be waited for */
    TAILQ_INSERT_TAIL(&hub->asleep, reader, link);
    reader->asleep = true;
    reader->slept_ns = clock_monotonic_ns();
    reader->listener.sleep(reader->listener.context);
    return NEWS_NONE;
}

static enum event_news take_events(struct event_reader *reader, struct event_batch *out)
{
    const struct event_hub *hub = reader->hub;

    for (out->count = 0; out->count < EVENT_BATCH_MAX && reader->at < hub->end; out->count++)
        out->events[out->count] = *event_at(hub, reader->at++);
    return NEWS_EVENTS;
}

static enum event_news read_news(struct event_reader *reader, struct event_batch *out)
{
    const struct event_hub *hub = reader->hub;
    enum event_news greeting = TAKE_AS(reader->greeting, NEWS_NONE);
    bool beaten = TAKE_AS(reader->beaten, false);

    out->position = hub->last;
    if (reader->over || drop_lost(reader))
        return NEWS_END;
    if (greeting == NEWS_RESET) {
        reader->at = hub->end;
        return NEWS_RESET;
    }
    if (reader->at < hub->end)
        return take_events(reader, out);
    if (greeting == NEWS_POSITION)
        return NEWS_POSITION;
    return beaten ? NEWS_BEAT : sleep_on(reader);
}

enum event_news event_read(struct event_reader *reader, struct event_batch *out)
{
    struct event_hub *hub = reader->hub;

    pthread_mutex_lock(&hub->mutex);
    enum event_news news = read_news(reader, out);
    pthread_mutex_unlock(&hub->mutex);
    return news;
}

static void give_up(struct event_reader *reader, unsigned milliseconds)
{
    reader->over = true;
    reader->listener.cut(reader->listener.context, milliseconds);
}

void event_dismiss(struct event_hub *hub, unsigned milliseconds)
{
    struct event_reader *reader;

    pthread_mutex_lock(&hub->mutex);
    TAILQ_FOREACH(reader, &hub->awake, link)
    give_up(reader, milliseconds);
    TAILQ_FOREACH(reader, &hub->asleep, link)
    give_up(reader, milliseconds);
    pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
}
