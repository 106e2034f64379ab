/* A client of the soak: a thread that sends requests at random and judges the answers. */
#pragma once

#include "tests/soak/soak.h"

#define IDLE_MAX 8

struct caller {
    struct soak *soak;
    const char *token; /* the whole header */
    bool is_patient;   /* who is limited (429) comes back when it was told to */
    uint64_t random;
    CURL *curl;
    int idle[IDLE_MAX]; /* connections that say nothing; -1 for none */
    pthread_t thread;
};

/* Starts it; it works whenever the gate is open. */
void caller_start(struct caller *caller, struct soak *soak, unsigned number);

/* After gate_end(). */
void caller_join(struct caller *caller);

/* A client that the caller moves, with this token. */
void caller_open(struct caller *caller, struct soak *soak, const char *token, uint64_t seed);
void caller_close(struct caller *caller);

/* With the client's token, unless the call has an Authorization. False if there was no answer,
 * which fails the soak unless the service is being ended; so does a 5xx but 503 and 507. */
bool caller_call(struct caller *caller, const struct call *call, struct answer *out);
bool caller_get(struct caller *caller, const char *path, struct answer *out);

/* Fails the soak if the status is neither of these (0 ends them) nor 429 nor 503, which say that
 * the request was not carried out. */
void caller_expect(struct caller *caller, const struct call *call, const struct answer *answer,
                   const long *statuses);
#define EXPECT(caller, call, answer, ...) \
    caller_expect(caller, call, answer, (const long[]){__VA_ARGS__, 0})

/* One more status seen; fails the soak for a 5xx but 503 and 507. */
void caller_count(struct caller *caller, long status, const char *request, const char *answer);

/* A connection of its own; -1 if there is none to be had, which fails the soak unless the service
 * is being ended. */
int caller_connect(struct caller *caller);

/* For each byte that is sent or received on that connection. */
void caller_wait_at_most(int fd, unsigned milliseconds);
