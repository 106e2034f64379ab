#include "service/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a lookup is repeated that a rename elsewhere made ambiguous (openat2(2), EAGAIN). */
#define LOOKUPS_MAX 64

struct root {
    char *path;
    int fd;
};

struct roots {
    struct root *items;
    size_t count;
};

static bool open_root(struct root *root, const char *path, struct error *err)
{
    if (path[0] != '/')
        return error_set(err, ERR_INVALID, "--memory-root %s: the path must be absolute", path);
    root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0)
        return error_set(err, ERR_INVALID,
                         "--memory-root %s: %s; make the directory, or name another", path,
                         strerrordesc_np(errno));
    root->path = strdup(path);
    return root->path || error_memory(err);
}

struct roots *roots_open(char *const *paths, size_t count, struct error *err)
{
    auto_roots struct roots *roots = calloc(1, sizeof *roots);

    if (!roots || !(roots->items = calloc(count ? count : 1, sizeof *roots->items))) {
        error_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        roots->items[i].fd = -1;
        roots->count++;
        if (!open_root(&roots->items[i], paths[i], err))
            return NULL;
    }
    return TAKE(roots);
}

void roots_close(struct roots *roots)
{
    if (!roots)
        return;
    for (size_t i = 0; i < roots->count; i++) {
        close_p(&roots->items[i].fd);
        free(roots->items[i].path);
    }
    free(roots->items);
    free(roots);
}

/* What remains of `path` below `prefix`, both taken by whole components; NULL if it lies
 * elsewhere. */
static const char *path_beneath(const char *prefix, const char *path)
{
    for (;;) {
        prefix += strspn(prefix, "/");
        path += strspn(path, "/");
        if (!*prefix)
            return path;
        size_t len = strcspn(prefix, "/");
        if (strcspn(path, "/") != len || memcmp(prefix, path, len) != 0)
            return NULL;
        prefix += len;
        path += len;
    }
}

/* O_PATH: a device or a FIFO is not touched before it is known to be neither. */
static int resolve(int dir, const char *name)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };

    for (int i = 0; i < LOOKUPS_MAX; i++) {
        int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            return fd;
    }
    return -1;
}

bool source_refused(const struct source *source, const char *action, struct error *err)
{
    error_set(err, ERR_PERMISSION,
              "%s: uid %u may not %s this %s; run vmsnapd as the user that OpenVMM runs as (the "
              "file's owner), or grant it CAP_DAC_OVERRIDE and CAP_FOWNER",
              source->path, (unsigned)geteuid(), action,
              S_ISDIR(source->stat.st_mode) ? "directory" : "file");
    return error_blame(err, source->field);
}

static bool fail_to_resolve(const struct source *source, struct error *err)
{
    switch (errno) {
    case EXDEV:
    case ELOOP:
        error_set(err, ERR_FORBIDDEN, "%s leads out of %s", source->path, source->bounds);
        return error_blame(err, source->field);
    case EACCES:
    case EPERM:
        return source_refused(source, "reach", err);
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return error_field(err, source->field, "%s: there is no such file", source->path);
    default:
        error_errno(err, "cannot open %s", source->path);
        return error_blame(err, source->field);
    }
}

/* Opens for reading the very file that was inspected: by its descriptor, not by its name. */
static bool reopen(struct source *source, int path_fd, struct error *err)
{
    char name[32];

    snprintf(name, sizeof name, "/proc/self/fd/%d", path_fd);
    source->fd = (int)TEMP_FAILURE_RETRY(open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (source->fd >= 0)
        return true;
    if (errno == EACCES || errno == EPERM)
        return source_refused(source, "read", err);
    error_errno(err, "cannot open %s", source->path);
    return error_blame(err, source->field);
}

static bool open_beneath(struct source *source, int dir, const char *name, mode_t type,
                         struct error *err)
{
    auto_fd int path_fd = resolve(dir, *name ? name : ".");

    if (path_fd < 0)
        return fail_to_resolve(source, err);
    if (fstat(path_fd, &source->stat) != 0) {
        error_errno(err, "cannot inspect %s", source->path);
        return error_blame(err, source->field);
    }
    if ((source->stat.st_mode & S_IFMT) != type)
        return error_field(err, source->field, "%s is not a %s", source->path,
                           type == S_IFDIR ? "directory" : "regular file");
    if (type == S_IFREG)
        return reopen(source, path_fd, err);
    source->fd = TAKE_FD(path_fd);
    return true;
}

static struct source *new_source(const char *path, const char *bounds, const char *field,
                                 struct error *err)
{
    auto_source struct source *source = malloc(sizeof *source);

    if (source)
        *source = (struct source){.path = strdup(path), .bounds = bounds, .field = field, .fd = -1};
    if (source && source->path)
        return TAKE(source);
    error_memory(err);
    return NULL;
}

struct source *source_open_beneath(int dir, const char *bounds, const char *name,
                                   const char *path, const char *field, struct error *err)
{
    auto_source struct source *source = new_source(path, bounds, field, err);

    return source && open_beneath(source, dir, name, S_IFREG, err) ? TAKE(source) : NULL;
}

/* The root that is nearest to the path, and what remains of that below it. */
static int find_root(const struct roots *roots, const char *path, const char **rest)
{
    int dir = -1;

    *rest = NULL;
    for (size_t i = 0; i < roots->count; i++) {
        const char *found = path_beneath(roots->items[i].path, path);
        if (found && (!*rest || found > *rest)) {
            *rest = found;
            dir = roots->items[i].fd;
        }
    }
    return dir;
}

static struct source *open_in_roots(const struct roots *roots, const char *path, mode_t type,
                                    const char *field, struct error *err)
{
    auto_source struct source *source = new_source(path, "the memory roots", field, err);
    const char *rest;
    int dir = find_root(roots, path, &rest);

    if (source && dir >= 0)
        return open_beneath(source, dir, rest, type, err) ? TAKE(source) : NULL;
    if (source) {
        error_set(err, ERR_FORBIDDEN, "%s is not beneath a memory root of this server", path);
        error_blame(err, field);
    }
    return NULL;
}

struct source *source_open(const struct roots *roots, const char *path, const char *field,
                           struct error *err)
{
    return open_in_roots(roots, path, S_IFREG, field, err);
}

struct source *source_open_dir(const struct roots *roots, const char *path, const char *field,
                               struct error *err)
{
    return open_in_roots(roots, path, S_IFDIR, field, err);
}

void source_close(struct source *source)
{
    if (!source)
        return;
    close_p(&source->fd);
    free(source->path);
    free(source);
}

bool source_is_at(const struct source *source, const char *path)
{
    char name[32];
    char found[PATH_MAX];

    snprintf(name, sizeof name, "/proc/self/fd/%d", source->fd);
    ssize_t len = readlink(name, found, sizeof found);
    return len > 0 && (size_t)len < sizeof found && strlen(path) == (size_t)len
        && memcmp(found, path, (size_t)len) == 0;
}
