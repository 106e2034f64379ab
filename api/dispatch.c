#include "api/dispatch.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

#include "api/cors.h"
#include "api/gate.h"
#include "api/negotiate.h"
#include "api/problem.h"
#include "api/routes.h"
#include "api/upload.h"
#include "base/log.h"
#include "codec/creation.h"

/* Room for the delimiters and headers around a multipart body's parts. */
#define MULTIPART_OVERHEAD ((size_t)64 << 10)

/* How far beyond its limit a body is still read, so that the client gets an answer and not a
 * reset. */
#define BODY_GRACE ((uint64_t)64 << 20)

/* Unique in this process, and with the start of the process in it also beyond. */
static void make_request_id(char id[REQUEST_ID_SIZE])
{
    static _Atomic uint64_t start;
    static _Atomic uint32_t count;
    uint64_t prefix = atomic_load_explicit(&start, memory_order_relaxed);

    if (prefix == 0) {
        uint64_t chosen = 0;
        while (getrandom(&chosen, sizeof chosen, 0) != sizeof chosen || chosen == 0)
            continue;
        if (atomic_compare_exchange_strong(&start, &prefix, chosen))
            prefix = chosen;
    }
    uint32_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++)
        id[i] = digits[prefix >> (60 - 4 * i) & 15];
    id[16] = '-';
    for (size_t i = 0; i < 8; i++)
        id[17 + i] = digits[number >> (28 - 4 * i) & 15];
    id[25] = '\0';
}

static void identify(struct request *request)
{
    const char *given = request->headers[HEADER_X_REQUEST_ID];

    if (given && request->header_counts[HEADER_X_REQUEST_ID] == 1 && negotiate_is_request_id(given))
        snprintf(request->id, sizeof request->id, "%s", given);
    else
        make_request_id(request->id);
}

static void note_trace(struct request *request)
{
    const char *given = request->headers[HEADER_TRACEPARENT];

    if (given && request->header_counts[HEADER_TRACEPARENT] == 1)
        trace_parse(given, &request->trace);
}

/* Who wrote what, and the outcome; refusals too. */
static void audit(const struct request *request, const struct response *response)
{
    char room[TOKEN_NAME_SIZE];
    const char *who = request_who(request, room);

    log_event(LOG_AUDIT, request->match.route->operation,
              LOG_TEXT("who", who ? who : "anyone"),
              LOG_TEXT("snapshot", request_told(request->subject)),
              LOG_NUMBER("status", response->status),
              LOG_TEXT("code", request->failure ? error_slug(request->failure) : NULL),
              LOG_TEXT("client", request->client.address), LOG_REQUEST(request));
}

static void finish(const struct request *request, struct response *response)
{
    const struct route *route = request->match.route;

    response_header(response, "X-Request-Id", request->id);
    cors_expose(request, response);
    if (route && route->scope == SCOPE_WRITE)
        audit(request, response);
}

/* How to be let in (RFC 6750, section 3). */
static void challenge(const struct request *request, enum error_code code,
                      struct response *response)
{
    const struct route *route = request->match.route;

    if (code == ERR_UNAUTHORIZED)
        response_headerf(response, "WWW-Authenticate", "Bearer realm=\"vmsnapd\"%s",
                         auth_is_token(request->headers[HEADER_AUTHORIZATION])
                             ? ", error=\"invalid_token\""
                             : "");
    else if (code == ERR_FORBIDDEN && route && !auth_allows(&request->identity, route->scope))
        response_headerf(response, "WWW-Authenticate",
                         "Bearer realm=\"vmsnapd\", error=\"insufficient_scope\", scope=\"%s\"",
                         tokens_scope_name(route->scope));
}

static void fail(struct request *request, const struct error *err, struct response *response)
{
    const struct route *route = request->match.route;

    if (problem_status(err->code) == 500)
        log_event(LOG_ERROR, "request failed", LOG_REQUEST(request),
                  LOG_TEXT("operation", route ? route->operation : NULL),
                  LOG_TEXT("code", error_slug(err->code)), LOG_TEXT("detail", err->message));
    request->failure = err->code;
    problem_respond(request, err, response);
    challenge(request, err->code, response);
}

/* The allowed methods, as the answer to OPTIONS, or beside the refusal of another. */
static void allow(const struct request *request, struct response *response)
{
    char methods[ALLOW_SIZE];

    router_allow(request->match.allowed, methods);
    response_headerf(response, "Allow", "%s", methods);
}

/* Which documents PATCH takes (RFC 5789, sections 2.2 and 3.1). */
static void accept_patch(struct response *response)
{
    response_header(response, "Accept-Patch", TYPE_PATCH ", " TYPE_JSON);
}

static bool is_multipart(const struct request *request)
{
    const char *type = request->headers[HEADER_CONTENT_TYPE];

    return type && negotiate_is_type(type, TYPE_MULTIPART);
}

static bool begin_upload(struct request *request, struct error *err)
{
    request->body_max = request->service->state_max_bytes + CREATION_BODY_MAX + MULTIPART_OVERHEAD;
    request->upload = upload_new(request->service, request->headers[HEADER_CONTENT_TYPE], err);
    return request->upload != NULL;
}

static bool check_media_type(const struct request *request, struct error *err)
{
    const char *type = request->headers[HEADER_CONTENT_TYPE];
    const struct route *route = request->match.route;
    const char *other = route->method == PATCH ? TYPE_PATCH
        : route->largest_body == BODY_STREAM   ? TYPE_MULTIPART
                                               : NULL;

    if (type && negotiate_is_type(type, TYPE_JSON))
        return true;
    if (type && route->method == PATCH && negotiate_is_type(type, TYPE_PATCH))
        return true;
    return error_set(err, ERR_MEDIA_TYPE, "send Content-Type: " TYPE_JSON "%s%s, not %s",
                     other ? " or " : "", other ? other : "", type ? type : "none");
}

static bool refuse_length(const struct request *request, struct error *err)
{
    return error_set(err, ERR_TOO_LARGE, "the body may be at most %" PRIu64 " bytes long",
                     request->body_max);
}

/* Whose length is not known beforehand is measured as it comes. */
static bool check_body_length(const struct request *request, struct error *err)
{
    const char *length = request->headers[HEADER_CONTENT_LENGTH];

    if (!length || (strlen(length) < 20 && strtoull(length, NULL, 10) <= request->body_max))
        return true;
    return refuse_length(request, err);
}

static bool prepare_body(struct request *request, struct error *err)
{
    const struct route *route = request->match.route;

    request->body_max = route->largest_body;
    if (route->largest_body == BODY_STREAM) {
        if (is_multipart(request) && !begin_upload(request, err))
            return false;
        if (!request->upload)
            request->body_max = CREATION_BODY_MAX;
    }
    if (route->largest_body > 0 && !request->upload && !check_media_type(request, err))
        return false;
    request->body.max = (size_t)request->body_max;
    return check_body_length(request, err);
}

/* By who it is, or else where it comes from. Whoever is on a unix socket may be anyone's proxy. */
static bool check_rate(const struct request *request, struct error *err)
{
    const char *name = request->identity.name;
    const char *address = request->client.address;
    bool is_anyone = !*name && strcmp(address, PEER_UNIX) == 0;

    if (is_anyone || limits_take(request->settings->limits, *name ? name : address))
        return true;
    return error_set(err, ERR_TOO_MANY_REQUESTS,
                     "more requests a second than one client may send; try again in a moment");
}

/* Strangers are told nothing, not even what there is. */
static bool admit(struct request *request, struct error *err)
{
    struct auth *auth = request->settings->auth;
    const struct route *route = request->match.route;
    struct error stranger;
    bool is_known = auth_identify(auth, request->peer, request->headers[HEADER_AUTHORIZATION],
                                  &request->identity, &stranger);

    if (route && route->scope == SCOPE_NONE)
        return auth_is_on(auth) || gate_check_host(request, err);
    if (!check_rate(request, err))
        return false;
    if (!is_known) {
        *err = stranger;
        return false;
    }
    if (!request->identity.by_token && !gate_check_host(request, err))
        return false;
    if (!route || auth_allows(&request->identity, route->scope))
        return true;
    return error_set(err, ERR_FORBIDDEN, "%s needs a token with the scope \"%s\"",
                     route->operation, tokens_scope_name(route->scope));
}

/* Who calls, and by what name: the nearest trusted proxy knows best, then the target. */
static void note_client(struct request *request)
{
    const char **headers = request->headers;
    const struct http_settings *settings = request->settings;
    const struct forwarded forwarded = {
        .forwarded = headers[HEADER_FORWARDED],
        .for_ = headers[HEADER_X_FORWARDED_FOR],
        .proto = headers[HEADER_X_FORWARDED_PROTO],
        .host = headers[HEADER_X_FORWARDED_HOST],
        .prefix = headers[HEADER_X_FORWARDED_PREFIX],
    };
    struct client *client = &request->client;

    forwarded_read(&forwarded, request->peer, &settings->trust, client);
    if (client->host.len == 0)
        client->host = request->parts.authority;
    if (client->host.len == 0 && headers[HEADER_HOST])
        client->host = span_of(headers[HEADER_HOST]);
    if (client->prefix.len == 0 && settings->base_path)
        client->prefix = span_of(settings->base_path);
}

/* Some proxies take the base path off, some do not. */
static bool find_route(struct request *request, struct error *err)
{
    const char *base = request->settings->base_path;
    const char *path = request->parts.path;

    return router_match(routes, route_count, request->method,
                        base ? target_strip(path, base) : path, &request->match, err);
}

/* Whoever is refused for these reasons is not heard any longer. */
static bool check_connection(const struct request *request, struct error *err)
{
    if (request->head_len > request->settings->head_max)
        return error_set(err, ERR_HEAD_TOO_LARGE, "a request's head may be %zu bytes long, not %zu",
                         request->settings->head_max, request->head_len);
    if (request->refusal == ERR_NONE)
        return gate_check_framing(request, err);
    return error_set(err, request->refusal, "there are too many connections%s",
                     request->refusal == ERR_OVERLOADED ? "" : " from one client");
}

static bool route(struct request *request, struct error *err)
{
    struct error unrouted = {0};

    bool is_target = target_split(request->target, &request->parts, &unrouted);

    note_client(request);
    bool found = is_target && find_route(request, &unrouted);
    if (found && request->match.param_count > 0)
        request_concerns(request, request->match.params[0]);
    if (!admit(request, err))
        return false;
    if (!found)
        *err = unrouted;
    return found;
}

bool dispatch_begin(struct request *request, struct response *response)
{
    struct error err = {0};

    identify(request);
    note_trace(request);
    bool is_heard = check_connection(request, &err);
    if (is_heard && cors_answer_preflight(request, response)) {
        finish(request, response);
        return false;
    }
    bool routed = is_heard && route(request, &err);
    if (routed && !request->match.route) { /* OPTIONS */
        response->status = 204;
        allow(request, response);
        if (request->match.allowed & 1u << PATCH)
            accept_patch(response);
    } else if (routed && prepare_body(request, &err)) {
        request->lane = request->match.route->lane;
        return true;
    } else {
        fail(request, &err, response);
        response->close = !is_heard;
        if (err.code == ERR_METHOD_NOT_ALLOWED)
            allow(request, response);
        if (err.code == ERR_MEDIA_TYPE && request->method == PATCH)
            accept_patch(response);
    }
    finish(request, response);
    return false;
}

static bool is_refused(const struct request *request)
{
    return request->body_error.code != ERR_NONE;
}

bool dispatch_body(struct request *request, const void *data, size_t len)
{
    request->body_received += len;
    if (request->body_received > request->body_max && !is_refused(request))
        refuse_length(request, &request->body_error);
    if (!is_refused(request) && !request->upload && !text_append(&request->body, data, len))
        error_memory(&request->body_error);
    return request->body_received <= request->body_max
        || request->body_received - request->body_max <= BODY_GRACE;
}

void dispatch_upload(struct request *request, const void *data, size_t len)
{
    if (!is_refused(request) && !upload_feed(request->upload, data, len, &request->body_error))
        upload_free(TAKE(request->upload));
}

static bool read_request(struct request *request, struct error *err)
{
    if (is_refused(request)) {
        *err = request->body_error;
        return false;
    }
    if (request->upload && !upload_finish(request->upload, err))
        return false;
    return request_read_query(request, err);
}

bool dispatch_finish(struct request *request, struct response *response)
{
    const struct route *route = request->match.route;
    struct error err = {0};
    bool answered =
        read_request(request, &err) && route->first && route->first(request, response, &err);

    if (!answered && err.code == ERR_NONE)
        return false; /* to be worked on */
    if (request->upload) {
        request->body_error = err; /* to be answered when what was uploaded is gone from disk */
        return false;
    }
    if (!answered)
        fail(request, &err, response);
    finish(request, response);
    return true;
}

void dispatch_work(struct request *request, struct response *response)
{
    struct error err = request->body_error;

    if (is_refused(request) || !request->match.route->handler(request, response, &err))
        fail(request, &err, response);
    upload_free(TAKE(request->upload));
    finish(request, response);
}

void dispatch_abandon(void *upload)
{
    upload_free(upload);
}

static void set_overloaded(struct error *err)
{
    error_set(err, ERR_OVERLOADED,
              "too many requests are waiting for a disk; try again in a moment");
}

void dispatch_upload_overloaded(struct request *request)
{
    set_overloaded(&request->body_error);
}

void dispatch_overloaded(struct request *request, struct response *response)
{
    struct error err;

    set_overloaded(&err);
    fail(request, &err, response);
    finish(request, response);
}
