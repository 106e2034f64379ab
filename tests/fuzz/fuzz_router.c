/* A request target: routed, and its query parsed and read. */
#include <string.h>

#include "api/query.h"
#include "api/router.h"
#include "api/target.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

static const struct route routes[] = {
    {GET,    "/",                              NULL, NULL, "a"},
    {GET,    "/snapshots",                     NULL, NULL, "b"},
    {POST,   "/snapshots",                     NULL, NULL, "c"},
    {GET,    "/snapshots/{id}",                NULL, NULL, "d"},
    {DELETE, "/snapshots/{id}",                NULL, NULL, "e"},
    {GET,    "/snapshots/{id}/manifest",       NULL, NULL, "f"},
    {GET,    "/snapshots/{id}/chunks/{chunk}", NULL, NULL, "g"},
};

static void check_text(const char *text)
{
    MUST(utf8_is_valid(text, strlen(text)));
}

static void check_match(const struct route_match *match)
{
    MUST(match->param_count <= ROUTE_PARAMS_MAX);
    for (size_t i = 0; i < match->param_count; i++) {
        MUST(match->params[i][0] != '\0' && strlen(match->params[i]) <= ID_MAX);
        MUST(!strchr(match->params[i], '/'));
        check_text(match->params[i]);
    }
    if (!match->route) {
        char allow[ALLOW_SIZE];
        router_allow(match->allowed, allow);
        MUST(strstr(allow, "OPTIONS"));
    }
}

static void check_query(const char *string)
{
    static const char names[] = "limit after include force";
    struct query query;
    struct faults faults = {0};
    struct error err = {0};

    if (!query_parse(string, names, &query, &faults, &err)) {
        MUST(err.code == ERR_BAD_REQUEST);
        return;
    }
    if (query_text(&query, "after"))
        check_text(query_text(&query, "after"));
    query_flag(&query, "force", &faults);
    uint64_t limit = query_number(&query, "limit", 1, 1000, 100, &faults);
    MUST(limit >= 1 && limit <= 1000);
    faults_none(&faults, &err);
}

/* The first byte chooses the method. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route_match match;
    struct error err = {0};

    if (size == 0)
        return 0;
    char *target = strndup((const char *)data + 1, size - 1);
    MUST(target);
    enum method method = (enum method)(data[0] % (METHOD_OTHER + 1));
    struct target parts;
    if (!target_split(target, &parts, &err)) {
        MUST(err.code == ERR_BAD_REQUEST);
    } else if (router_match(routes, sizeof routes / sizeof *routes, method,
                            target_strip(parts.path, "/vms"), &match, &err)) {
        check_match(&match);
        check_query(match.query);
    } else if (err.code == ERR_METHOD_NOT_ALLOWED) {
        check_match(&match);
    }
    check_query(target);
    free(target);
    return 0;
}
