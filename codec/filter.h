/* Which snapshots are meant, as JSON: {"label":["vm:web-42","tier"],"status":"ready",…}. */
#pragma once

#include "codec/fields.h"

#define FILTER_LABELS_MAX 16

/* As creation_from_json(). Says nothing of what there is. */
bool filter_from_json(const char *json, size_t len, struct snapshot_filter *out,
                      struct faults *faults, struct error *err);

/* Appends the object: the same text for the same filter. ERR_INTERNAL without memory. */
bool filter_to_json(const struct snapshot_filter *filter, struct text *out, struct error *err);
