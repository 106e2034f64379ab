#include "service/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/rescan.h"
#include "service/watch_table.h"

/* Between two looks: what happens meanwhile is looked at together. */
#define REST_MS 50

/* A snapshot that has become ready is looked at once more after so long without news: a file that
 * is there may still grow. */
#define SETTLE_NS (UINT64_C(2000000000))

/* How often all names are gone through while not all can be heard of. */
#define UNHEARD_NS (UINT64_C(5000000000))

/* The kernel keeps a kilobyte for each. */
#define WATCHES_MAX 8192

/* Read at a time, and how many times before what was read is looked at. */
#define EVENT_BYTES ((size_t)16 << 10)
#define READS_MAX   64

/* What others say, while the thread is busy. */
#define MENTIONS_MAX ((size_t)1 << 20)

#define NAME_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)
#define FILE_EVENTS                                                                        \
    (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF \
     | IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

struct watch {
    struct service *service;
    int inotify; /* -1 where there is no watching */
    int names;   /* the watch of snapshots/ */
    int over, wake;
    atomic_bool is_over;
    pthread_t thread;
    bool is_running;

    pthread_mutex_t mutex; /* of these two */
    struct text mentions;  /* of each a byte for the reason, and the id with its NUL */
    bool must_review;

    /* The thread's own. */
    struct watch_table table;
    size_t count;     /* of directories watched */
    bool is_limited;  /* not all that should be watched is */
    bool is_told;     /* and the log says so */
    const char *deaf; /* why nothing is heard at all; NULL where it is */
};

/* ---- the kernel's side ---- */

static void limit(struct watch *watch, const char *why)
{
    rescan_request(watch->service->rescan, RECONCILE_NAMES, UNHEARD_NS);
    watch->is_limited = true;
    if (watch->is_told)
        return;
    watch->is_told = true;
    metrics_set(watch->service->metrics, METRIC_WATCH_LIMITED, 0, 1);
    log_event(LOG_WARN, "not everything in the store can be watched: it is looked at every 5 s",
              LOG_TEXT("reason", why));
}

static void set_number(struct watch *watch, struct watched *watched, int wd)
{
    const bool was_watched = watched->wd >= 0;

    if (!watch_table_number(&watch->table, watched, wd)) {
        inotify_rm_watch(watch->inotify, wd);
        limit(watch, "there is no memory");
    }
    watch->count = watch->count + (watched->wd >= 0) - was_watched;
    metrics_add(watch->service->metrics, METRIC_WATCHED, 0,
                (uint64_t)(watched->wd >= 0) - (uint64_t)was_watched);
}

static void stop_watching(struct watch *watch, struct watched *watched)
{
    if (watched->wd >= 0)
        inotify_rm_watch(watch->inotify, watched->wd); /* which fails if it is gone */
    set_number(watch, watched, -1);
}

static void drop(struct watch *watch, struct watched *watched)
{
    stop_watching(watch, watched);
    watch_table_remove(&watch->table, watched);
}

static const char *name_limit(int errnum)
{
    switch (errnum) {
    case ENOSPC:
        return "fs.inotify.max_user_watches is reached";
    case EMFILE:
        return "fs.inotify.max_user_instances is reached";
    default:
        return strerrordesc_np(errnum);
    }
}

static int add_watch(const struct watch *watch, const char *id, uint32_t events)
{
    char path[sizeof "/proc/self/fd//" + 10 + ID_MAX];

    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", watch->service->store->snapshots, id);
    return inotify_add_watch(watch->inotify, path, events);
}

enum watching { WATCHING_NOT,
                WATCHING_ALREADY,
                WATCHING_NOW };

/* Watches the directory that has this name now. One that is gone, or may not be read, cannot be. */
static enum watching keep_watch(struct watch *watch, struct watched *watched)
{
    const bool has_room = watched->wd >= 0 || watch->count < WATCHES_MAX;
    int wd = has_room ? add_watch(watch, watched->id, FILE_EVENTS) : -1;

    if (wd >= 0 && wd == watched->wd)
        return WATCHING_ALREADY;
    if (!has_room)
        limit(watch, "too many snapshots are not ready");
    else if (wd < 0 && (errno == ENOSPC || errno == ENOMEM))
        limit(watch, name_limit(errno));
    stop_watching(watch, watched);
    struct watched *other = wd < 0 ? NULL : watch_table_find_wd(&watch->table, wd);
    if (other) /* it had that name before: there is news of it to come */
        set_number(watch, other, -1);
    set_number(watch, watched, wd);
    return watched->wd >= 0 ? WATCHING_NOW : WATCHING_NOT;
}

/* ---- what is heard ---- */

static void lose(struct watch *watch, const char *why)
{
    metrics_add(watch->service->metrics, METRIC_WATCH_LOSSES, 0, 1);
    log_event(LOG_WARN, "changes in the store were lost: looking at all snapshots",
              LOG_TEXT("reason", why));
    rescan_request(watch->service->rescan, RECONCILE_NAMES, 0);
    rescan_request(watch->service->rescan, RECONCILE_LOOKS, 0);
}

static void hear(struct watch *watch, struct watched *watched, unsigned news)
{
    watched->news |= news;
    watch_table_move(watched, &watch->table.heard);
}

static void hear_of(struct watch *watch, const char *id, unsigned news)
{
    struct watched *watched = watch_table_add(&watch->table, id);

    if (watched)
        hear(watch, watched, news);
    else
        lose(watch, "there is no memory");
}

/* Neither files nor symbolic links are snapshots. */
static void hear_of_name(struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_IGNORED) {
        watch->deaf = "the directory of snapshots is gone";
        limit(watch, watch->deaf);
    } else if (event->mask & IN_ISDIR && event->len > 0 && id_is_valid(event->name)) {
        hear_of(watch, event->name,
                event->mask & IN_CREATE         ? NEWS_MADE
                    : event->mask & IN_MOVED_TO ? NEWS_CAME
                                                : NEWS_WENT);
    }
}

static void hear_inside(struct watch *watch, const struct inotify_event *event)
{
    struct watched *watched = watch_table_find_wd(&watch->table, event->wd);

    if (!watched)
        return;
    if (event->mask & IN_IGNORED)
        set_number(watch, watched, -1);
    hear(watch, watched, NEWS_INSIDE);
}

static void hear_event(struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        lose(watch, "there were more than fs.inotify.max_queued_events");
    else if (event->wd == watch->names)
        hear_of_name(watch, event);
    else
        hear_inside(watch, event);
}

static void read_events(struct watch *watch)
{
    union {
        struct inotify_event first;
        char bytes[EVENT_BYTES];
    } events;

    for (int i = 0; i < READS_MAX; i++) {
        ssize_t len = read(watch->inotify, &events, sizeof events);
        if (len <= 0)
            return;
        for (const char *at = events.bytes; at < events.bytes + len;) {
            const struct inotify_event *event = (const void *)at;
            hear_event(watch, event);
            at += sizeof *event + event->len;
        }
    }
}

static void hear_mention(struct watch *watch, enum watch_reason reason, const char *id)
{
    const struct watched *watched = watch_table_find(&watch->table, id);

    if (reason == WATCH_RELEASED)
        hear_of(watch, id, NEWS_RELEASED);
    else if (!watched || watched->wd < 0)
        hear_of(watch, id, NEWS_UNFINISHED);
}

/* True if all that is unfinished is to be gone through. */
static bool take_mentions(struct watch *watch)
{
    eventfd_t ignored;

    if (eventfd_read(watch->wake, &ignored) != 0)
        return false;
    pthread_mutex_lock(&watch->mutex);
    auto_text struct text mentions =
        TAKE_AS(watch->mentions, (struct text){.max = MENTIONS_MAX});
    bool must_review = TAKE_AS(watch->must_review, false);
    pthread_mutex_unlock(&watch->mutex);
    if (text_failed(&mentions))
        lose(watch, "too much was changed at once");
    for (size_t at = 0; !text_failed(&mentions) && at < mentions.len;) {
        const char *id = mentions.data + at + 1;
        hear_mention(watch, (enum watch_reason)mentions.data[at], id);
        at += 1 + strlen(id) + 1;
    }
    return must_review;
}

/* ---- what is done about it ---- */

static bool looks_same(const struct watch *watch, const struct catalog_entry *entry)
{
    struct error ignored;
    auto_fd int dir = store_open_snapshot(watch->service->store, entry->id, &ignored);

    if (dir < 0)
        return false;
    const struct sighting now = sighting_take(dir);
    return now.inode == entry->seen.inode && now.fingerprint == entry->seen.fingerprint;
}

/* Whether the catalogue has it as it is. What came to its name and has the inode that was noted is
 * what was noted: had another gone there before, it would be told of that too. */
static bool is_known(const struct watch *watch, const char *id, unsigned news)
{
    const struct service *service = watch->service;
    struct catalog_entry entry;
    struct stat dir;
    const bool is_there = fstatat(service->store->snapshots, id, &dir, AT_SYMLINK_NOFOLLOW) == 0
        && S_ISDIR(dir.st_mode);

    const bool is_listed = catalog_find(service->catalog, id, &entry);

    if (!is_listed || !is_there)
        return is_listed == is_there;
    return !(news & (NEWS_MADE | NEWS_INSIDE)) && entry.seen.inode == dir.st_ino
        && (news == NEWS_CAME || looks_same(watch, &entry));
}

static void settle(struct watch *watch, struct watched *watched)
{
    watched->settled_ns = clock_monotonic_ns() + SETTLE_NS;
    watch_table_move(watched, &watch->table.settling);
}

/* False while it is being written: it will be mentioned when it no longer is. Whoever wrote it a
 * moment ago may have taken note of it by now. */
static bool read_again(struct watch *watch, struct watched *watched, unsigned news)
{
    struct service *service = watch->service;
    auto_claim struct claim claim;

    if (!claim_try(&service->claims, watched->id, &claim)) {
        watched->news |= news;
        watch_table_move(watched, &watch->table.waiting);
        return false;
    }
    if (!is_known(watch, watched->id, news)) {
        metrics_add(service->metrics, METRIC_WATCH_READS, 0, 1);
        reconcile_claimed(service, watched->id);
    }
    return true;
}

/* By what the catalogue says of it now. True if it is to be read once more, because it may have
 * changed before it was watched. */
static bool conclude(struct watch *watch, struct watched *watched)
{
    struct catalog_entry entry;
    enum watching watching = WATCHING_NOT;

    if (catalog_find(watch->service->catalog, watched->id, &entry)) {
        if (entry.status == SNAPSHOT_READY && watched->wd >= 0) {
            settle(watch, watched);
            return false;
        }
        if (entry.status != SNAPSHOT_READY)
            watching = keep_watch(watch, watched);
    }
    if (watching == WATCHING_NOT)
        drop(watch, watched);
    else
        watch_table_move(watched, &watch->table.waiting);
    return watching == WATCHING_NOW;
}

static void look(struct watch *watch, struct watched *watched)
{
    unsigned news = TAKE_AS(watched->news, 0);

    if ((news & (NEWS_MADE | NEWS_UNFINISHED) || watched->wd >= 0)
        && keep_watch(watch, watched) == WATCHING_NOW)
        news |= NEWS_INSIDE;
    do {
        if (!is_known(watch, watched->id, news) && !read_again(watch, watched, news))
            return;
        news = NEWS_INSIDE;
    } while (conclude(watch, watched));
}

static void look_at_heard(struct watch *watch)
{
    struct watched *watched;

    while (!atomic_load(&watch->is_over) && (watched = TAILQ_FIRST(&watch->table.heard)))
        look(watch, watched);
}

static bool has_settled(const struct watch *watch, const struct watched *watched)
{
    struct catalog_entry entry;

    return catalog_find(watch->service->catalog, watched->id, &entry)
        && entry.status == SNAPSHOT_READY && looks_same(watch, &entry);
}

static void look_at_settling(struct watch *watch)
{
    const uint64_t now = clock_monotonic_ns();
    struct watched *watched;

    while (!atomic_load(&watch->is_over) && (watched = TAILQ_FIRST(&watch->table.settling))
           && watched->settled_ns <= now) {
        if (has_settled(watch, watched)) {
            drop(watch, watched);
            continue;
        }
        hear(watch, watched, NEWS_INSIDE);
        look(watch, watched);
    }
}

/* After a loss there may be news of them that was never told. */
static void hear_of_waiting(struct watch *watch)
{
    struct watched *watched;

    while ((watched = TAILQ_FIRST(&watch->table.waiting)))
        hear(watch, watched, NEWS_UNFINISHED);
    look_at_heard(watch);
}

#define STRETCH 256

static void hear_of_unfinished(struct watch *watch)
{
    auto_free struct catalog_entry *entries = malloc(STRETCH * sizeof *entries);
    int64_t number = 0;
    size_t count = STRETCH;

    while (entries && count == STRETCH && !atomic_load(&watch->is_over)
           && catalog_walk(watch->service->catalog, number, entries, STRETCH, &count)) {
        for (size_t i = 0; i < count; i++)
            if (entries[i].status != SNAPSHOT_READY)
                hear_mention(watch, WATCH_UNFINISHED, entries[i].id);
        if (count > 0)
            number = entries[count - 1].number;
        look_at_heard(watch);
    }
}

static void review(struct watch *watch)
{
    watch->is_limited = false;
    if (watch->deaf)
        limit(watch, watch->deaf);
    hear_of_waiting(watch);
    hear_of_unfinished(watch);
    if (watch->is_limited)
        return;
    metrics_set(watch->service->metrics, METRIC_WATCH_LIMITED, 0, 0);
    if (TAKE_AS(watch->is_told, false))
        log_event(LOG_INFO, "everything in the store is watched again");
}

/* ---- the thread ---- */

static int find_patience(const struct watch *watch)
{
    const struct watched *first = TAILQ_FIRST(&watch->table.settling);
    const uint64_t now = clock_monotonic_ns();

    if (!first)
        return -1;
    return first->settled_ns <= now ? 0 : (int)((first->settled_ns - now) / 1000000 + 1);
}

/* Waits until there is something to be looked at; false at the end. */
static bool await(struct watch *watch)
{
    struct pollfd polled[] = {
        {.fd = watch->over,    .events = POLLIN},
        {.fd = watch->wake,    .events = POLLIN},
        {.fd = watch->inotify, .events = POLLIN}
    };

    poll(polled, 1, REST_MS);
    if (polled[0].revents == 0)
        poll(polled, sizeof polled / sizeof polled[0], find_patience(watch));
    return polled[0].revents == 0;
}

static void *run(void *context)
{
    struct watch *watch = context;

    while (await(watch)) {
        bool must_review = take_mentions(watch);
        read_events(watch);
        metrics_add(watch->service->metrics, METRIC_WATCH_WAKEUPS, 0, 1);
        look_at_heard(watch);
        look_at_settling(watch);
        if (must_review)
            review(watch);
    }
    return NULL;
}

static bool open_descriptors(struct watch *watch)
{
    watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->names = watch->inotify < 0 ? -1 : add_watch(watch, "", NAME_EVENTS);
    watch->deaf = watch->names < 0 ? name_limit(errno) : NULL;
    watch->over = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    watch->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return watch->over >= 0 && watch->wake >= 0;
}

struct watch *watch_open(struct service *service, struct error *err)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch) {
        error_memory(err);
        return NULL;
    }
    watch->service = service;
    watch->mentions.max = MENTIONS_MAX;
    watch->must_review = true; /* of what is found at the start nobody tells */
    pthread_mutex_init(&watch->mutex, NULL);
    watch_table_open(&watch->table);
    if (open_descriptors(watch))
        return watch;
    error_errno(err, "cannot make a descriptor for events");
    watch_close(watch);
    return NULL;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    watch_table_close(&watch->table);
    close_p(&watch->inotify);
    close_p(&watch->over);
    close_p(&watch->wake);
    text_clear(&watch->mentions);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

bool watch_start(struct watch *watch, struct error *err)
{
    eventfd_write(watch->wake, 1);
    watch->is_running = pthread_create(&watch->thread, NULL, run, watch) == 0;
    if (!watch->is_running)
        return error_set(err, ERR_INTERNAL, "cannot start a thread");
    pthread_setname_np(watch->thread, "watch");
    return true;
}

void watch_stop(struct watch *watch)
{
    if (!watch || !TAKE_AS(watch->is_running, false))
        return;
    atomic_store(&watch->is_over, true);
    eventfd_write(watch->over, 1);
    pthread_join(watch->thread, NULL);
}

void watch_mention(struct watch *watch, const char *id, enum watch_reason reason)
{
    const char byte = (char)reason;

    pthread_mutex_lock(&watch->mutex);
    text_append(&watch->mentions, &byte, 1);
    text_append(&watch->mentions, id, strlen(id) + 1);
    pthread_mutex_unlock(&watch->mutex);
    eventfd_write(watch->wake, 1);
}

void watch_review(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->must_review = true;
    pthread_mutex_unlock(&watch->mutex);
    eventfd_write(watch->wake, 1);
}
