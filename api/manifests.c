#include "api/handlers.h"
#include "api/negotiate.h"
#include "api/tag.h"
#include "service/cache.h"

enum {
    AS_JSON,
    AS_PROTOBUF
};

/* Takes over the reference to `cached`. */
static bool respond_take(const struct request *request, const struct cached *cached, int offer,
                         struct response *response)
{
    bool json = offer == AS_JSON;
    const struct text *body = json ? &cached->json : &cached->bytes;
    const char *tag = json ? cached->json_tag : cached->bytes_tag;

    response->cached = cached;
    response_header(response, "ETag", tag);
    response_header(response, "Vary", "Accept");
    response_header(response, "Content-Type", json ? TYPE_JSON : TYPE_PROTOBUF);
    response->status = 200;
    response->data = text_str(body);
    response->data_len = body->len;
    tag_not_modified(request, tag, response);
    return true;
}

static bool choose(const struct request *request, int *offer, struct error *err)
{
    static const struct offer offers[] = {
        [AS_JSON] = {TYPE_JSON,     NULL                    },
        [AS_PROTOBUF] = {TYPE_PROTOBUF, "application/x-protobuf"},
    };

    *offer = negotiate_accept(request->headers[HEADER_ACCEPT], offers, 2);
    return *offer >= 0
        || error_set(err, ERR_NOT_ACCEPTABLE,
                     "the manifest is to be had as " TYPE_JSON " or " TYPE_PROTOBUF);
}

bool manifest_get_first(struct request *request, struct response *response, struct error *err)
{
    const char *id = request_snapshot_id(request, err);
    int offer;

    if (!id || !choose(request, &offer, err))
        return false;
    const struct cached *cached = cache_find(request->service->cache, id);
    return cached && respond_take(request, cached, offer, response);
}

bool manifest_get_handler(struct request *request, struct response *response, struct error *err)
{
    int offer;

    if (!choose(request, &offer, err))
        return false;
    const struct cached *cached =
        cache_load(request->service->cache, request->match.params[0], err);
    return cached && respond_take(request, cached, offer, response);
}
