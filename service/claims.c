#include "service/claims.h"

#include <stdio.h>
#include <string.h>

void claims_open(struct claims *claims)
{
    *claims = (struct claims){0};
    pthread_mutex_init(&claims->mutex, NULL);
    pthread_cond_init(&claims->released, NULL);
}

void claims_listen(struct claims *claims, claims_hook *hook, void *context)
{
    claims->hook = hook;
    claims->hook_context = context;
}

void claims_close(struct claims *claims)
{
    pthread_cond_destroy(&claims->released);
    pthread_mutex_destroy(&claims->mutex);
}

static struct claim *find_holder(const struct claims *claims, const char *id)
{
    for (struct claim *claim = claims->first; claim; claim = claim->next)
        if (strcmp(claim->id, id) == 0)
            return claim;
    return NULL;
}

/* How long to be patient with whoever holds the id. */
enum patience { PATIENCE_NONE,
                PATIENCE_IF_BRIEF,
                PATIENCE_ENDLESS };

static bool take(struct claims *claims, const char *id, bool is_brief, enum patience patience,
                 struct claim *claim)
{
    struct claim *holder;

    *claim = (struct claim){.is_brief = is_brief};
    snprintf(claim->id, sizeof claim->id, "%s", id);
    pthread_mutex_lock(&claims->mutex);
    while ((holder = find_holder(claims, id))
           && (patience == PATIENCE_ENDLESS || (patience == PATIENCE_IF_BRIEF && holder->is_brief)))
        pthread_cond_wait(&claims->released, &claims->mutex);
    if (holder) {
        holder->is_awaited = holder->is_awaited || is_brief;
    } else {
        claim->claims = claims;
        claim->next = claims->first;
        claims->first = claim;
    }
    pthread_mutex_unlock(&claims->mutex);
    return !holder;
}

bool claim_take(struct claims *claims, const char *id, struct claim *claim, struct error *err)
{
    return take(claims, id, false, PATIENCE_IF_BRIEF, claim)
        || error_set(err, ERR_BUSY, "another request is writing snapshot %s at this moment", id);
}

void claim_wait(struct claims *claims, const char *id, struct claim *claim)
{
    take(claims, id, true, PATIENCE_ENDLESS, claim);
}

bool claim_try(struct claims *claims, const char *id, struct claim *claim)
{
    return take(claims, id, true, PATIENCE_NONE, claim);
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
    pthread_cond_broadcast(&claims->released);
    pthread_mutex_unlock(&claims->mutex);
    claim->claims = NULL;
    if (claim->is_awaited && claims->hook)
        claims->hook(claims->hook_context, claim->id);
}
