/* A directory under construction, invisible to readers; and every rename in the program.
 *
 * Fill stage_dir(), then stage_publish(), stage_replace() or stage_join() makes it a snapshot in
 * one step. A stage released unpublished is removed with all that is in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/own.h"
#include "service/store.h"

struct stage;

/* The caller owns the stage; the store must outlive it. NULL on failure (ERR_IO, ERR_NO_SPACE). */
struct stage *stage_begin(const struct store *store, struct error *err);
void stage_discard(struct stage *stage);
OWN(struct stage, stage_discard)
#define auto_stage AUTO(stage_discard)

/* Its descriptor, for as long as the stage lives. */
int stage_dir(const struct stage *stage);

/* Creates a file, gives it to the owner and group in `owner`, and flushes it. ERR_PERMISSION if it
 * cannot be given, ERR_IO, ERR_NO_SPACE. */
bool stage_write(const struct stage *stage, const char *name, const void *data, size_t len,
                 const struct stat *owner, struct error *err);

/* Gives an open file, or the directory itself, to the owner and group in `owner`; what is theirs
 * already stays untouched. ERR_PERMISSION says what would allow it. */
bool stage_give(int fd, const char *name, const struct stat *owner, struct error *err);

/* True means that a power cut can no longer undo it. ERR_EXISTS if the id is taken: a snapshot is
 * never replaced by this call. On failure nothing was published. */
bool stage_publish(struct stage *stage, const char *id, struct error *err);

/* As stage_publish, but exchanges the snapshot `id` for this one in one step; the old one goes
 * to the trash. ERR_NOT_FOUND if there is none. */
bool stage_replace(struct stage *stage, const char *id, struct error *err);

/* Moves state.bin, snapshot.json and, last, manifest.bin into the directory of `id`, whose
 * memory.bin stays where it is. Until the last step that snapshot has no manifest. With
 * `replace` an older manifest is taken out first; without, it is ERR_EXISTS. On failure the old
 * files are back. */
bool stage_join(struct stage *stage, const char *id, bool replace, struct error *err);

/* Moves one file of the stage into the directory of `id`, in one step over the one of that name, if
 * there is one. ERR_NOT_FOUND, ERR_FOREIGN_FILES if that is a directory, ERR_PERMISSION, ERR_IO:
 * what was there is back then. */
bool stage_put(struct stage *stage, const char *id, const char *name, struct error *err);

/* Moves a snapshot to the trash; true means that a power cut cannot bring it back.
 * ERR_NOT_FOUND. */
bool stage_retire(const struct store *store, const char *id, struct error *err);

/* Removes what is in the trash: only files of our own names, and directories left empty. Returns
 * how many directories had to stay. */
size_t stage_empty_trash(const struct store *store);

/* Removes what a killed predecessor left in staging and trash; as above. To be called before the
 * first stage is begun. */
size_t stage_recover(const struct store *store);

struct stage_abilities {
    bool link, reflink, lease;
};

/* Tries on the store's own filesystem what publishing needs. ERR_INVALID, saying what is
 * missing, if the renames are; the rest is reported. ERR_NO_SPACE if there is no room to try,
 * ERR_IO. */
bool stage_probe(const struct store *store, struct stage_abilities *out, struct error *err);

/* Moves a file of the service's own out of the way, over whatever was there; nothing there to move
 * is fine. Both are absolute paths. ERR_IO. */
bool stage_set_aside(const char *path, const char *aside, struct error *err);
