/* What can be done with snapshots. Each call may wait for a disk; all are safe from any thread. */
#pragma once

#include "service/draft.h"
#include "service/load.h"
#include "service/service.h"

/* What must hold for a snapshot to be changed, replaced or removed; a zeroed guard asks nothing. */
struct guard {
    /* NULL, or asked while nobody else can write the snapshot, which is NULL if there is none;
     * false, with an error, stops the request. */
    bool (*allow)(void *context, const struct snapshot *current, struct error *err);
    void *context;
    bool force;               /* even if a process is writing memory that has no other name */
    enum catalog_cause cause; /* of a removal: CAUSE_REQUEST, unless it is said */
};

enum outcome {
    OUTCOME_CREATED,
    OUTCOME_REPLACED,
    OUTCOME_REPEATED,
};

/* A snapshot as published, and how it came to be. */
struct made {
    struct snapshot snapshot;
    enum outcome outcome;
};

static inline void made_clear_p(struct made *made)
{
    snapshot_clear(&made->snapshot);
}
#define auto_made AUTO(made_clear)

/* Creates the snapshot that `creation` describes, or takes in the one whose directory it names.
 * `uploaded` is NULL, or a draft, still the caller's, that holds the state that came with the
 * request. OUTCOME_REPEATED says that this very request was carried out before, and nothing was
 * done. The caller clears `out`. On failure nothing is left behind. Errors, with the member at
 * fault in `field`:
 * - ERR_EXISTS if the id is taken by another request's snapshot, ERR_BUSY if it is being written;
 * - ERR_INVALID, ERR_FORBIDDEN, ERR_PERMISSION as source_open() and capture_memory(); ERR_INVALID
 *   also if memory_size_bytes is not the file's length, or as saved_open();
 * - ERR_IN_USE if `allow_writer` is false and a process can write the file;
 * - ERR_TOO_LARGE for too much state, ERR_NO_SPACE, ERR_IO. */
bool snapshot_create(struct service *service, const struct creation *creation,
                     struct draft *uploaded, struct made *out, struct error *err);

/* As snapshot_create, but always captures anew, and takes the place of the snapshot of that id,
 * which must be set, if there is one. Also ERR_HELD, ERR_FOREIGN_FILES; what the guard gives; and
 * ERR_IN_USE if the old memory.bin is the last name of a file that a process can write. */
bool snapshot_replace(struct service *service, const struct creation *creation,
                      struct draft *uploaded, const struct guard *guard, struct made *out,
                      struct error *err);

/* ERR_NOT_FOUND, ERR_BUSY, ERR_HELD, ERR_FOREIGN_FILES, what the guard gives, ERR_IN_USE (as
 * above), ERR_IO. */
bool snapshot_delete(struct service *service, const char *id, const struct guard *guard,
                     struct error *err);

/* Changes what is recorded of a snapshot: true means that a power cut cannot undo it, and `out`,
 * which the caller clears, is what there is now. One that OpenVMM wrote by itself gets a record,
 * which names no request; so does one whose manifest can be read and does not decode. What changes
 * nothing writes nothing. ERR_NOT_FOUND; ERR_BUSY if it is being written, or has no manifest.bin;
 * what the guard gives; ERR_INVALID for too many labels; ERR_DAMAGED or ERR_PERMISSION if the
 * manifest cannot be read; ERR_FOREIGN_FILES if snapshot.json is a directory; ERR_NO_SPACE,
 * ERR_IO. */
bool snapshot_patch(struct service *service, const char *id, const struct patch *patch,
                    const struct guard *guard, struct snapshot *out, struct error *err);

/* As load_snapshot(). Where the catalogue says something else, it is put right. */
bool snapshot_get(struct service *service, const char *id, enum load_live live,
                  struct snapshot *out, struct error *err);

/* As catalog_query(); with `live` also what moves by itself, but no look for writers. */
bool snapshot_list(struct service *service, const struct snapshot_query *query, bool live,
                   struct snapshot_page *out, struct error *err);

/* state.bin, open for reading: -1 with ERR_NOT_FOUND, ERR_DAMAGED, ERR_PERMISSION or ERR_IO. */
int snapshot_open_state(struct service *service, const char *id, struct stat *stat,
                        struct error *err);

/* As snapshot_open_state, and ERR_DAMAGED with OpenVMM's text if it does not decode. */
bool snapshot_units(struct service *service, const char *id, struct state_units *out,
                    struct error *err);

/* The verdict on a snapshot whose manifest decodes. As cache_load(). */
bool snapshot_validate(struct service *service, const char *id,
                       const struct expectation *expectation, struct verdict *out,
                       struct error *err);

/* The same from memory and one more fstatat(), for an expectation without state_units; false,
 * without an error, if the manifest is not in memory. */
bool snapshot_validate_cached(struct service *service, const char *id,
                              const struct expectation *expectation, struct verdict *out);
