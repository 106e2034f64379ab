/* The thread that looks at all snapshots from time to time, for what nobody tells of: changes in
 * those that are ready, and whatever the watch lost or could not watch. It rests three times as
 * long as it works. */
#pragma once

#include "service/reconcile.h"

struct rescan;

/* The service, whose store, claims, catalogue and watch are open, must outlive it. It looks at all
 * once now, and then every `period_s` seconds, or, if that is 0, only when it is requested. NULL
 * with ERR_INTERNAL without memory or threads. */
struct rescan *rescan_start(struct service *service, unsigned period_s, struct error *err);

/* Ends what is under way. NULL is fine. */
void rescan_stop(struct rescan *rescan);

/* Not later than so many nanoseconds from now. Safe from any thread. */
void rescan_request(struct rescan *rescan, enum reconcile_depth depth, uint64_t within_ns);
