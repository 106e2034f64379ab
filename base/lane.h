/* Worker threads behind a bounded queue: where work goes that may wait for a disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/own.h"

/* By what the work waits for, so that one kind cannot starve another. */
enum lane_kind {
    LANE_READ,    /* small reads: cold manifests, lists, validation */
    LANE_PUBLISH, /* flushes: many wait at once, so that the filesystem commits them as a group */
    LANE_BULK,    /* copying, hashing and unlinking guest memory */
    LANE__COUNT
};

const char *lane_name(enum lane_kind kind);

typedef void lane_work(void *context);

struct lane;

/* NULL with ERR_INTERNAL if memory or threads are lacking. */
struct lane *lane_start(const char *name, unsigned threads, size_t queue_max, struct error *err);

/* Queues one call of work(context); false if the queue is full. Safe from any thread. */
bool lane_submit(struct lane *lane, lane_work *work, void *context);

struct lane_load {
    size_t threads, busy; /* of the threads, those at work */
    size_t queued, queue_max;
    uint64_t taken, refused; /* calls of lane_submit() so far */
};

/* How busy it is at this moment. Safe from any thread. */
struct lane_load lane_measure(struct lane *lane);

/* Runs all that is queued, then ends the threads. Nothing may be submitted meanwhile. */
void lane_stop(struct lane *lane);
OWN(struct lane, lane_stop)
