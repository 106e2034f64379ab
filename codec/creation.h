/* The request that creates or replaces a snapshot. */
#pragma once

#include "codec/fields.h"

#define PAGE_SIZE_MIN     4096
#define PAGE_SIZE_MAX     65536
#define LABELS_MAX        64
#define LABEL_VALUE_MAX   256                /* bytes */
#define VMM_ARGS_MAX      ((size_t)64 << 10) /* bytes, all together */
#define CREATION_BODY_MAX ((size_t)1 << 20)

/* ERR_MALFORMED_JSON (also duplicate members and invalid UTF-8); ERR_INVALID with every bad,
 * missing or unknown member in `faults`. Says nothing of files. The caller clears `out`. */
bool creation_from_json(const char *json, size_t len, struct creation *out, struct faults *faults,
                        struct error *err);

/* Appends one canonical text for all requests that mean the same: members sorted, those at their
 * default left out (`capture` too, where it is `fallback`), integers and times by value, paths by
 * their text, uploaded state by its digest; the id is not part of it. `state_sha256` is NULL where
 * no state was sent in the request. ERR_INTERNAL without memory. */
bool creation_canonical(const struct creation *creation, const char *state_sha256,
                        enum capture fallback, struct text *out, struct error *err);
