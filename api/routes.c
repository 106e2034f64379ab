#include "api/routes.h"

#include "api/handlers.h"
#include "codec/creation.h"
#include "codec/expectation.h"
#include "codec/patch.h"
#include "codec/retention.h"

/* clang-format off */
/* method, pattern, handler, first step on the event loop, operationId, scope, lane, query,
 * largest body */
const struct route routes[] = {
    {GET,    "/snapshots",                  snapshot_list_handler,     NULL,                    "listSnapshots",    SCOPE_READ,   LANE_READ,    "limit cursor sort total include label+ architecture status held created_after created_before memory_min memory_max openvmm_version q", 0},
    {POST,   "/snapshots",                  snapshot_create_handler,   snapshot_create_first,   "createSnapshot",   SCOPE_WRITE,  LANE_PUBLISH, "",                     BODY_STREAM},
    {GET,    "/snapshots/{id}",             snapshot_get_handler,      NULL,                    "getSnapshot",      SCOPE_READ,   LANE_READ,    "include",              0},
    {PUT,    "/snapshots/{id}",             snapshot_replace_handler,  snapshot_replace_first,  "replaceSnapshot",  SCOPE_WRITE,  LANE_PUBLISH, "force",                BODY_STREAM},
    {PATCH,  "/snapshots/{id}",             snapshot_patch_handler,    snapshot_patch_first,    "patchSnapshot",    SCOPE_WRITE,  LANE_PUBLISH, "",                     PATCH_BODY_MAX},
    {DELETE, "/snapshots/{id}",             snapshot_delete_handler,   NULL,                    "deleteSnapshot",   SCOPE_WRITE,  LANE_PUBLISH, "force",                0},
    {GET,    "/snapshots/{id}/manifest",    manifest_get_handler,      manifest_get_first,      "getManifest",      SCOPE_READ,   LANE_READ,    "",                     0},
    {POST,   "/snapshots/{id}/validate",    snapshot_validate_handler, snapshot_validate_first, "validateSnapshot", SCOPE_READ,   LANE_READ,    "strict",               EXPECTATION_BODY_MAX},
    {GET,    "/snapshots/{id}/state",       state_get_handler,         NULL,                    "getState",         SCOPE_EXPORT, LANE_READ,    "",                     0},
    {GET,    "/snapshots/{id}/state/units", state_units_handler,       NULL,                    "listStateUnits",   SCOPE_READ,   LANE_READ,    "",                     0},
    {POST,   "/retention/plan",             retention_plan_handler,    retention_plan_first,    "planRetention",    SCOPE_READ,   LANE_READ,    "",                     RETENTION_POLICY_BODY_MAX},
    {POST,   "/retention/apply",            retention_apply_handler,   retention_apply_first,   "applyRetention",   SCOPE_WRITE,  LANE_PUBLISH, "",                     RETENTION_TOKEN_BODY_MAX},
    {GET,    "/events",                     NULL,                      event_follow_first,      "followEvents",     SCOPE_READ,   LANE_READ,    "",                     0},
    {GET,    "/healthz",                    NULL,                      health_first,            "getHealth",        SCOPE_NONE,   LANE_READ,    "",                     0},
    {GET,    "/readyz",                     NULL,                      ready_first,             "getReadiness",     SCOPE_NONE,   LANE_READ,    "",                     0},
    {GET,    "/metrics",                    NULL,                      metrics_first,           "getMetrics",       SCOPE_READ,   LANE_READ,    "",                     0},
    {GET,    "/openapi.yaml",               NULL,                      contract_first,          "getContract",      SCOPE_READ,   LANE_READ,    "",                     0},
};
/* clang-format on */

const size_t route_count = sizeof routes / sizeof routes[0];
_Static_assert(sizeof routes / sizeof routes[0] < METRIC_OPERATIONS_MAX,
               "an operation has no place in the metrics");
