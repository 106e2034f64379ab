/* The documents that answer for snapshots. */
#pragma once

#include "codec/fields.h"

/* Appends the snapshot's document: members in the order of the contract, null for what cannot be
 * known; "live" and "warnings" are there if the struct has them. ERR_INTERNAL without memory. */
bool snapshot_to_json(const struct snapshot *snapshot, struct text *out, struct error *err);

/* Adds "live" to a document that has neither that nor "warnings". ERR_INTERNAL without memory. */
bool snapshot_add_live(struct text *document, const struct live *live, struct error *err);

/* Appends {"units":[{"name","type_url","size_bytes"}]}. ERR_INTERNAL without memory. */
bool state_units_to_json(const struct state_units *units, struct text *out, struct error *err);

/* Appends the list alone; the text remembers failure. */
void state_units_emit(const struct state_units *units, struct text *out);
