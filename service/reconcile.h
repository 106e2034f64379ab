/* Brings the catalogue to what is on disk. */
#pragma once

#include "service/service.h"

/* How closely to look at what the catalogue has an entry for. Whatever has none, or no longer is
 * there, or was not ready, is always read. */
enum reconcile_depth {
    RECONCILE_NAMES, /* is the directory another one? */
    RECONCILE_LOOKS, /* and does it look otherwise inside? */
    RECONCILE__COUNT
};

/* The whole store, by `threads` threads. False, with what went wrong in the log, if it could not be
 * listed, or the catalogue failed: upkeep then does it again. */
bool reconcile_all(struct service *service, enum reconcile_depth depth, unsigned threads);

/* The same in the background, by this thread: rest(context) is called every now and then, false
 * ends the pass early. What is being written is not waited for: the claims' hook will tell. */
bool reconcile_gently(struct service *service, enum reconcile_depth depth,
                      bool (*rest)(void *context), void *context);

/* How many threads for a store that somebody waits for: they wait for the disk more than they
 * work. */
unsigned reconcile_threads(void);

/* One id, whatever there is of that name by now; waits for whoever is writing it. */
void reconcile_one(struct service *service, const char *id);

/* The same by whoever holds its claim. */
void reconcile_claimed(struct service *service, const char *id);

/* The same, but not while it is being written: false then, and the claims' hook will tell. */
bool reconcile_if_idle(struct service *service, const char *id);
