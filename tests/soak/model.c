#include "tests/soak/model.h"

#include <stdio.h>
#include <string.h>

void model_open(struct soak *soak)
{
    for (unsigned i = 0; i < SLOTS; i++)
        snprintf(soak->slots[i].id, sizeof soak->slots[i].id, "slot-%03u", i);
}

struct slot *model_take(struct soak *soak, uint64_t *random)
{
    struct slot *slot = &soak->slots[random_below(random, SLOTS)];

    pthread_mutex_lock(&soak->mutex);
    bool is_free = !slot->is_taken && !slot->is_uncertain;
    if (is_free)
        slot->is_taken = true;
    pthread_mutex_unlock(&soak->mutex);
    return is_free ? slot : NULL;
}

void model_announce(struct soak *soak, struct slot *slot, uint64_t next)
{
    pthread_mutex_lock(&soak->mutex);
    slot->next = next;
    slot->changes++;
    pthread_mutex_unlock(&soak->mutex);
}

static void end_work(struct slot *slot, uint64_t version)
{
    slot->current = slot->next = version;
    slot->is_taken = slot->is_uncertain = false;
    slot->changes++;
}

void model_release(struct soak *soak, struct slot *slot, uint64_t version)
{
    pthread_mutex_lock(&soak->mutex);
    end_work(slot, version);
    pthread_mutex_unlock(&soak->mutex);
}

void model_abandon(struct soak *soak, struct slot *slot)
{
    pthread_mutex_lock(&soak->mutex);
    slot->is_taken = false;
    slot->is_uncertain = true;
    pthread_mutex_unlock(&soak->mutex);
}

struct view model_view(struct soak *soak, const struct slot *slot)
{
    pthread_mutex_lock(&soak->mutex);
    struct view view = {slot->current, slot->next, slot->changes};
    pthread_mutex_unlock(&soak->mutex);
    return view;
}

/* With more than one whole change in between, it may have been what nobody remembers. */
bool model_allows(struct soak *soak, const struct slot *slot, const struct view *since,
                  uint64_t version)
{
    struct view now = model_view(soak, slot);

    return version == since->current || version == since->next || version == now.current
        || version == now.next || now.changes - since->changes > 3;
}

bool model_settle(struct soak *soak, struct slot *slot, uint64_t version)
{
    pthread_mutex_lock(&soak->mutex);
    bool is_possible = version == slot->current || (slot->is_uncertain && version == slot->next);
    end_work(slot, version);
    pthread_mutex_unlock(&soak->mutex);
    return is_possible;
}

struct slot *model_find(struct soak *soak, const char *id)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (strcmp(soak->slots[i].id, id) == 0)
            return &soak->slots[i];
    return NULL;
}
