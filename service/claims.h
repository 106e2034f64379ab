/* Who is writing which id: one writer each, a second is told so at once. Whoever only reads what is
 * there, to take note of it, holds an id for a moment: writers wait for that. Safe from any
 * thread. */
#pragma once

#include <pthread.h>

#include "base/error.h"
#include "base/id.h"
#include "base/own.h"

/* One id being written; lives on its writer's stack, linked into the table while it is held. */
struct claim {
    struct claims *claims; /* NULL: not held */
    struct claim *next;
    bool is_brief, is_awaited;
    char id[ID_MAX + 1];
};

/* Called with no lock held, by whoever lets go of an id that claim_try() was refused. */
typedef void claims_hook(void *context, const char *id);

struct claims {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    struct claim *first;
    claims_hook *hook; /* NULL: nobody wants to know */
    void *hook_context;
};

void claims_open(struct claims *claims);
void claims_close(struct claims *claims);

/* To be called before anything is claimed. */
void claims_listen(struct claims *claims, claims_hook *hook, void *context);

/* ERR_BUSY while another writes `id`, which is a valid one. `claim` must not move until
 * released. */
bool claim_take(struct claims *claims, const char *id, struct claim *claim, struct error *err);

/* For a moment, to read it: waits for whoever holds it, however long that takes. */
void claim_wait(struct claims *claims, const char *id, struct claim *claim);

/* The same, but false if it is held: the hook is then called when it no longer is. */
bool claim_try(struct claims *claims, const char *id, struct claim *claim);
void claim_release(struct claim *claim);

static inline void claim_release_p(struct claim *claim)
{
    claim_release(claim);
}
#define auto_claim AUTO(claim_release)
