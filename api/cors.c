#include "api/cors.h"

#include <string.h>

#include "base/number.h"

#define METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"
#define HEADERS                                                                       \
    "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Last-Event-ID, " \
    "Prefer, Range, Traceparent, X-Request-Id"
#define EXPOSED "Content-Range, ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"

/* How long a browser may remember, in seconds. */
#define MAX_AGE "600"

/* Browsers leave out the port that the scheme has anyway. */
static bool is_left_out(const char *origin, const char *port)
{
    return (strncmp(origin, "http:", 5) == 0 && strcmp(port, "80") == 0)
        || (strncmp(origin, "https:", 6) == 0 && strcmp(port, "443") == 0);
}

static bool has_port_as_sent(const char *origin, const char *host)
{
    const char *colon = strrchr(host, ':');
    uint64_t number;

    if (!colon || strchr(colon, ']')) /* of an IPv6 address */
        return true;
    return colon[1] != '0' && number_parse(colon + 1, strlen(colon + 1), &number)
        && number <= UINT16_MAX && !is_left_out(origin, colon + 1);
}

bool cors_is_origin(const char *text)
{
    const char *separator = strstr(text, "://");

    if (!separator || separator == text)
        return false;
    const char *host = separator + 3;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == (size_t)(separator - text)
        && !strpbrk(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && host_is_valid(span_of(host))
        && has_port_as_sent(text, host);
}

static const char *allowed_origin(const struct request *request)
{
    const struct http_settings *settings = request->settings;
    const char *origin = request->headers[HEADER_ORIGIN];

    for (size_t i = 0; origin && i < settings->origin_count; i++)
        if (strcmp(settings->origins[i], origin) == 0)
            return settings->origins[i];
    return NULL;
}

void cors_expose(const struct request *request, struct response *response)
{
    const char *origin = allowed_origin(request);

    if (request->settings->origin_count == 0)
        return;
    response_header(response, "Vary", "Origin");
    if (!origin)
        return;
    response_header(response, "Access-Control-Allow-Origin", origin);
    response_header(response, "Access-Control-Expose-Headers", EXPOSED);
}

bool cors_answer_preflight(const struct request *request, struct response *response)
{
    if (request->method != OPTIONS || !request->headers[HEADER_AC_REQUEST_METHOD]
        || !allowed_origin(request))
        return false;
    response->status = 204;
    response_header(response, "Access-Control-Allow-Methods", METHODS);
    response_header(response, "Access-Control-Allow-Headers", HEADERS);
    response_header(response, "Access-Control-Max-Age", MAX_AGE);
    return true;
}
