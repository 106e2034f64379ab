/* Makes a chosen call of the code under test fail, come back short, kill the process, or run a
 * hook.
 *
 * The calls are caught by the linker (--wrap), so only those made from our own objects count, not
 * those that libraries make inside. Calls are numbered from 1 in the order they are made. */
#pragma once

#include <stdbool.h>

enum fault_kind {
    FAULT_DISK = 1,   /* calls that change what is on disk, or flush it */
    FAULT_LOOK = 2,   /* calls that only look: open, read, stat, lock */
    FAULT_MEMORY = 4, /* our own allocations; jansson 2.14's parser does not survive failed ones */
    FAULT_ANY = FAULT_DISK | FAULT_LOOK | FAULT_MEMORY,
};

enum fault_effect {
    FAULT_NOTHING,     /* just count */
    FAULT_ERROR,       /* the call is not made and fails with `errnum` */
    FAULT_SHORT,       /* a read or write of half the length; other calls do not count */
    FAULT_KILL_BEFORE, /* SIGKILL instead of the call */
    FAULT_KILL_AFTER,  /* the call is made, then SIGKILL */
    FAULT_HOOK,        /* hook(context), in which nothing is caught; then the call is made, or,
                        * with an `errnum`, fails */
};

struct fault_plan {
    unsigned kinds;   /* of enum fault_kind, added up */
    const char *only; /* the one function that counts; NULL for all of those kinds */
    enum fault_effect effect;
    unsigned nth;
    int errnum;
    bool every_thread; /* else only the thread that arms it */
    void (*hook)(void *context);
    void *context;
};

struct fault_seen {
    unsigned calls;
    const char *struck; /* the function that was; NULL if the nth call was never made */
};

/* One fault at a time in a process. */
void fault_arm(const struct fault_plan *fault);
struct fault_seen fault_disarm(void);

/* The nth call of that function fails. */
void fault_arm_error(const char *only, unsigned nth, int errnum);
