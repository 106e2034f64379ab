#include "service/claims.h"

#include <stdio.h>
#include <string.h>

void claims_open(struct claims *claims)
{
    *claims = (struct claims){0};
    pthread_mutex_init(&claims->mutex, NULL);
}

void claims_close(struct claims *claims)
{
    pthread_mutex_destroy(&claims->mutex);
}

static bool is_held(const struct claims *claims, const char *id)
{
    for (const struct claim *claim = claims->first; claim; claim = claim->next)
        if (strcmp(claim->id, id) == 0)
            return true;
    return false;
}

bool claim_take(struct claims *claims, const char *id, struct claim *claim, struct error *err)
{
    *claim = (struct claim){0};
    snprintf(claim->id, sizeof claim->id, "%s", id);
    pthread_mutex_lock(&claims->mutex);
    bool free = !is_held(claims, id);
    if (free) {
        claim->claims = claims;
        claim->next = claims->first;
        claims->first = claim;
    }
    pthread_mutex_unlock(&claims->mutex);
    return free
        || error_set(err, ERR_BUSY, "another request is writing snapshot %s at this moment", id);
}

void claim_release(struct claim *claim)
{
    struct claims *claims = claim->claims;

    if (!claims)
        return;
    pthread_mutex_lock(&claims->mutex);
    struct claim **link = &claims->first;
    while (*link != claim)
        link = &(*link)->next;
    *link = claim->next;
    pthread_mutex_unlock(&claims->mutex);
    claim->claims = NULL;
}
