#include "service/stage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/id.h"
#include "service/file.h"

struct stage {
    const struct store *store;
    int dir;
    bool published;
    char name[ID_NEW_SIZE];
};

/* Removes the directory `name` with the files in it that are ours. False if anything stays. */
static bool remove_tree(int parent, const char *name)
{
    static const char *const names[] = {MANIFEST_FILE, RECORD_FILE, STATE_FILE, MEMORY_FILE};
    auto_fd int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    for (size_t i = 0; dir >= 0 && i < sizeof names / sizeof names[0]; i++)
        unlinkat(dir, names[i], 0);
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

static size_t empty(int dir)
{
    struct error err;
    size_t left = 0;
    auto_dir DIR *list = store_list(dir, &err);

    for (const char *name; list && (name = store_next(list));)
        left += !remove_tree(dir, name);
    return left;
}

size_t stage_empty_trash(const struct store *store)
{
    return empty(store->trash);
}

size_t stage_recover(const struct store *store)
{
    return empty(store->staging) + empty(store->trash);
}

struct stage *stage_begin(const struct store *store, struct error *err)
{
    auto_stage struct stage *stage = calloc(1, sizeof *stage);

    if (!stage) {
        error_memory(err);
        return NULL;
    }
    *stage = (struct stage){.store = store, .dir = -1, .published = true};
    id_new(stage->name);
    if (mkdirat(store->staging, stage->name, DIR_MODE) != 0) {
        error_errno(err, "cannot create a directory in %s/.vmsnapd/staging", store->path);
        return NULL;
    }
    stage->published = false; /* from here on there is something to remove */
    stage->dir = (int)TEMP_FAILURE_RETRY(
        openat(store->staging, stage->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (stage->dir < 0) {
        error_errno(err, "cannot open a directory in %s/.vmsnapd/staging", store->path);
        return NULL;
    }
    return TAKE(stage);
}

void stage_discard(struct stage *stage)
{
    int saved = errno;

    if (!stage)
        return;
    close_p(&stage->dir);
    if (!stage->published)
        remove_tree(stage->store->staging, stage->name);
    free(stage);
    errno = saved;
}

int stage_dir(const struct stage *stage)
{
    return stage->dir;
}

bool stage_give(int fd, const char *name, const struct stat *owner, struct error *err)
{
    struct stat now;

    if (fstat(fd, &now) != 0)
        return error_errno(err, "cannot inspect %s", name);
    if (now.st_uid == owner->st_uid && now.st_gid == owner->st_gid)
        return true;
    if (fchown(fd, owner->st_uid, owner->st_gid) == 0)
        return true;
    if (errno != EPERM && errno != EACCES)
        return error_errno(err, "cannot change the owner of %s", name);
    return error_set(err, ERR_PERMISSION,
                     "uid %u cannot give %s to the memory file's owner (uid %u, gid %u): run "
                     "vmsnapd as that user, or grant it CAP_CHOWN",
                     (unsigned)geteuid(), name, (unsigned)owner->st_uid, (unsigned)owner->st_gid);
}

bool stage_write(const struct stage *stage, const char *name, const void *data, size_t len,
                 const struct stat *owner, struct error *err)
{
    auto_fd int fd = file_create(stage->dir, name, err);

    return fd >= 0 && file_write_all(fd, data, len, name, err) && stage_give(fd, name, owner, err)
        && file_flush(fd, name, err);
}

static bool refuse_rename(const char *id, struct error *err)
{
    return error_set(err, ERR_PERMISSION,
                     "uid %u may not change the directory of snapshot %s: run vmsnapd as its "
                     "owner, or grant it CAP_DAC_OVERRIDE and CAP_FOWNER",
                     (unsigned)geteuid(), id);
}

static bool rename_failed(const char *id, struct error *err)
{
    switch (errno) {
    case EEXIST:
    case ENOTEMPTY:
        return error_set(err, ERR_EXISTS, "there is a snapshot %s already", id);
    case ENOENT:
        return error_set(err, ERR_NOT_FOUND, "there is no snapshot %s", id);
    case EACCES:
    case EPERM:
        return refuse_rename(id, err);
    default:
        return error_errno(err, "cannot move snapshot %s", id);
    }
}

/* One rename into, out of or within snapshots/, flushed; undone if it cannot be. */
static bool rename_durably(int from, const char *from_name, const struct store *store,
                           const char *id, unsigned flags, struct error *err)
{
    if (renameat2(from, from_name, store->snapshots, id, flags) != 0)
        return rename_failed(id, err);
    if (file_flush(store->snapshots, "the directory of snapshots", err))
        return true;
    renameat2(store->snapshots, id, from, from_name, flags ? flags : RENAME_NOREPLACE);
    return false;
}

bool stage_publish(struct stage *stage, const char *id, struct error *err)
{
    const struct store *store = stage->store;

    assert(!stage->published);
    stage->published = file_flush(stage->dir, "the new snapshot's directory", err)
        && rename_durably(store->staging, stage->name, store, id, RENAME_NOREPLACE, err);
    return stage->published;
}

bool stage_replace(struct stage *stage, const char *id, struct error *err)
{
    const struct store *store = stage->store;

    assert(!stage->published);
    if (!file_flush(stage->dir, "the new snapshot's directory", err)
        || !rename_durably(store->staging, stage->name, store, id, RENAME_EXCHANGE, err))
        return false;
    /* The stage's name now stands for the old snapshot. If it cannot be moved on, discarding the
     * stage removes it just as well. */
    stage->published =
        renameat2(store->staging, stage->name, store->trash, stage->name, RENAME_NOREPLACE) == 0;
    return true;
}

bool stage_retire(const struct store *store, const char *id, struct error *err)
{
    char name[ID_NEW_SIZE];

    id_new(name);
    if (renameat2(store->snapshots, id, store->staging, name, RENAME_NOREPLACE) != 0)
        return rename_failed(id, err);
    if (!file_flush(store->snapshots, "the directory of snapshots", err)) {
        renameat2(store->staging, name, store->snapshots, id, RENAME_NOREPLACE);
        return false;
    }
    /* Not before: the trash is emptied at any time. */
    if (renameat2(store->staging, name, store->trash, name, RENAME_NOREPLACE) != 0)
        remove_tree(store->staging, name);
    return true;
}

/* The files that join a directory, the manifest last: it is what makes a snapshot of them. */
static const char *const joining[] = {STATE_FILE, RECORD_FILE, MANIFEST_FILE};
#define JOINING_COUNT (sizeof joining / sizeof joining[0])

struct join {
    const char *id;
    int stage, aside, target;     /* directories: the new files, the old ones, the snapshot */
    bool replace;                 /* a manifest that is there may go */
    size_t moved_aside, moved_in; /* bits by position in `joining` */
};

static bool move(int from, int to, const char *name)
{
    return renameat2(from, name, to, name, RENAME_NOREPLACE) == 0;
}

static bool put_failed(const char *id, const char *name, struct error *err)
{
    switch (errno) {
    case EEXIST:
        return error_set(err, ERR_EXISTS, "another process is writing %s into snapshot %s", name,
                         id);
    case EACCES:
    case EPERM:
        return refuse_rename(id, err);
    default:
        return error_errno(err, "cannot put %s into snapshot %s", name, id);
    }
}

static bool move_aside(struct join *join, size_t i, struct error *err)
{
    if (move(join->target, join->aside, joining[i]))
        join->moved_aside |= (size_t)1 << i;
    else if (errno != ENOENT)
        return put_failed(join->id, joining[i], err);
    return true;
}

static bool move_in(struct join *join, size_t i, struct error *err)
{
    if (!move(join->stage, join->target, joining[i]))
        return put_failed(join->id, joining[i], err);
    join->moved_in |= (size_t)1 << i;
    return true;
}

static bool flush_target(const struct join *join, struct error *err)
{
    return file_flush(join->target, "the snapshot's directory", err);
}

static bool exchange_files(struct join *join, struct error *err)
{
    const size_t manifest = JOINING_COUNT - 1;

    if (join->replace && (!move_aside(join, manifest, err) || !flush_target(join, err)))
        return false;
    for (size_t i = 0; i < manifest; i++)
        if (!move_aside(join, i, err) || !move_in(join, i, err))
            return false;
    return flush_target(join, err) && move_in(join, manifest, err) && flush_target(join, err);
}

/* The manifest is the first to go and the last to come back. */
static void undo_exchange(const struct join *join)
{
    for (size_t i = JOINING_COUNT; i-- > 0;)
        if (join->moved_in & (size_t)1 << i)
            move(join->target, join->stage, joining[i]);
    for (size_t i = 0; i < JOINING_COUNT; i++)
        if (join->moved_aside & (size_t)1 << i)
            move(join->aside, join->target, joining[i]);
}

bool stage_join(struct stage *stage, const char *id, bool replace, struct error *err)
{
    auto_fd int target = store_open_snapshot(stage->store, id, err);
    auto_stage struct stage *aside = target >= 0 ? stage_begin(stage->store, err) : NULL;

    if (!aside)
        return false;
    if (!replace && faccessat(target, MANIFEST_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, ERR_EXISTS, "there is a snapshot %s already", id);
    struct join join = {.id = id,
                        .stage = stage->dir,
                        .aside = aside->dir,
                        .target = target,
                        .replace = replace};
    if (exchange_files(&join, err))
        return true;
    undo_exchange(&join);
    return false;
}

/* Exchanged, so that it can be undone; an old file goes with the stage. */
bool stage_put(struct stage *stage, const char *id, const char *name, struct error *err)
{
    auto_fd int target = store_open_snapshot(stage->store, id, err);
    unsigned flags = RENAME_EXCHANGE;
    struct stat old;

    if (target < 0)
        return false;
    if (fstatat(target, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(old.st_mode))
        return error_set(err, ERR_FOREIGN_FILES, "%s in snapshot %s is a directory", name, id);
    if (renameat2(stage->dir, name, target, name, flags) != 0) {
        flags = RENAME_NOREPLACE;
        if (errno != ENOENT || renameat2(stage->dir, name, target, name, flags) != 0)
            return put_failed(id, name, err);
    }
    if (file_flush(target, "the snapshot's directory", err))
        return true;
    renameat2(target, name, stage->dir, name, flags);
    return false;
}

static bool probe_failed(const struct store *store, const char *what, struct error *err)
{
    int errnum = errno;

    if (errnum == ENOSPC || errnum == EDQUOT)
        return error_errno(err, "cannot try %s", what);
    return error_set(err, ERR_INVALID,
                     "the filesystem of %s cannot hold a store: %s does not work there (%s); give "
                     "--store a directory on ext4, XFS, Btrfs or tmpfs",
                     store->path, what, strerrordesc_np(errnum));
}

/* With two files present, so that each rename has something to spare or to swap. */
static bool probe_renames(const struct store *store, int dir, struct error *err)
{
    if (renameat2(dir, STATE_FILE, dir, MANIFEST_FILE, RENAME_NOREPLACE) == 0 || errno != EEXIST)
        return probe_failed(store, "renameat2(RENAME_NOREPLACE)", err);
    if (renameat2(dir, STATE_FILE, dir, MANIFEST_FILE, RENAME_EXCHANGE) != 0)
        return probe_failed(store, "renameat2(RENAME_EXCHANGE)", err);
    return true;
}

static bool probe_lease(int dir)
{
    auto_fd int fd = openat(dir, STATE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

bool stage_probe(const struct store *store, struct stage_abilities *out, struct error *err)
{
    auto_stage struct stage *stage = stage_begin(store, err);

    if (!stage)
        return false;
    auto_fd int manifest = file_create(stage->dir, MANIFEST_FILE, err);
    auto_fd int state = manifest < 0 ? -1 : file_create(stage->dir, STATE_FILE, err);
    if (state < 0 || !probe_renames(store, stage->dir, err))
        return false;
    close_p(&state);
    close_p(&manifest);
    state = manifest = -1; /* an open writer would refuse the lease */
    auto_fd int source = openat(stage->dir, STATE_FILE, O_RDONLY | O_CLOEXEC);
    auto_fd int clone = openat(stage->dir, RECORD_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
    *out = (struct stage_abilities){
        .link = linkat(stage->dir, MANIFEST_FILE, stage->dir, MEMORY_FILE, 0) == 0,
        .reflink = ioctl(clone, FICLONE, source) == 0,
        .lease = probe_lease(stage->dir),
    };
    return true;
}

bool stage_set_aside(const char *path, const char *aside, struct error *err)
{
    return renameat2(AT_FDCWD, path, AT_FDCWD, aside, 0) == 0 || errno == ENOENT
        || error_errno(err, "cannot move %s aside", path);
}
