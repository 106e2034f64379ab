/* Condition variables whose waits end at a time of clock_monotonic_ns(). */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

static inline void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Waits until the condition is signalled, or somehow without that; false if it was not by then. The
 * mutex is held. */
static inline bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                        uint64_t due_ns)
{
    const uint64_t second = 1000000000;
    const struct timespec due = {.tv_sec = (time_t)(due_ns / second),
                                 .tv_nsec = (long)(due_ns % second)};

    return pthread_cond_timedwait(condition, mutex, &due) == 0;
}
