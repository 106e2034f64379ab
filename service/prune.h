/* Thins snapshots out: what a policy would drop, and then just that. */
#pragma once

#include "service/service.h"

/* What the policy of the ticket comes to, by the catalogue and at this moment. Sets `now` and
 * `set_sha256` of the ticket, by which prune_apply() will know the plan again. What others change
 * meanwhile is in it as it was or as it is. The caller clears `out`. As catalog_query(). */
bool prune_plan(struct service *service, struct retention_ticket *ticket,
                struct retention_plan *out, struct error *err);

/* Of each snapshot that was to be dropped, as soon as it is, or could not be. Called by several
 * threads at a time. */
typedef void prune_told(void *context, const struct retention_item *item);

/* Drops what the plan said, beginning with the oldest. ERR_PRECONDITION, with nothing dropped, if
 * the same policy at the same time would come to anything else by now, or if one of the snapshots
 * is another; ERR_BUSY while another plan is carried out. After that nothing is an error: what
 * could not be dropped has its failure in `out`, which the caller clears: what snapshot_delete()
 * gave, ERR_PRECONDITION if it is another since, and ERR_DRAINING for all that was left when the
 * service was about to end. */
bool prune_apply(struct service *service, const struct retention_ticket *ticket, prune_told *told,
                 void *context, struct retention_plan *out, struct error *err);
