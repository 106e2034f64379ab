#include "service/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "codec/manifest_pb.h"
#include "codec/record.h"
#include "service/extents.h"
#include "service/file.h"
#include "service/writer.h"

/* What was read, to be compared with what is there afterwards. */
struct reading {
    int dir;
    enum file_links links;
    bool has_manifest;
    int manifest; /* kept open: while it is, no other file can get its inode's number */
    char manifest_sha256[DIGEST_HEX_SIZE];
};

static bool set_problem(struct snapshot *out, enum snapshot_status status, const char *problem,
                        struct error *err)
{
    if (out->status != SNAPSHOT_READY)
        return true; /* the first problem is the one to report */
    out->status = status;
    out->problem = strdup(problem);
    return out->problem || error_memory(err);
}

/* A file that is missing or cannot be used is a property of the snapshot; a failing disk is an
 * error of the request. */
static bool judge(struct snapshot *out, const struct error *why, struct error *err)
{
    switch (why->code) {
    case ERR_NOT_FOUND:
        return set_problem(out, SNAPSHOT_INCOMPLETE, why->message, err);
    case ERR_DAMAGED:
    case ERR_PERMISSION:
        return set_problem(out, SNAPSHOT_DAMAGED, why->message, err);
    default:
        *err = *why;
        return false;
    }
}

static bool read_manifest(struct reading *reading, struct snapshot *out, struct error *err)
{
    auto_text struct text bytes = {.max = MANIFEST_MAX + 65536};
    struct error why;

    reading->manifest = file_open_by(reading->dir, MANIFEST_FILE, reading->links, NULL, &why);
    reading->has_manifest = reading->manifest >= 0
        && file_read_rest(reading->manifest, MANIFEST_FILE, MANIFEST_MAX, &bytes, &why);
    if (!reading->has_manifest)
        return judge(out, &why, err);
    out->has_manifest = manifest_decode(bytes.data, bytes.len, &out->manifest, &why);
    if (!out->has_manifest && !judge(out, &why, err))
        return false;
    return digest_of(bytes.data, bytes.len, reading->manifest_sha256, err);
}

/* A record speaks for its snapshot only while the manifest is the one it was published with:
 * OpenVMM may have saved over it. An unreadable record is none. */
static bool read_record(const struct reading *reading, struct snapshot *out, struct error *err)
{
    auto_text struct text json = {.max = RECORD_MAX + 65536};
    struct error why;

    if (!reading->has_manifest)
        return true;
    auto_fd int fd = file_open_by(reading->dir, RECORD_FILE, reading->links, NULL, &why);
    if (fd < 0 || !file_read_rest(fd, RECORD_FILE, RECORD_MAX, &json, &why)
        || !record_from_json(json.data, json.len, &out->record, &why)) {
        record_clear(&out->record);
        if (why.code == ERR_IO || why.code == ERR_INTERNAL) {
            *err = why;
            return false;
        }
        return true;
    }
    out->has_record = strcmp(out->record.manifest_sha256, reading->manifest_sha256) == 0;
    if (!out->has_record)
        record_clear(&out->record);
    return true;
}

static int flags_for(enum file_links links)
{
    return links == LINKS_FOLLOWED ? 0 : AT_SYMLINK_NOFOLLOW;
}

static bool find_size(int dir, const char *name, enum file_links links, uint64_t *size,
                      struct error *why)
{
    struct stat stat;

    if (fstatat(dir, name, &stat, flags_for(links)) != 0)
        return errno == ENOENT ? error_set(why, ERR_NOT_FOUND, "%s is missing", name)
                               : error_errno(why, "cannot inspect %s", name);
    if (!S_ISREG(stat.st_mode))
        return error_set(why, ERR_DAMAGED, "%s is not a regular file", name);
    *size = (uint64_t)stat.st_size;
    return true;
}

static bool read_sizes(const struct reading *reading, struct snapshot *out, struct error *err)
{
    struct error why;

    out->has_state =
        find_size(reading->dir, STATE_FILE, reading->links, &out->state_size_bytes, &why);
    if (!out->has_state && !judge(out, &why, err))
        return false;
    /* OpenVMM opens memory.bin through a symbolic link, too. */
    out->has_memory =
        find_size(reading->dir, MEMORY_FILE, LINKS_FOLLOWED, &out->memory_size_bytes, &why);
    return out->has_memory || judge(out, &why, err);
}

static bool read_live(int dir, enum file_links links, enum load_live depth, struct live *out)
{
    struct stat stat;
    struct error why;
    auto_fd int fd = file_open_by(dir, MEMORY_FILE, links, &stat, &why);

    if (fd < 0 && fstatat(dir, MEMORY_FILE, &stat, flags_for(links)) != 0)
        return false;
    *out = (struct live){
        .allocated_bytes = (uint64_t)stat.st_blocks * 512, /* stat(2): always in units of 512 */
        .link_count = stat.st_nlink,
        .shared = stat.st_nlink > 1 || (fd >= 0 && extents_any_shared(fd)),
        .has_writer = depth == LIVE_WRITER,
        .writer = depth == LIVE_WRITER && fd >= 0 ? writer_check(fd) : WRITER_UNKNOWN,
    };
    return true;
}

bool load_live_only(const struct store *store, const char *id, enum load_live depth,
                    struct live *out, struct error *err)
{
    auto_fd int dir = store_open_snapshot(store, id, err);

    return dir >= 0
        && (read_live(dir, LINKS_REFUSED, depth, out)
            || error_set(err, ERR_NOT_FOUND, "snapshot %s has no " MEMORY_FILE, id));
}

static bool read_all(struct reading *reading, enum load_live live, struct snapshot *out,
                     struct error *err)
{
    if (!out->id || !out->path)
        return error_memory(err);
    if (!read_manifest(reading, out, err) || !read_record(reading, out, err)
        || !read_sizes(reading, out, err))
        return false;
    if (live != LIVE_NONE)
        out->has_live = read_live(reading->dir, reading->links, live, &out->live);
    return true;
}

/* Replacing and removing take the manifest away, or the whole directory: what was read is one
 * snapshot if the manifest read first is still there at the end, or, where none was found, if
 * this is still the directory of that id. */
static bool is_consistent(const struct reading *reading, const struct store *store, const char *id)
{
    struct stat read;
    struct stat now;

    if (!reading->has_manifest)
        return store_is_current(store, id, reading->dir);
    return fstat(reading->manifest, &read) == 0
        && fstatat(reading->dir, MANIFEST_FILE, &now, AT_SYMLINK_NOFOLLOW) == 0
        && now.st_ino == read.st_ino && now.st_dev == read.st_dev;
}

/* `seen` may be NULL. */
static bool load(const struct store *store, const char *id, enum load_live live,
                 struct snapshot *out, struct sighting *seen, struct error *err)
{
    for (;;) {
        auto_fd int dir = store_open_snapshot(store, id, err);
        struct reading reading = {.dir = dir, .manifest = -1};
        if (dir < 0)
            return false;
        if (seen)
            *seen = sighting_take(dir);
        out->id = strdup(id);
        out->path = store_path_of(store, id, NULL);
        bool done = read_all(&reading, live, out, err);
        bool consistent = is_consistent(&reading, store, id);
        close_p(&reading.manifest);
        if (done && consistent)
            return true;
        snapshot_clear(out);
        if (!done)
            return false;
        /* Another snapshot has taken its place: read that one. */
    }
}

bool load_snapshot(const struct store *store, const char *id, enum load_live live,
                   struct snapshot *out, struct error *err)
{
    return load(store, id, live, out, NULL, err);
}

bool load_sighted(const struct store *store, const char *id, struct snapshot *out,
                  struct sighting *seen, struct error *err)
{
    *seen = (struct sighting){0};
    return load(store, id, LIVE_NONE, out, seen, err);
}

bool load_directory(int dir, const char *path, struct snapshot *out, struct error *err)
{
    struct reading reading = {.dir = dir, .links = LINKS_FOLLOWED, .manifest = -1};

    out->id = strdup(basename(path)); /* NOLINT(concurrency-mt-unsafe): it is glibc's own */
    out->path = strdup(path);
    bool done = read_all(&reading, LIVE_COUNTS, out, err);
    close_p(&reading.manifest);
    if (!done)
        snapshot_clear(out);
    return done;
}

/* What a directory holds and we may not remove, by name. */
static bool list_foreign(int dir, const char *id, struct text *names, struct error *err)
{
    struct stat home;
    struct stat stat;
    auto_dir DIR *list = store_list(dir, err);

    if (!list)
        return false;
    if (fstat(dir, &home) != 0)
        return error_errno(err, "cannot inspect snapshot %s", id);
    for (const char *name; (name = store_next(list));) {
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT)
                continue;
            return error_errno(err, "cannot inspect %s in snapshot %s", name, id);
        }
        if (!store_owns_name(name) || S_ISDIR(stat.st_mode) || stat.st_dev != home.st_dev)
            text_appendf(names, "%s%s", names->len ? ", " : "", name);
    }
    return errno == 0 || error_errno(err, "cannot list snapshot %s", id);
}

bool load_check_own(int dir, const char *id, struct error *err)
{
    auto_text struct text names = {.max = 512};

    if (!list_foreign(dir, id, &names, err))
        return false;
    if (names.len == 0 && !names.failed)
        return true;
    return error_set(err, ERR_FOREIGN_FILES,
                     "the directory of snapshot %s also holds what is not vmsnapd's to remove: "
                     "%s%s",
                     id, text_str(&names), names.failed ? ", and more" : "");
}
