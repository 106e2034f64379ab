#include "service/rescan.h"

#include <pthread.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/condition.h"
#include "service/watch.h"

#define SECOND UINT64_C(1000000000)
#define NEVER  ((uint64_t)INT64_MAX)

/* How many times as long as it worked it rests. */
#define REST 3

/* After so much work. */
#define STINT_NS UINT64_C(5000000)

/* When to try again what could not be done. */
#define RETRY_NS SECOND

struct rescan {
    struct service *service;
    uint64_t period_ns;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    bool is_over;
    /* By the monotonic clock. */
    uint64_t due_ns[RECONCILE__COUNT];
    uint64_t rested_ns; /* when its last rest ended, or is to end */
};

static uint64_t count_work(const struct rescan *rescan)
{
    return clock_monotonic_ns() - rescan->rested_ns;
}

/* Owes rest for the work that was done since the last. */
static void owe_rest(struct rescan *rescan)
{
    const uint64_t work = count_work(rescan);

    rescan->rested_ns += (1 + REST) * work;
}

/* The first depth that is due by then; RECONCILE__COUNT for none. */
static enum reconcile_depth find_due(const struct rescan *rescan, uint64_t ns)
{
    enum reconcile_depth depth = 0;

    while (depth < RECONCILE__COUNT && rescan->due_ns[depth] > ns)
        depth++;
    return depth;
}

static uint64_t find_next(const struct rescan *rescan)
{
    uint64_t next = NEVER;

    for (enum reconcile_depth i = 0; i < RECONCILE__COUNT; i++)
        if (rescan->due_ns[i] < next)
            next = rescan->due_ns[i];
    return next < rescan->rested_ns ? rescan->rested_ns : next;
}

/* What is to be done next; RECONCILE__COUNT at the end. */
static enum reconcile_depth await(struct rescan *rescan)
{
    pthread_mutex_lock(&rescan->mutex);
    owe_rest(rescan);
    enum reconcile_depth depth = RECONCILE__COUNT;
    while (!rescan->is_over) {
        const uint64_t now = clock_monotonic_ns();
        const uint64_t next = find_next(rescan);
        if (next <= now) {
            depth = find_due(rescan, now);
            rescan->due_ns[depth] = NEVER;
            rescan->rested_ns = now;
            break;
        }
        condition_wait_until(&rescan->changed, &rescan->mutex, next);
    }
    pthread_mutex_unlock(&rescan->mutex);
    return depth;
}

/* Names are quickly gone through, and often somebody waits for them. */
static bool hurry(void *context)
{
    struct rescan *rescan = context;

    pthread_mutex_lock(&rescan->mutex);
    bool goes_on = !rescan->is_over;
    pthread_mutex_unlock(&rescan->mutex);
    return goes_on;
}

static bool is_disturbed(const struct rescan *rescan)
{
    return rescan->is_over || rescan->due_ns[RECONCILE_NAMES] <= clock_monotonic_ns();
}

/* Everything else lets them go first. */
static bool rest(void *context)
{
    struct rescan *rescan = context;

    pthread_mutex_lock(&rescan->mutex);
    if (count_work(rescan) >= STINT_NS) {
        owe_rest(rescan);
        while (!is_disturbed(rescan) && clock_monotonic_ns() < rescan->rested_ns)
            condition_wait_until(&rescan->changed, &rescan->mutex, rescan->rested_ns);
        rescan->rested_ns = clock_monotonic_ns();
    }
    bool goes_on = !is_disturbed(rescan);
    pthread_mutex_unlock(&rescan->mutex);
    return goes_on;
}

static void look(struct rescan *rescan, enum reconcile_depth depth)
{
    struct service *service = rescan->service;
    const uint64_t begun = clock_monotonic_ns();
    bool is_whole =
        reconcile_gently(service, depth, depth == RECONCILE_NAMES ? hurry : rest, rescan);

    if (!is_whole) {
        rescan_request(rescan, depth, RETRY_NS);
        return;
    }
    watch_review(service->watch);
    if (depth != RECONCILE_LOOKS)
        return;
    metrics_add(service->metrics, METRIC_RESCANS, 0, 1);
    metrics_set(service->metrics, METRIC_SNAPSHOTS_COUNTED, 0, clock_unix_ms() * 1000000);
    metrics_set(service->metrics, METRIC_RESCAN_DURATION, 0, clock_monotonic_ns() - begun);
    if (rescan->period_ns > 0)
        rescan_request(rescan, depth, rescan->period_ns);
}

/* Of Linux: the niceness of this thread alone. */
#define NICENESS 10

static void *run(void *context)
{
    struct rescan *rescan = context;

    setpriority(PRIO_PROCESS, 0, NICENESS); /* whoever waits for an answer goes first */
    for (enum reconcile_depth depth; (depth = await(rescan)) < RECONCILE__COUNT;)
        look(rescan, depth);
    return NULL;
}

static void clear(struct rescan *rescan)
{
    pthread_cond_destroy(&rescan->changed);
    pthread_mutex_destroy(&rescan->mutex);
    free(rescan);
}

struct rescan *rescan_start(struct service *service, unsigned period_s, struct error *err)
{
    struct rescan *rescan = calloc(1, sizeof *rescan);

    if (!rescan) {
        error_memory(err);
        return NULL;
    }
    pthread_mutex_init(&rescan->mutex, NULL);
    condition_init(&rescan->changed);
    rescan->service = service;
    rescan->period_ns = period_s * SECOND;
    rescan->rested_ns = clock_monotonic_ns();
    rescan->due_ns[RECONCILE_NAMES] = NEVER;
    rescan->due_ns[RECONCILE_LOOKS] = rescan->rested_ns;
    if (pthread_create(&rescan->thread, NULL, run, rescan) == 0) {
        pthread_setname_np(rescan->thread, "rescan");
        return rescan;
    }
    error_set(err, ERR_INTERNAL, "cannot start a thread");
    clear(rescan);
    return NULL;
}

void rescan_stop(struct rescan *rescan)
{
    if (!rescan)
        return;
    pthread_mutex_lock(&rescan->mutex);
    rescan->is_over = true;
    pthread_cond_broadcast(&rescan->changed);
    pthread_mutex_unlock(&rescan->mutex);
    pthread_join(rescan->thread, NULL);
    clear(rescan);
}

void rescan_request(struct rescan *rescan, enum reconcile_depth depth, uint64_t within_ns)
{
    const uint64_t due = clock_monotonic_ns() + within_ns;

    pthread_mutex_lock(&rescan->mutex);
    if (due < rescan->due_ns[depth]) {
        rescan->due_ns[depth] = due;
        pthread_cond_broadcast(&rescan->changed);
    }
    pthread_mutex_unlock(&rescan->mutex);
}
