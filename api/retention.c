#include "codec/retention.h"

#include "api/handlers.h"
#include "base/log.h"
#include "service/prune.h"

static void free_ticket(void *plan)
{
    retention_ticket_clear(plan);
    free(plan);
}

static struct retention_ticket *begin_ticket(struct request *request, struct error *err)
{
    struct retention_ticket *ticket = calloc(1, sizeof *ticket);

    if (!ticket)
        error_memory(err);
    request->plan = ticket;
    request->plan_free = free_ticket;
    return ticket;
}

/* Decodes the body; what is left to do needs the catalogue, and a disk. */
bool retention_plan_first(struct request *request, struct response *response, struct error *err)
{
    struct retention_ticket *ticket = begin_ticket(request, err);

    (void)response;
    if (ticket)
        retention_policy_from_json(text_str(&request->body), request->body.len, &ticket->policy,
                                   &request->faults, err);
    return false;
}

bool retention_plan_handler(struct request *request, struct response *response, struct error *err)
{
    struct retention_ticket *ticket = request->plan;
    auto_retention_plan struct retention_plan plan = {0};
    auto_text struct text token = {0};

    if (!prune_plan(request->service, ticket, &plan, err)
        || !retention_token_encode(ticket, &token, err)
        || !retention_plan_to_json(&plan, token.data, ticket->policy.group_by, &response->text,
                                   err))
        return false;
    response_header(response, "Cache-Control", "no-store");
    return response_json(response, 200);
}

bool retention_apply_first(struct request *request, struct response *response, struct error *err)
{
    struct retention_ticket *ticket = begin_ticket(request, err);

    (void)response;
    if (ticket)
        retention_ticket_from_json(text_str(&request->body), request->body.len, ticket,
                                   &request->faults, err);
    return false;
}

/* At once: whoever asked may not wait for the answer. */
static void audit(void *context, const struct retention_item *item)
{
    const struct request *request = context;
    char room[TOKEN_NAME_SIZE];
    const char *who = request_who(request, room);

    log_event(LOG_AUDIT, "pruneSnapshot", LOG_TEXT("who", who ? who : "anyone"),
              LOG_TEXT("snapshot", item->id),
              LOG_TEXT("code", item->failure ? error_slug(item->failure) : NULL),
              LOG_TEXT("client", request->client.address), LOG_REQUEST(request));
}

bool retention_apply_handler(struct request *request, struct response *response, struct error *err)
{
    auto_retention_plan struct retention_plan plan = {0};

    return prune_apply(request->service, request->plan, audit, request, &plan, err)
        && retention_outcome_to_json(&plan, &response->text, err) && response_json(response, 200);
}
