/* Method and path → a row of the route table, and what the path names. Pure: no allocation, no
 * HTTP library. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "base/lane.h"

struct request;
struct response;

/* In the order in which Allow lists them. */
enum method { GET,
              HEAD,
              POST,
              PUT,
              PATCH,
              DELETE,
              OPTIONS,
              METHOD_OTHER };

enum method method_parse(const char *name); /* case-sensitive, as methods are */
const char *method_name(enum method method);

/* What a token must allow. */
enum scope { SCOPE_NONE,
             SCOPE_READ,
             SCOPE_WRITE,
             SCOPE_EXPORT };

typedef bool route_handler(struct request *request, struct response *response, struct error *err);

struct route {
    enum method method;
    const char *pattern;    /* "/snapshots/{id}/manifest": segments are literal or {name} */
    route_handler *handler; /* on a worker thread */
    route_handler *first;   /* on the event loop, before; NULL for none */
    const char *operation;  /* operationId */
    enum scope scope;
    enum lane_kind lane;
    const char *query;     /* names of the query parameters it takes, separated by spaces */
    uint64_t largest_body; /* bytes */
};

#define ROUTE_PARAMS_MAX 2

struct route_match {
    const struct route *route; /* NULL where OPTIONS is to be answered with `allowed` alone */
    const char *pattern;       /* of the resource; "*" for the server as a whole */
    unsigned allowed;          /* bits 1u << method; only where `route` is NULL */
    const char *query;         /* what follows '?', or ""; borrows the path */
    size_t param_count;        /* of the {names} in the pattern, in their order */

    /* Decoded: UTF-8 without NUL and '/', not empty. */
    char params[ROUTE_PARAMS_MAX][ID_MAX + 1];
};

/* `path` is that of a request target, raw and with its query (api/target.h). Segments are split
 * before they are decoded; dot segments mean nothing; an empty segment or a trailing slash is
 * another resource. The first row that fits is taken; GET rows answer HEAD.
 *
 * ERR_BAD_REQUEST for a path that is malformed or does not decode to text; ERR_NOT_FOUND, also
 * for a segment longer than any id; ERR_METHOD_NOT_ALLOWED, where `out` is filled as for
 * OPTIONS. */
bool router_match(const struct route *routes, size_t count, enum method method, const char *path,
                  struct route_match *out, struct error *err);

/* Does the path begin with the same segment as one of the patterns? */
bool router_has_start(const struct route *routes, size_t count, const char *path);

#define ALLOW_SIZE 64

/* "GET, HEAD, OPTIONS", from bits as in route_match. */
void router_allow(unsigned allowed, char out[ALLOW_SIZE]);
