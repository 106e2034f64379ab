/* A request and its answer as handlers see them: plain structs, no HTTP library. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/forwarded.h"
#include "api/limits.h"
#include "api/query.h"
#include "api/router.h"
#include "api/target.h"
#include "api/trace.h"
#include "base/log.h"
#include "base/text.h"
#include "codec/fields.h"
#include "service/service.h"

/* The headers that mean something to us. */
enum header {
    HEADER_ACCEPT,
    HEADER_AC_REQUEST_METHOD,
    HEADER_AUTHORIZATION,
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_EXPECT,
    HEADER_FORWARDED,
    HEADER_HOST,
    HEADER_IF_MATCH,
    HEADER_IF_NONE_MATCH,
    HEADER_IF_RANGE,
    HEADER_LAST_EVENT_ID,
    HEADER_ORIGIN,
    HEADER_RANGE,
    HEADER_TRACEPARENT,
    HEADER_TRANSFER_ENCODING,
    HEADER_X_FORWARDED_FOR,
    HEADER_X_FORWARDED_HOST,
    HEADER_X_FORWARDED_PREFIX,
    HEADER_X_FORWARDED_PROTO,
    HEADER_X_REQUEST_ID,
    HEADER__COUNT
};

#define REQUEST_ID_SIZE 65

struct upload;

struct request {
    struct service *service;
    const struct http_settings *settings;
    const struct peer *peer; /* who sent it, for as long as its connection is open */
    size_t head_len;         /* bytes, from the method to the empty line */
    enum error_code refusal; /* of its connection, which is one too many; or ERR_NONE */
    bool is_draining;        /* the service is about to end */
    char *target;            /* raw; owned */
    enum method method;
    bool is_http_1_0;
    const char *head_fault; /* why its head could be read differently; NULL if it could not */
    struct route_match match;
    struct query query;
    struct faults faults;
    const char *headers[HEADER__COUNT]; /* NULL if not sent; lists sent in pieces are joined */
    unsigned char header_counts[HEADER__COUNT];
    char *joined[HEADER__COUNT]; /* owned, for those that are */
    char id[REQUEST_ID_SIZE];    /* "" until the head was read */
    struct trace trace;
    struct target parts;      /* of the target */
    struct client client;     /* behind the proxies; its host, where none told it, is as was sent */
    struct identity identity; /* nobody's until it is known */
    char subject[ID_MAX + 1]; /* the snapshot that it is about, as far as it is known; or "" */
    enum error_code failure;  /* that was answered */
    uint64_t body_max, body_received;
    struct text body;        /* as received; empty if it goes to an upload */
    struct upload *upload;   /* owned: a multipart body, as it arrives */
    struct error body_error; /* why the rest of the body is passed over */
    enum lane_kind lane;     /* where the handler will run */
    void *plan;              /* what `first` worked out for the handler; owned */
    void (*plan_free)(void *plan);
    struct verdict *verdict; /* of a refusal with ERR_NOT_VALID; owned */
};

struct http_settings {
    char *const *hosts; /* names besides localhost and IP literals by which clients may call us */
    size_t host_count;
    size_t head_max; /* bytes of a request's head */
    struct auth *auth;
    struct limits *limits;
    char *const *origins; /* whose web pages may read our answers */
    size_t origin_count;
    bool access_log;       /* a line for each request */
    const char *base_path; /* what the outside sees in front of our paths: "/vms", or "" */
    struct trust trust;    /* in proxies */
};

/* What ties a line of the log to its request. */
#define LOG_REQUEST(request)                                     \
    LOG_TEXT("request_id", request_told((request)->id)),         \
        LOG_TEXT("trace_id", request_told((request)->trace.id)), \
        LOG_TEXT("parent_id", request_told((request)->trace.parent_id))

/* Whom a line of the log names: the token's name, or "uid:0" for a unix socket's user, whether or
 * not they were given a scope; not the user of a proxy that told whose request it is. NULL for
 * anyone. */
const char *request_who(const struct request *request, char room[TOKEN_NAME_SIZE]);

/* A text that may be empty, as a field of the log that may be left out. */
static inline const char *request_told(const char *text)
{
    return *text ? text : NULL;
}

/* `target` is copied. False without memory; the request is to be cleared either way. */
bool request_init(struct request *request, struct service *service,
                  const struct http_settings *settings, const char *target);
void request_clear(struct request *request);

/* Takes note of a header that was sent; `value` must outlive the request. ERR_INTERNAL. */
bool request_add_header(struct request *request, const char *name, const char *value,
                        struct error *err);

/* By its headers: content, or at least the framing of it. */
bool request_has_body(const struct request *request);

/* Takes note of the snapshot that the request is about. */
void request_concerns(struct request *request, const char *id);

/* Reads the query by the route's names. As query_parse(). */
bool request_read_query(struct request *request, struct error *err);

/* The {id} of the path; ERR_NOT_FOUND if no snapshot can have it. */
const char *request_snapshot_id(const struct request *request, struct error *err);

#define RESPONSE_HEADERS_MAX 16
#define RESPONSE_ROOM        1024

struct cached;
struct stream;

struct response {
    unsigned status;
    bool close; /* the connection, after this */
    size_t header_count;
    struct {
        const char *name, *value;
    } headers[RESPONSE_HEADERS_MAX];
    char room[RESPONSE_ROOM]; /* of formatted values */
    size_t room_used;
    struct text link;            /* a header's value, of any length */
    struct text text;            /* an owned body, or */
    const void *data;            /* a borrowed one of data_len bytes, or */
    const struct cached *cached; /* one that data lies in, held; or */
    int file;                    /* the part of a file, open, or -1; or */
    struct stream *stream;       /* what will come, owned */
    uint64_t file_offset, data_len;
};

void response_init(struct response *response);

/* Frees what it owns and makes it as new. */
void response_clear(struct response *response);

/* `name` and `value` must outlive the response. */
void response_header(struct response *response, const char *name, const char *value);

/* A formatted value; one that is too long for the room is left out. */
void response_headerf(struct response *response, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The path of a resource of ours, as the outside sees it. */
void response_location(struct response *response, const struct request *request, const char *fmt,
                       ...) __attribute__((format(printf, 3, 4)));

#define TYPE_JSON     "application/json"
#define TYPE_PROBLEM  "application/problem+json"
#define TYPE_PROTOBUF "application/protobuf"
#define TYPE_PATCH    "application/merge-patch+json"

#define TYPE_MULTIPART "multipart/form-data"

/* The answer is the response's text. Returns true. */
bool response_text(struct response *response, unsigned status);

/* The same, of that type. */
bool response_json(struct response *response, unsigned status);
