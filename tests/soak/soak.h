/* A service under mixed load for long, on a disk that fills: what the soak's parts share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "tests/program.h"
#include "tests/random.h"

#define BEARER "Authorization: Bearer "

/* Tokens, of which the service's token file holds the digests. */
#define OWNER_TOKEN  "vmsnapd_owner"  /* write and export */
#define READER_TOKEN "vmsnapd_reader" /* read */
#define JUDGE_TOKEN  "vmsnapd_judge"  /* the owner's scopes, and a limit to itself */

#define SLOTS 256

/* An id and what the acknowledged requests made of it. A version is a number from which all that a
 * snapshot holds follows (version.h); 0 is no snapshot. */
struct slot {
    char id[16];
    uint64_t current;
    uint64_t next;     /* that a request under way, or one whose answer was lost, makes of it */
    bool is_uncertain; /* it is one or the other, and nobody is at work: see model_settle() */
    bool is_taken;     /* somebody is at work on it */
    unsigned changes;
};

/* What clients do between them: each is at work, or waits at the gate. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_closed, is_over;
    unsigned at_work;
};

struct tally {
    atomic_ullong statuses[600];
    atomic_ullong unanswered; /* by choice of the client, or because the service was ended */
    atomic_ullong acknowledged;
    atomic_uint filled;
};

/* The program, and what it said last. */
#define TAIL_LINES 40
struct life {
    struct program program;
    pthread_t reader;
    pthread_mutex_t mutex; /* guards the lines */
    char lines[TAIL_LINES][512];
    size_t line_count;
    size_t descriptors;    /* the fewest that were seen */
    atomic_bool is_ending; /* from here on, clients may go without answers */
};

struct soak {
    struct test test; /* its directories, and the URL of the service */
    const char *binary;
    uint64_t seed;
    bool can_reflink, can_fill;
    struct path tokens, ballast; /* ballast: what fills the disk */
    struct life life;
    struct gate gate;
    pthread_mutex_t mutex; /* guards the slots */
    struct slot slots[SLOTS];
    struct tally tally;
};

/* Ends the soak, the service, and the program, saying why, with the service's last lines. From any
 * thread. */
_Noreturn void soak_fail(struct soak *soak, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
