#include "api/account.h"

#include <stdio.h>

#include "api/routes.h"
#include "base/log.h"

/* Bytes of a path that are told: longer than any that leads somewhere. */
#define PATH_TOLD_MAX 512

/* The path of the target, as it was sent. What may hold a secret is left out: the query, and what
 * an absolute form has before its path; so is a target that is no such form. */
static const char *tell_path(const char *target, char out[PATH_TOLD_MAX + 1])
{
    const char *colon = strstr(target, "://");
    const char *path = target;

    if (*target != '/' && *target != '*')
        path = colon ? colon + 3 + strcspn(colon + 3, "/?#") : "";
    snprintf(out, PATH_TOLD_MAX + 1, "%.*s", (int)strcspn(path, "?#"), path);
    return *out ? out : NULL;
}

static void log_request(const struct request *request, const struct account *account)
{
    const struct route *route = request->match.route;
    char path[PATH_TOLD_MAX + 1];
    char who[TOKEN_NAME_SIZE];

    log_event(LOG_INFO, "request", LOG_TEXT("method", method_name(request->method)),
              LOG_TEXT("path", tell_path(request->target, path)),
              LOG_TEXT("operation", route ? route->operation : NULL),
              LOG_NUMBER("status", account->status),
              LOG_NUMBER("duration_us", account->duration_ns / 1000),
              LOG_NUMBER("bytes_in", account->bytes_in),
              LOG_NUMBER("bytes_out", account->bytes_out),
              LOG_TEXT("who", request_who(request, who)),
              LOG_TEXT("client", request->client.address), LOG_REQUEST(request),
              LOG_TEXT("aborted", account->aborted ? "true" : NULL));
}

/* The place of an operation among the values of its label; what no route has shares the last. */
static size_t place_of(const struct route *route)
{
    return route ? (size_t)(route - routes) : METRIC_OPERATIONS_MAX - 1;
}

void account_words(struct metrics_words *out)
{
    *out = (struct metrics_words){.version = VERSION};
    for (size_t i = 0; i < route_count; i++)
        out->operations[place_of(&routes[i])] = routes[i].operation;
    out->operations[place_of(NULL)] = "unmatched";
}

static void count_request(const struct request *request, const struct account *account)
{
    struct metrics *metrics = request->service->metrics;
    size_t operation = place_of(request->match.route);
    size_t status = metrics_status(account->status);

    metrics_add(metrics, METRIC_REQUESTS,
                metrics_series(&metric_table[METRIC_REQUESTS], operation, status), 1);
    metrics_observe(metrics, METRIC_REQUEST_DURATION, operation, account->duration_ns);
    if (account->bytes_in > 0)
        metrics_add(metrics, METRIC_REQUEST_BYTES, operation, account->bytes_in);
    if (account->bytes_out > 0)
        metrics_add(metrics, METRIC_RESPONSE_BYTES, operation, account->bytes_out);
    if (request->failure != ERR_NONE)
        metrics_add(metrics, METRIC_REQUEST_FAILURES, request->failure, 1);
    if (account->aborted)
        metrics_add(metrics, METRIC_REQUESTS_ABORTED, 0, 1);
}

void account_request(const struct request *request, const struct account *account)
{
    count_request(request, account);
    if (request->settings->access_log)
        log_request(request, account);
}
