/* What acknowledged requests promised about each id. Safe from any thread. */
#pragma once

#include "tests/soak/soak.h"

void model_open(struct soak *soak);

/* A slot of which the version is known and which nobody works on: the caller does, from now on,
 * until one of the next three. NULL if chance did not find one. */
struct slot *model_take(struct soak *soak, uint64_t *random);

/* What it will be if the request that is about to be sent is carried out. */
void model_announce(struct soak *soak, struct slot *slot, uint64_t next);

/* The request was answered, and the slot is at this version. */
void model_release(struct soak *soak, struct slot *slot, uint64_t version);

/* No answer came: it may be carried out, even later. */
void model_abandon(struct soak *soak, struct slot *slot);

/* Before and after a slot is read by somebody who does not work on it. */
struct view {
    uint64_t current, next;
    unsigned changes;
};
struct view model_view(struct soak *soak, const struct slot *slot);

/* Whether the slot may have been seen at this version, since that view. */
bool model_allows(struct soak *soak, const struct slot *slot, const struct view *since,
                  uint64_t version);

/* Nothing is under way any more, and this is what an uncertain slot has come to. False if it cannot
 * have. */
bool model_settle(struct soak *soak, struct slot *slot, uint64_t version);

/* NULL if it is the id of no slot. */
struct slot *model_find(struct soak *soak, const char *id);
