/* The document on a directory that need not be in a store. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

/* Appends the snapshot's document, with more members: its "record", or null; the "units" of its
 * state, or null; "restorable", and "reasons" why not. ERR_INTERNAL without memory. */
bool inspection_to_json(const struct inspection *inspection, struct text *out, struct error *err);
