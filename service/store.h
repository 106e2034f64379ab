/* The directory layout, the lock, and descriptors beneath it.
 *
 *   <store>/snapshots/<id>/     what OpenVMM's --restore-snapshot reads, and snapshot.json
 *   <store>/.vmsnapd/lock       held by the one process that owns the store
 *   <store>/.vmsnapd/staging/   snapshots being made
 *   <store>/.vmsnapd/trash/     snapshots being removed
 *
 * The struct is constant once opened: safe from any thread. */
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/own.h"

#define MANIFEST_FILE "manifest.bin"
#define STATE_FILE    "state.bin"
#define MEMORY_FILE   "memory.bin"
#define RECORD_FILE   "snapshot.json"

struct store {
    char *path; /* absolute, without symbolic links */
    int lock, snapshots, staging, trash;
};

/* Opens the store at `path`, making it and its parents where they are missing, and takes its lock,
 * for which it waits up to `lock_wait_s` seconds. NULL with ERR_BUSY naming the process that holds
 * it, ERR_INVALID on a filesystem that cannot hold a store, ERR_PERMISSION or ERR_IO. */
struct store *store_open(const char *path, unsigned lock_wait_s, struct error *err);
void store_close(struct store *store);
OWN(struct store, store_close)
#define auto_store AUTO(store_close)

/* The directory of a snapshot; -1 with ERR_NOT_FOUND, ERR_PERMISSION or ERR_IO. */
int store_open_snapshot(const struct store *store, const char *id, struct error *err);

/* Whether `dir` is still the directory of the snapshot `id`. */
bool store_is_current(const struct store *store, const char *id, int dir);

/* As fstatat() of a file in a snapshot's directory, found by its path; `id` is valid. On every
 * request for a manifest in memory. */
int store_stat(const struct store *store, const char *id, const char *file, int flags,
               struct stat *out);

/* The absolute path of a snapshot's directory, or of `file` in it unless that is NULL. The caller
 * frees it; NULL without memory. */
char *store_path_of(const struct store *store, const char *id, const char *file);

/* Reads what stands at `dir` afresh, from its beginning; the caller closes it. NULL with ERR_IO. */
DIR *store_list(int dir, struct error *err);

/* The next name in it but "." and "..", good until the next call; NULL at its end, or where it
 * cannot be read: errno is 0 only at the end. */
const char *store_next(DIR *list);

/* The same with all that the directory says of it. */
const struct dirent *store_next_entry(DIR *list);

static inline void closedir_p(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}
#define auto_dir AUTO(closedir)

/* Whether vmsnapd may replace and remove a file of this name in a snapshot. */
bool store_owns_name(const char *name);
