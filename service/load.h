/* Reads a snapshot from its directory: what is there, and what state it is in. */
#pragma once

#include "codec/model.h"
#include "service/sighting.h"
#include "service/store.h"

/* How much to say of what moves by itself. */
enum load_live { LIVE_NONE,
                 LIVE_COUNTS,
                 LIVE_WRITER };

/* A snapshot that is replaced or removed meanwhile is read as it was before or after, never mixed.
 * The caller clears `out`. ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO. */
bool load_snapshot(const struct store *store, const char *id, enum load_live live,
                   struct snapshot *out, struct error *err);

/* The same without what is live, and how its directory looked before it was read; on failure, too,
 * if it could be opened. */
bool load_sighted(const struct store *store, const char *id, struct snapshot *out,
                  struct sighting *seen, struct error *err);

/* An open directory that need not be in a store, read once, with LIVE_COUNTS, and its files as
 * OpenVMM opens them: through symbolic links. It goes by the last name in `path`. As load_snapshot,
 * but what is replaced meanwhile may come out mixed: the caller looks whether it is still there. */
bool load_directory(int dir, const char *path, struct snapshot *out, struct error *err);

/* What moves by itself, of the snapshot that is there now; as load_snapshot, and ERR_NOT_FOUND also
 * if it has no memory. */
bool load_live_only(const struct store *store, const char *id, enum load_live depth,
                    struct live *out, struct error *err);

/* ERR_FOREIGN_FILES, naming them, if the directory holds anything that is not ours to remove. */
bool load_check_own(int dir, const char *id, struct error *err);
