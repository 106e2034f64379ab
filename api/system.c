#include "generated/openapi_yaml.h"

#include "api/handlers.h"

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
