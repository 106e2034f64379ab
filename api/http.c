#include "api/http.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "api/stream.h"
#include "api/upload.h"
#include "service/cache.h"

/* Names, and whether the header is a list that may come in several pieces (RFC 9110, 5.3). */
static const struct {
    const char *name;
    unsigned char len;
    bool is_list;
} headers[HEADER__COUNT] = {
#define NAME(name) name, sizeof(name) - 1
    {NAME("Accept"),                        true },
    {NAME("Access-Control-Request-Method"), false},
    {NAME("Authorization"),                 false},
    {NAME("Content-Length"),                false},
    {NAME("Content-Type"),                  false},
    {NAME("Expect"),                        true },
    {NAME("Forwarded"),                     true },
    {NAME("Host"),                          false},
    {NAME("If-Match"),                      true },
    {NAME("If-None-Match"),                 true },
    {NAME("If-Range"),                      false},
    {NAME("Last-Event-ID"),                 false},
    {NAME("Origin"),                        false},
    {NAME("Range"),                         false},
    {NAME("traceparent"),                   false},
    {NAME("Transfer-Encoding"),             true },
    {NAME("X-Forwarded-For"),               true },
    {NAME("X-Forwarded-Host"),              true },
    {NAME("X-Forwarded-Prefix"),            true },
    {NAME("X-Forwarded-Proto"),             true },
    {NAME("X-Request-Id"),                  false},
#undef NAME
};

bool request_init(struct request *request, struct service *service,
                  const struct http_settings *settings, const char *target)
{
    /* Not zeroed as a whole: the query and the faults are large, and mostly unused. */
    memset(request->headers, 0, sizeof *request - offsetof(struct request, headers));
    request->service = service;
    request->settings = settings;
    request->target = strdup(target);
    request->method = METHOD_OTHER;
    request->match = (struct route_match){.query = ""};
    request->query.count = request->query.used = 0;
    request->faults.count = 0;
    return request->target != NULL;
}

void request_clear(struct request *request)
{
    for (size_t i = 0; i < HEADER__COUNT; i++)
        free(request->joined[i]);
    if (request->plan_free)
        request->plan_free(request->plan);
    if (request->verdict)
        verdict_clear(request->verdict);
    free(request->verdict);
    upload_free(request->upload);
    text_clear(&request->body);
    free(request->target);
}

static bool join(struct request *request, enum header header, const char *value)
{
    char *joined;

    if (asprintf(&joined, "%s, %s", request->headers[header], value) < 0)
        return false;
    free(request->joined[header]);
    request->joined[header] = joined;
    request->headers[header] = joined;
    return true;
}

bool request_add_header(struct request *request, const char *name, const char *value,
                        struct error *err)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < HEADER__COUNT; i++) {
        if (headers[i].len != len || strcasecmp(headers[i].name, name) != 0)
            continue;
        if (request->header_counts[i] < 2)
            request->header_counts[i]++;
        if (!request->headers[i])
            request->headers[i] = value;
        else if (headers[i].is_list && !join(request, (enum header)i, value))
            return error_memory(err);
        return true;
    }
    return true;
}

bool request_has_body(const struct request *request)
{
    const char *length = request->headers[HEADER_CONTENT_LENGTH];

    return request->headers[HEADER_TRANSFER_ENCODING] || (length && strcmp(length, "0") != 0);
}

void request_concerns(struct request *request, const char *id)
{
    snprintf(request->subject, sizeof request->subject, "%s", id);
}

const char *request_who(const struct request *request, char room[TOKEN_NAME_SIZE])
{
    const char *address = request->client.address;

    if (*request->identity.name)
        return request->identity.name;
    if (strcmp(address, PEER_UNIX) != 0 || request->peer->uid == (uid_t)-1)
        return NULL;
    peer_name(request->peer, room, TOKEN_NAME_SIZE);
    return room;
}

bool request_read_query(struct request *request, struct error *err)
{
    const struct route_match *match = &request->match;

    if (!*match->query)
        return true; /* the usual case */
    return query_parse(match->query, match->route->query, &request->query, &request->faults, err)
        && faults_none(&request->faults, err);
}

const char *request_snapshot_id(const struct request *request, struct error *err)
{
    const char *id = request->match.params[0];

    if (id_is_valid(id))
        return id;
    error_set(err, ERR_NOT_FOUND, "there is no snapshot %s", id);
    return NULL;
}

void response_init(struct response *response)
{
    response->status = 0;
    response->close = false;
    response->header_count = response->room_used = 0;
    response->link = response->text = (struct text){0};
    response->data = NULL;
    response->cached = NULL;
    response->file = -1;
    response->stream = NULL;
    response->file_offset = response->data_len = 0;
}

void response_clear(struct response *response)
{
    text_clear(&response->link);
    text_clear(&response->text);
    if (response->cached)
        cached_release(response->cached);
    close_p(&response->file);
    stream_free(response->stream);
    response_init(response);
}

void response_header(struct response *response, const char *name, const char *value)
{
    assert(response->header_count < RESPONSE_HEADERS_MAX);
    response->headers[response->header_count].name = name;
    response->headers[response->header_count++].value = value;
}

void response_headerf(struct response *response, const char *name, const char *fmt, ...)
{
    char *at = response->room + response->room_used;
    size_t room = RESPONSE_ROOM - response->room_used;
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(at, room, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room)
        return;
    response->room_used += (size_t)len + 1;
    response_header(response, name, at);
}

void response_location(struct response *response, const struct request *request, const char *fmt,
                       ...)
{
    const struct span *prefix = &request->client.prefix;
    char path[4 * ID_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(path, sizeof path, fmt, args);
    va_end(args);
    response_headerf(response, "Location", "%.*s%s", (int)prefix->len, prefix->at, path);
}

bool response_text(struct response *response, unsigned status)
{
    response->status = status;
    response->data = response->text.data;
    response->data_len = response->text.len;
    return true;
}

bool response_json(struct response *response, unsigned status)
{
    response_header(response, "Content-Type", TYPE_JSON);
    return response_text(response, status);
}
