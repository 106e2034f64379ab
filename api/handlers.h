/* Handlers, by resource: decode, one call of the service, encode. */
#pragma once

#include "api/http.h"

/* snapshots.c */
route_handler snapshot_list_handler, snapshot_get_handler, snapshot_delete_handler;
route_handler snapshot_create_first, snapshot_create_handler;
route_handler snapshot_replace_first, snapshot_replace_handler;
route_handler snapshot_patch_first, snapshot_patch_handler;
route_handler snapshot_validate_first, snapshot_validate_handler;

/* manifests.c */
route_handler manifest_get_first, manifest_get_handler;

/* states.c */
route_handler state_get_handler, state_units_handler;

/* events.c */
route_handler event_follow_first;

/* retention.c */
route_handler retention_plan_first, retention_plan_handler;
route_handler retention_apply_first, retention_apply_handler;

/* system.c */
route_handler health_first, ready_first, metrics_first, contract_first;
