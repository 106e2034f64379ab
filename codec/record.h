/* snapshot.json: what vmsnapd keeps of a snapshot beside OpenVMM's three files. */
#pragma once

#include "codec/fields.h"

#define RECORD_MAX ((size_t)2 << 20) /* bytes of a snapshot.json that is read */

/* Appends the document. ERR_INTERNAL without memory. */
bool record_to_json(const struct record *record, struct text *out, struct error *err);

/* Unknown members are passed over: a later version may have written them. ERR_DAMAGED if it is not
 * a record. The caller clears `out`. */
bool record_from_json(const char *json, size_t len, struct record *out, struct error *err);
