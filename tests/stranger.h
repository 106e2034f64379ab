/* What another process does in a program's store, and waiting for lists to tell of it: they read no
 * snapshot themselves. */
#pragma once

#include "tests/program.h"

#define LIST_ALL "/snapshots?limit=1000"

/* As SERVE(), without a line for each request: nobody reads them. `rescan` is its setting. */
void stranger_serve(struct test *test, struct program *program, const char *rescan);

/* Asks it to end, and fails the test unless it does so in order. */
void stranger_end(struct program *program);

/* A snapshot's directory, or a file in it unless `file` is "". */
struct path in_store(const struct test *test, const char *id, const char *file);

/* A path beside the snapshots, on the same filesystem. */
struct path outside(const struct test *test, const char *name);

/* A directory that OpenVMM has saved elsewhere, moved into the store; and out of it again. */
void bring(const struct test *test, const char *id, uint32_t vp_count);
void take_away(const struct test *test, const char *id);
void move(struct path from, struct path to);

/* What a list is to say of an id; what is NULL or 0 does not matter. */
struct expected {
    const char *id;
    const char *status; /* "none": it is not listed */
    const char *problem;
    json_int_t vp_count, memory_bytes;
};

/* Asks for the list until it says so; fails the test after a minute. */
void await(struct test *test, const struct expected *expected);
#define AWAIT(test, ...) await(test, &(struct expected){__VA_ARGS__})

/* The same for a metric: until its value is between the two. */
void await_between(struct test *test, const char *series, double least, double most);

/* All that was done before this is dealt with when it returns: the kernel keeps the order. */
void sync_with(struct test *test);

/* Series of what is noticed. */
#define READS   "vmsnapd_watch_reads_total"
#define WAKEUPS "vmsnapd_watch_wakeups_total"
#define LOSSES  "vmsnapd_watch_losses_total"
#define RESCANS "vmsnapd_rescans_total"
#define WATCHED "vmsnapd_watched_directories"
#define LIMITED "vmsnapd_watch_limited"
