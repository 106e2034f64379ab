/* Cuts off clients that send too slowly: each connection has a deadline, and a thread that looks at
 * them every second.
 *
 * A connection is cut with shutdown(), never closed: its descriptor is the library's. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A connection that is watched. */
struct watched {
    struct watched *next, *previous;
    int fd;
    _Atomic uint64_t deadline_ns;          /* on the monotonic clock; 0 for none */
    uint64_t grace_ns, budget_ns, mark_ns; /* of a body: time left as it was at the mark */
};

struct reaper {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct watched *first;
    bool stopping;
};

/* ERR_INTERNAL if there is no thread to be had. */
bool reaper_start(struct reaper *reaper, struct error *err);
void reaper_stop(struct reaper *reaper);

/* From the connection's start to its end, both called while its descriptor is open. */
void reaper_watch(struct reaper *reaper, struct watched *watched, int fd);
void reaper_forget(struct reaper *reaper, struct watched *watched);

/* When it will be cut, counted from now; 0 for never. This and what follows are for the thread that
 * serves the connection, or one that knows it to be elsewhere. */
void reaper_allow(struct watched *watched, uint64_t milliseconds);

/* It will be cut no later than this, counted from now. */
void reaper_limit(struct watched *watched, uint64_t milliseconds);

/* A body begins: it has this much time to fall behind the least rate, and never more. */
void reaper_begin_body(struct watched *watched, uint64_t grace_ms);

/* So much of it came, which at `rate` bytes a second earns more time; with rate 0 anything will
 * do. */
void reaper_credit(struct watched *watched, uint64_t bytes, uint64_t rate);

/* The time from reaper_allow(…, 0) to here was not the client's. */
void reaper_resume_body(struct watched *watched);
