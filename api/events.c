#include "api/handlers.h"
#include "api/negotiate.h"
#include "api/stream.h"

/* What is no position of ours is like one that is no longer known: the client is told that it
 * missed something. */
static struct event_position last_seen(const char *id)
{
    struct event_position position = {.number = UINT64_MAX};

    event_parse_position(id, &position);
    return position;
}

bool event_follow_first(struct request *request, struct response *response, struct error *err)
{
    static const struct offer offer = {TYPE_EVENTS, NULL, NULL};
    const char *last = request->headers[HEADER_LAST_EVENT_ID];
    bool has_seen = last && *last;
    const struct event_position from = last_seen(has_seen ? last : "");

    if (negotiate_accept(request->headers[HEADER_ACCEPT], &offer, 1) < 0)
        return error_set(err, ERR_NOT_ACCEPTABLE, "events are to be had as " TYPE_EVENTS);
    response->stream = stream_new(request->service->events, has_seen ? &from : NULL, err);
    if (!response->stream)
        return false;
    response->status = 200;
    response_header(response, "Content-Type", TYPE_EVENTS);
    response_header(response, "Cache-Control", "no-store");
    response_header(response, "X-Accel-Buffering", "no"); /* to nginx: send on what comes */
    return true;
}
