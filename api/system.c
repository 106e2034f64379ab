#include "generated/openapi_yaml.h"

#include "api/account.h"
#include "api/handlers.h"
#include "api/negotiate.h"

bool health_first(struct request *request, struct response *response, struct error *err)
{
    (void)request;
    if (!text_appends(&response->text, "{\"status\":\"ok\",\"version\":\"" VERSION "\"}"))
        return error_memory(err);
    response_header(response, "Cache-Control", "no-store");
    return response_json(response, 200);
}

bool ready_first(struct request *request, struct response *response, struct error *err)
{
    if (request->is_draining)
        return error_set(err, ERR_DRAINING, "the service is about to end");
    if (!text_appends(&response->text, "{\"status\":\"ready\"}"))
        return error_memory(err);
    response_header(response, "Cache-Control", "no-store");
    return response_json(response, 200);
}

/* From memory: it must be had while the disk hangs, too. What has to be read from disk is as it was
 * when a lane last did so. */
bool metrics_first(struct request *request, struct response *response, struct error *err)
{
    static const struct offer offers[] = {
        [METRICS_PROMETHEUS] = {TYPE_METRICS,     NULL, "0.0.4"},
        [METRICS_OPENMETRICS] = {TYPE_OPENMETRICS, NULL, "1.0.0"},
    };
    int chosen = negotiate_accept(request->headers[HEADER_ACCEPT], offers, 2);
    enum metrics_format format = (enum metrics_format)chosen;
    struct metrics_words words;

    if (chosen < 0)
        return error_set(err, ERR_NOT_ACCEPTABLE,
                         "metrics are to be had as " TYPE_METRICS " or " TYPE_OPENMETRICS);
    account_words(&words);
    service_measure(request->service);
    if (!metrics_text(request->service->metrics, format, &words, &response->text, err))
        return false;
    survey_request(request->service); /* for the next one */
    response_headerf(response, "Content-Type", "%s; version=%s; charset=utf-8",
                     offers[format].type, offers[format].version);
    response_header(response, "Vary", "Accept");
    response_header(response, "Cache-Control", "no-store");
    return response_text(response, 200);
}

bool contract_first(struct request *request, struct response *response, struct error *err)
{
    (void)request;
    (void)err;
    response->status = 200;
    response->data = openapi_yaml;
    response->data_len = openapi_yaml_size;
    response_header(response, "Content-Type", "application/yaml"); /* RFC 9512 */
    return true;
}
