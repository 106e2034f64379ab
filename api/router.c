#include "api/router.h"

#include <string.h>

#include "api/percent.h"

#define SEGMENTS_MAX 8                    /* more than any pattern has */
#define ESCAPED_MAX  ((size_t)3 * ID_MAX) /* bytes of a segment that may still be an id */

static const char *const method_names[] = {
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "OTHER",
};

struct segment {
    const char *at; /* in the target, or `decoded` */
    size_t len;
    char decoded[ID_MAX];
};

struct path {
    size_t count;
    struct segment segments[SEGMENTS_MAX];
    size_t param_count; /* of the pattern compared last */
    const struct segment *params[ROUTE_PARAMS_MAX];
};

enum method method_parse(const char *name)
{
    for (enum method method = GET; method < METHOD_OTHER; method++)
        if (strcmp(name, method_names[method]) == 0)
            return method;
    return METHOD_OTHER;
}

const char *method_name(enum method method)
{
    return method_names[method];
}

static bool refuse(struct error *err)
{
    return error_set(err, ERR_BAD_REQUEST, "the path is malformed");
}

static bool find_nothing(struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "no such resource");
}

/* Printable ASCII that needs neither decoding nor refusing. */
static bool is_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '%' && c != '#';
}

static bool decode_segment(struct segment *segment, struct error *err)
{
    char decoded[ESCAPED_MAX + 1];
    size_t len;

    if (segment->len > ESCAPED_MAX)
        return find_nothing(err);
    if (percent_decode(segment->at, segment->len, decoded, &len) != PERCENT_TEXT
        || memchr(decoded, '/', len))
        return refuse(err);
    if (len > ID_MAX)
        return find_nothing(err);
    memcpy(segment->decoded, decoded, len);
    segment->at = segment->decoded;
    segment->len = len;
    return true;
}

/* Takes the segment that `*at`, a slash, leads. */
static bool take_segment(const char **at, struct path *path, struct error *err)
{
    const char *end = *at + 1;
    bool plain = true;

    if (path->count == SEGMENTS_MAX)
        return find_nothing(err);
    struct segment *segment = &path->segments[path->count++];
    segment->at = end;
    for (; *end != '\0' && *end != '/' && *end != '?'; end++)
        plain = plain && is_plain(*end);
    segment->len = (size_t)(end - segment->at);
    *at = end;
    return plain || decode_segment(segment, err);
}

static bool split_path(const char *at, struct path *path, struct route_match *match,
                       struct error *err)
{
    while (*at == '/')
        if (!take_segment(&at, path, err))
            return false;
    if (*at != '\0' && *at != '?')
        return refuse(err);
    match->query = *at == '?' ? at + 1 : at;
    if (path->count == 0) /* of "http://host", which is "http://host/" */
        path->segments[path->count++] = (struct segment){.at = ""};
    return true;
}

/* What is left of the pattern after one segment of it; NULL if the path's does not fit. */
static const char *fit_segment(const char *pattern, const struct segment *segment,
                               struct path *path)
{
    if (*pattern != '{') {
        if (strncmp(pattern, segment->at, segment->len) != 0)
            return NULL;
        pattern += segment->len;
        return *pattern == '\0' || *pattern == '/' ? pattern : NULL;
    }
    if (segment->len == 0 || segment->len > ID_MAX)
        return NULL;
    path->params[path->param_count++] = segment;
    return strchr(pattern, '}') + 1;
}

static bool fit(const char *pattern, struct path *path)
{
    path->param_count = 0;
    for (size_t i = 0; i < path->count; i++) {
        if (*pattern != '/')
            return false;
        pattern = fit_segment(pattern + 1, &path->segments[i], path);
        if (!pattern)
            return false;
    }
    return *pattern == '\0';
}

static unsigned bit(enum method method)
{
    return 1u << method;
}

static unsigned methods_of(const struct route *route)
{
    return bit(route->method) | bit(OPTIONS) | (route->method == GET ? bit(HEAD) : 0);
}

static bool answers(const struct route *route, enum method method)
{
    return route->method == method || (method == HEAD && route->method == GET);
}

static void copy_params(const struct path *path, struct route_match *match)
{
    match->param_count = path->param_count;
    for (size_t i = 0; i < path->param_count; i++) {
        memcpy(match->params[i], path->params[i]->at, path->params[i]->len);
        match->params[i][path->params[i]->len] = '\0';
    }
}

static bool match_path(const struct route *routes, size_t count, enum method method,
                       struct path *path, struct route_match *match)
{
    for (const struct route *route = routes; route < routes + count; route++) {
        if (!fit(route->pattern, path))
            continue;
        match->pattern = route->pattern;
        copy_params(path, match);
        if (answers(route, method)) {
            match->route = route;
            match->allowed = 0;
            return true;
        }
        match->allowed |= methods_of(route);
    }
    return match->pattern != NULL;
}

/* OPTIONS *: the server as a whole. */
static void match_server(const struct route *routes, size_t count, struct route_match *out)
{
    *out = (struct route_match){.pattern = "*", .query = ""};
    out->allowed = bit(OPTIONS);
    for (size_t i = 0; i < count; i++)
        out->allowed |= methods_of(&routes[i]);
}

bool router_match(const struct route *routes, size_t count, enum method method, const char *path,
                  struct route_match *out, struct error *err)
{
    struct route_match match = {0};
    struct path segments;

    segments.count = 0;
    if (method == OPTIONS && strcmp(path, "*") == 0) {
        match_server(routes, count, out);
        return true;
    }
    if (!split_path(path, &segments, &match, err))
        return false;
    if (!match_path(routes, count, method, &segments, &match))
        return find_nothing(err);
    *out = match;
    if (match.route || method == OPTIONS)
        return true;
    return error_set(err, ERR_METHOD_NOT_ALLOWED, "this resource does not take the method");
}

bool router_has_start(const struct route *routes, size_t count, const char *path)
{
    size_t len = 1 + strcspn(path + 1, "/");

    for (size_t i = 0; i < count; i++)
        if (strncmp(routes[i].pattern, path, len) == 0 && strchr("/", routes[i].pattern[len]))
            return true;
    return false;
}

void router_allow(unsigned allowed, char out[ALLOW_SIZE])
{
    char *end = out;

    *end = '\0';
    for (enum method method = GET; method < METHOD_OTHER; method++)
        if (allowed & bit(method))
            end = stpcpy(stpcpy(end, end == out ? "" : ", "), method_names[method]);
}
