/* How full the store is and what it holds, for the metrics: found out in a lane, for whoever asks
 * next. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct service;

/* Zeroed, it is ready. */
struct survey {
    atomic_bool is_measuring, is_counting; /* a lane does so, or will */
    _Atomic uint64_t count_due_ns;         /* not before, by the monotonic clock */
    atomic_bool is_over;
};

/* Has a lane set the gauges of store and snapshots. Counting means to read every snapshot: it rests
 * for so long in between that it takes no more than a twentieth of a thread's time. Waits for
 * nothing. */
void survey_request(struct service *service);

/* Ends a count that is under way. */
void survey_stop(struct survey *survey);
