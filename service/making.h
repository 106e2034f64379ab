/* A snapshot on its way into the store: from a request to a stage that holds it whole. */
#pragma once

#include "service/draft.h"
#include "service/saved.h"
#include "service/service.h"

struct making {
    struct service *service; /* borrowed, as is all that is not said to be owned */
    const struct creation *creation;
    const char *id;
    struct draft *uploaded;        /* the state that came with the request, or NULL */
    struct draft *own;             /* owned: where nothing was uploaded */
    struct source *memory, *state; /* owned */
    struct saved saved;            /* owned: the directory that is taken in, but for those two */
    char *memory_path;             /* owned: where memory.bin will be */
    bool in_place;                 /* it is there already */
    struct snapshot snapshot;      /* owned: what is known of it so far */
};

/* Names and identifies what is to be made; the request's fingerprint is in its record. To be called
 * first, with service, creation, id and uploaded set and the rest zero. ERR_INTERNAL. */
bool making_begin(struct making *making, struct error *err);
void making_clear(struct making *making);
static inline void making_clear_p(struct making *making)
{
    making_clear(making);
}
#define auto_making AUTO(making_clear)

/* Opens the files that the request names and checks what can be checked before anything is written.
 * Errors as snapshot_create(). */
bool making_open(struct making *making, struct error *err);

/* Everything up to the last rename. As making_open. */
bool making_fill(struct making *making, struct error *err);

/* The path by which the request names the memory. The caller frees it; NULL without memory. */
char *making_memory_name(const struct creation *creation);

/* The stage that making_fill() filled. */
struct stage *making_stage(const struct making *making);
