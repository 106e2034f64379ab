/* Which snapshots a policy keeps, and why: from values alone, without a clock, a file or a
 * catalogue. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

/* Puts the items into their order, newest first (the greater created_at, then the greater id, by
 * bytes), and sets what is decided of each: is_dropped and reasons, of which every rule that keeps
 * it is one. ERR_INTERNAL without memory.
 *
 * What is held, created later than `now` or at no time that RFC 3339 can say, incomplete or damaged
 * is never dropped, nor does it take the place of another: it is not among the newest that a rule
 * keeps. Of the rest, each group by itself, the rules keep what they say, in UTC. With
 * max_bytes the oldest that only rules keep are dropped, whatever their group, until all that are
 * kept hold no more. */
bool retention_decide(const struct retention_policy *policy, struct timestamp now,
                      struct retention_item *items, size_t count, struct error *err);
