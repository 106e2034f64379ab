/* A directory that OpenVMM saved, beneath a memory root: its three files, opened through the one
 * directory and found fit to be restored. */
#pragma once

#include "codec/model.h"
#include "service/source.h"
#include "service/store.h"

struct saved {
    struct source *dir, *manifest_file, *memory, *state; /* owned */
    struct text bytes;                                   /* of manifest.bin, as they are */
    struct manifest manifest;
};

/* `path` is that of the member snapshot_dir_path, which is in every error. The caller clears `out`,
 * whatever comes of it. As source_open(), and ERR_INVALID, with OpenVMM's own text where it has
 * one, for a snapshot of the store's own; a manifest or a state that does not decode; a version
 * that is not restored; and memory that is not as long as the manifest says. */
bool saved_open(const struct store *store, const struct roots *roots, const char *path,
                struct saved *out, struct error *err);
void saved_clear(struct saved *saved);

/* ERR_IN_USE if one of the files is another by now than the one that was opened: OpenVMM has saved
 * there once more. `memory` and `state` are the caller's by now. */
bool saved_check_unchanged(const struct saved *saved, const struct source *memory,
                           const struct source *state, struct error *err);

/* The path of a file in a directory that was named by `dir`. The caller frees it; NULL without
 * memory. */
char *saved_path_of(const char *dir, const char *file);
