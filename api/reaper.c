#include "api/reaper.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/condition.h"

#define MS ((uint64_t)1000000) /* nanoseconds */

static void cut_late(const struct reaper *reaper)
{
    uint64_t now = clock_monotonic_ns();

    for (struct watched *each = reaper->first; each; each = each->next) {
        uint64_t deadline = atomic_load_explicit(&each->deadline_ns, memory_order_relaxed);
        if (deadline != 0 && deadline <= now)
            shutdown(each->fd, SHUT_RDWR);
    }
}

static void *reap(void *context)
{
    struct reaper *reaper = context;
    uint64_t next_ns = clock_monotonic_ns();

    pthread_mutex_lock(&reaper->mutex);
    while (!reaper->stopping) {
        next_ns += 1000 * MS;
        while (!reaper->stopping
               && condition_wait_until(&reaper->wake, &reaper->mutex, next_ns))
            continue;
        cut_late(reaper);
    }
    pthread_mutex_unlock(&reaper->mutex);
    return NULL;
}

bool reaper_start(struct reaper *reaper, struct error *err)
{
    reaper->first = NULL;
    reaper->stopping = false;
    pthread_mutex_init(&reaper->mutex, NULL);
    condition_init(&reaper->wake);
    if (pthread_create(&reaper->thread, NULL, reap, reaper) == 0) {
        pthread_setname_np(reaper->thread, "reaper");
        return true;
    }
    pthread_cond_destroy(&reaper->wake);
    pthread_mutex_destroy(&reaper->mutex);
    return error_set(err, ERR_INTERNAL, "cannot start the thread that cuts off slow clients");
}

void reaper_stop(struct reaper *reaper)
{
    pthread_mutex_lock(&reaper->mutex);
    reaper->stopping = true;
    pthread_cond_signal(&reaper->wake);
    pthread_mutex_unlock(&reaper->mutex);
    pthread_join(reaper->thread, NULL);
    pthread_cond_destroy(&reaper->wake);
    pthread_mutex_destroy(&reaper->mutex);
}

void reaper_watch(struct reaper *reaper, struct watched *watched, int fd)
{
    watched->fd = fd;
    watched->previous = NULL;
    pthread_mutex_lock(&reaper->mutex);
    watched->next = reaper->first;
    if (watched->next)
        watched->next->previous = watched;
    reaper->first = watched;
    pthread_mutex_unlock(&reaper->mutex);
}

void reaper_forget(struct reaper *reaper, struct watched *watched)
{
    pthread_mutex_lock(&reaper->mutex);
    if (watched->next)
        watched->next->previous = watched->previous;
    if (watched->previous)
        watched->previous->next = watched->next;
    else
        reaper->first = watched->next;
    pthread_mutex_unlock(&reaper->mutex);
}

static void set_deadline(struct watched *watched, uint64_t deadline_ns)
{
    atomic_store_explicit(&watched->deadline_ns, deadline_ns, memory_order_relaxed);
}

void reaper_allow(struct watched *watched, uint64_t milliseconds)
{
    set_deadline(watched, milliseconds ? clock_monotonic_ns() + milliseconds * MS : 0);
}

void reaper_limit(struct watched *watched, uint64_t milliseconds)
{
    uint64_t limit = clock_monotonic_ns() + milliseconds * MS;
    uint64_t deadline = atomic_load_explicit(&watched->deadline_ns, memory_order_relaxed);

    if (deadline == 0 || deadline > limit)
        set_deadline(watched, limit);
}

void reaper_begin_body(struct watched *watched, uint64_t grace_ms)
{
    watched->grace_ns = watched->budget_ns = grace_ms * MS;
    reaper_resume_body(watched);
}

void reaper_credit(struct watched *watched, uint64_t bytes, uint64_t rate)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t spent = now - watched->mark_ns;
    uint64_t left = spent < watched->budget_ns ? watched->budget_ns - spent : 0;
    uint64_t earned = rate ? bytes * 1000 / rate * MS : watched->grace_ns;

    watched->budget_ns = left + earned < watched->grace_ns ? left + earned : watched->grace_ns;
    watched->mark_ns = now;
    set_deadline(watched, now + watched->budget_ns);
}

void reaper_resume_body(struct watched *watched)
{
    watched->mark_ns = clock_monotonic_ns();
    set_deadline(watched, watched->mark_ns + watched->budget_ns);
}
