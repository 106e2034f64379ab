#include "service/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "codec/manifest_pb.h"
#include "codec/state.h"
#include "service/expect.h"
#include "service/file.h"

#define FIELD "/snapshot_dir_path"

void saved_clear(struct saved *saved)
{
    source_close(saved->dir);
    source_close(saved->manifest_file);
    source_close(saved->memory);
    source_close(saved->state);
    text_clear(&saved->bytes);
    manifest_clear(&saved->manifest);
    *saved = (struct saved){0};
}

char *saved_path_of(const char *dir, const char *file)
{
    size_t len = strlen(dir);
    char *path;

    while (len > 0 && dir[len - 1] == '/')
        len--;
    return asprintf(&path, "%.*s/%s", (int)len, dir, file) < 0 ? NULL : path;
}

static struct source *open_file(const struct source *dir, const char *name, struct error *err)
{
    auto_free char *path = saved_path_of(dir->path, name);

    if (path)
        return source_open_beneath(dir->fd, "its directory", name, path, dir->field, err);
    error_memory(err);
    return NULL;
}

/* Whatever name it goes by: the directory that it lies in tells. */
static bool check_foreign(const struct source *dir, const struct store *store, struct error *err)
{
    struct stat parent;
    struct stat snapshots;

    if (fstatat(dir->fd, "..", &parent, 0) != 0 || fstat(store->snapshots, &snapshots) != 0) {
        if (errno == EACCES)
            return source_refused(dir, "look into", err);
        error_errno(err, "cannot inspect %s", dir->path);
        return error_blame(err, dir->field);
    }
    if (parent.st_ino != snapshots.st_ino || parent.st_dev != snapshots.st_dev)
        return true;
    return error_field(err, dir->field, "%s is a snapshot of this store already", dir->path);
}

/* What is wrong with a file is wrong with the request that named it. */
static bool blame_file(const struct source *file, const struct error *why, struct error *err)
{
    if (why->code == ERR_DAMAGED)
        return error_field(err, file->field, "%s: %s", file->path, why->message);
    *err = *why;
    return error_blame(err, file->field);
}

static bool read_manifest(struct saved *saved, struct error *err)
{
    const struct source *file = saved->manifest_file;
    struct error why;

    saved->bytes.max = MANIFEST_MAX + 65536;
    return (file_read_rest(file->fd, MANIFEST_FILE, MANIFEST_MAX, &saved->bytes, &why)
            && manifest_decode(saved->bytes.data, saved->bytes.len, &saved->manifest, &why))
        || blame_file(file, &why, err);
}

static bool check_state(const struct source *state, struct error *err)
{
    auto_state_units struct state_units units = {0};
    struct error why;
    int fd = state->fd;

    return state_decode(file_read_piece, &fd, (uint64_t)state->stat.st_size, &units, &why)
        || blame_file(state, &why, err);
}

/* What OpenVMM checks whatever VM it restores. */
static bool check_manifest(const struct saved *saved, struct error *err)
{
    const struct expectation nothing = {0};
    const struct expect_files files = {
        .memory_size_bytes = (uint64_t)saved->memory->stat.st_size};
    auto_verdict struct verdict verdict = {0};
    auto_text struct text misses = {0};

    if (!expect_check(&saved->manifest, &files, &nothing, &verdict, err))
        return false;
    for (size_t i = 0; i < verdict.mismatch_count; i++)
        text_appendf(&misses, "%s%s", i ? "; " : "", text_str(&verdict.mismatches[i].message));
    if (misses.failed)
        return error_memory(err);
    return misses.len == 0 || error_field(err, FIELD, "%s: %s", saved->dir->path, misses.data);
}

bool saved_open(const struct store *store, const struct roots *roots, const char *path,
                struct saved *out, struct error *err)
{
    return (out->dir = source_open_dir(roots, path, FIELD, err))
        && check_foreign(out->dir, store, err)
        && (out->manifest_file = open_file(out->dir, MANIFEST_FILE, err))
        && read_manifest(out, err)
        && (out->memory = open_file(out->dir, MEMORY_FILE, err))
        && (out->state = open_file(out->dir, STATE_FILE, err))
        && check_manifest(out, err) && check_state(out->state, err);
}

/* Of memory the time says nothing: whoever has it mapped may flush it at any moment. */
static bool check_file(const struct saved *saved, const struct source *file, const char *name,
                       bool by_time, struct error *err)
{
    const struct stat *opened = &file->stat;
    struct stat now = {0};

    if (fstatat(saved->dir->fd, name, &now, 0) != 0 && errno != ENOENT) {
        error_errno(err, "cannot inspect %s", file->path);
        return error_blame(err, file->field);
    }
    if (now.st_ino == opened->st_ino && now.st_dev == opened->st_dev
        && now.st_size == opened->st_size
        && (!by_time
            || (now.st_mtim.tv_sec == opened->st_mtim.tv_sec
                && now.st_mtim.tv_nsec == opened->st_mtim.tv_nsec)))
        return true;
    error_set(err, ERR_IN_USE, "%s changed while it was taken in: a process is saving there",
              file->path);
    return error_blame(err, file->field);
}

bool saved_check_unchanged(const struct saved *saved, const struct source *memory,
                           const struct source *state, struct error *err)
{
    return check_file(saved, saved->manifest_file, MANIFEST_FILE, true, err)
        && check_file(saved, state, STATE_FILE, true, err)
        && check_file(saved, memory, MEMORY_FILE, false, err);
}
