#include "api/account.h"

#include <stdio.h>

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

    log_event(LOG_INFO, "request", LOG_TEXT("method", method_name(request->method)),
              LOG_TEXT("path", tell_path(request->target, path)),
              LOG_TEXT("operation", route ? route->operation : NULL),
              LOG_NUMBER("status", account->status),
              LOG_NUMBER("duration_us", account->duration_ns / 1000),
              LOG_NUMBER("bytes_in", account->bytes_in),
              LOG_NUMBER("bytes_out", account->bytes_out),
              LOG_TEXT("who", request_told(request->identity.name)),
              LOG_TEXT("client", request->client.address), LOG_REQUEST(request),
              LOG_TEXT("aborted", account->aborted ? "true" : NULL));
}

void account_request(const struct request *request, const struct account *account)
{
    if (request->settings->access_log)
        log_request(request, account);
}
