#include "service/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "service/file.h"

#define LOCK_POLL_NS 20000000

/* Of the names of a snapshot's files, with their NUL. */
#define STORE_NAME_MAX 16

static bool set_directory_error(const char *path, struct error *err)
{
    if (errno == EACCES || errno == EPERM || errno == EROFS)
        return error_set(err, ERR_PERMISSION,
                         "cannot use %s as the store: %s; make it writable for uid %u, or give "
                         "--store another directory",
                         path, strerrordesc_np(errno), (unsigned)geteuid());
    return error_errno(err, "cannot use %s as the store", path);
}

/* A directory that a power cut takes away takes with it what was published in it. */
static bool flush_directory(const char *path, struct error *err)
{
    auto_fd int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    return fd >= 0 ? file_flush(fd, path, err) : set_directory_error(path, err);
}

static bool make_directory(const char *parent, const char *path, struct error *err)
{
    if (mkdir(path, DIR_MODE) == 0)
        return flush_directory(parent, err);
    return errno == EEXIST || set_directory_error(path, err);
}

static bool make_directories(const char *path, struct error *err)
{
    char parent[PATH_MAX] = "/";
    char prefix[PATH_MAX];

    if (strlen(path) >= sizeof prefix)
        return error_set(err, ERR_INVALID, "the store's path is longer than %d bytes", PATH_MAX);
    for (const char *end = path; *end; memcpy(parent, prefix, sizeof parent)) {
        end += 1 + strcspn(end + 1, "/");
        snprintf(prefix, sizeof prefix, "%.*s", (int)(end - path), path);
        if (!make_directory(parent, prefix, err))
            return false;
    }
    return true;
}

static int open_beneath(int dir, const char *name, struct error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

    if (mkdirat(dir, name, DIR_MODE) != 0 && errno != EEXIST) {
        set_directory_error(name, err);
        return -1;
    }
    int fd = (int)TEMP_FAILURE_RETRY(openat(dir, name, flags));
    if (fd < 0)
        set_directory_error(name, err);
    return fd;
}

/* Neither locks nor leases nor RENAME_EXCHANGE mean over a network what they mean on one host. */
static bool check_is_local(const char *path, struct error *err)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } networks[] = {
        {NFS_SUPER_MAGIC,  "NFS"   },
        {SMB_SUPER_MAGIC,  "SMB"   },
        {0xFE534D42,       "SMB"   },
        {0xFF534D42,       "CIFS"  },
        {0x00C36400,       "Ceph"  },
        {0x0BD00BD0,       "Lustre"},
        {0x01161970,       "GFS2"  },
        {0x7461636F,       "OCFS2" },
        {V9FS_MAGIC,       "9P"    },
        {AFS_SUPER_MAGIC,  "AFS"   },
        {CODA_SUPER_MAGIC, "Coda"  },
    };
    struct statfs fs;

    if (statfs(path, &fs) != 0)
        return error_errno(err, "cannot inspect the filesystem of %s", path);
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        if ((unsigned long)fs.f_type == networks[i].magic)
            return error_set(err, ERR_INVALID,
                             "%s is on a network filesystem (%s); a store needs a local one", path,
                             networks[i].name);
    return true;
}

static bool fail_to_lock(const struct store *store, struct error *err)
{
    char holder[256] = "";
    ssize_t len = pread(store->lock, holder, sizeof holder - 1, 0);

    holder[len > 0 ? len : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return error_set(err, ERR_BUSY,
                     "the store %s is in use by another process (%s); stop it, or raise "
                     "--lock-wait",
                     store->path, holder[0] ? holder : "unknown");
}

static bool wait_for_lock(const struct store *store, unsigned wait_s, struct error *err)
{
    uint64_t deadline = clock_monotonic_ns() + (uint64_t)wait_s * 1000000000;

    for (;;) {
        if (flock(store->lock, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(err, "cannot lock the store %s", store->path);
        if (clock_monotonic_ns() >= deadline)
            return fail_to_lock(store, err);
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_NS}, NULL);
    }
}

/* For the message of whoever comes second. A full disk has no room for it, and must not keep out
 * the service by which room is made. */
static bool sign_lock(const struct store *store, struct error *err)
{
    char host[65] = "";
    char since[RFC3339_SIZE];
    char line[256];

    gethostname(host, sizeof host - 1);
    clock_format_rfc3339(clock_now().tv_sec, 0, since);
    int len = snprintf(line, sizeof line, "pid %d on %s since %s\n", (int)getpid(), host, since);
    if (ftruncate(store->lock, 0) != 0)
        return error_errno(err, "cannot write the lock of %s", store->path);
    return file_write_all(store->lock, line, (size_t)len, "the store's lock", err)
        || err->code == ERR_NO_SPACE;
}

static bool take_lock(struct store *store, int own, unsigned wait_s, struct error *err)
{
    store->lock =
        (int)TEMP_FAILURE_RETRY(openat(own, "lock", O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE));
    if (store->lock < 0)
        return set_directory_error(store->path, err);
    return wait_for_lock(store, wait_s, err) && sign_lock(store, err);
}

static bool open_layout(struct store *store, unsigned lock_wait_s, struct error *err)
{
    auto_fd int root =
        (int)TEMP_FAILURE_RETRY(open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    if (root < 0)
        return set_directory_error(store->path, err);
    auto_fd int own = open_beneath(root, ".vmsnapd", err);
    return own >= 0 && take_lock(store, own, lock_wait_s, err)
        && (store->snapshots = open_beneath(root, "snapshots", err)) >= 0
        && (store->staging = open_beneath(own, "staging", err)) >= 0
        && (store->trash = open_beneath(own, "trash", err)) >= 0
        && file_flush(own, store->path, err) && file_flush(root, store->path, err);
}

struct store *store_open(const char *path, unsigned lock_wait_s, struct error *err)
{
    auto_store struct store *store = malloc(sizeof *store);

    if (!store) {
        error_memory(err);
        return NULL;
    }
    *store = (struct store){.lock = -1, .snapshots = -1, .staging = -1, .trash = -1};
    if (path[0] != '/') {
        error_set(err, ERR_INVALID, "the store's path must be absolute, not \"%s\"", path);
        return NULL;
    }
    if (!make_directories(path, err))
        return NULL;
    store->path = realpath(path, NULL);
    if (!store->path) {
        set_directory_error(path, err);
        return NULL;
    }
    return check_is_local(store->path, err) && open_layout(store, lock_wait_s, err) ? TAKE(store)
                                                                                    : NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    close_p(&store->trash);
    close_p(&store->staging);
    close_p(&store->snapshots);
    close_p(&store->lock);
    free(store->path);
    free(store);
}

int store_open_snapshot(const struct store *store, const char *id, struct error *err)
{
    int fd = (int)TEMP_FAILURE_RETRY(
        openat(store->snapshots, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));

    if (fd >= 0)
        return fd;
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
        error_set(err, ERR_NOT_FOUND, "there is no snapshot %s", id);
    else if (errno == EACCES || errno == EPERM)
        error_set(err, ERR_PERMISSION,
                  "uid %u may not read the directory of snapshot %s: run vmsnapd as its owner, or "
                  "grant it CAP_DAC_OVERRIDE",
                  (unsigned)geteuid(), id);
    else
        error_errno(err, "cannot open snapshot %s", id);
    return -1;
}

bool store_is_current(const struct store *store, const char *id, int dir)
{
    struct stat held;
    struct stat found;

    return fstat(dir, &held) == 0
        && fstatat(store->snapshots, id, &found, AT_SYMLINK_NOFOLLOW) == 0
        && held.st_ino == found.st_ino && held.st_dev == found.st_dev;
}

int store_stat(const struct store *store, const char *id, const char *file, int flags,
               struct stat *out)
{
    char name[ID_MAX + 1 + STORE_NAME_MAX];

    assert(strlen(id) <= ID_MAX && strlen(file) < STORE_NAME_MAX);
    stpcpy(stpcpy(stpcpy(name, id), "/"), file);
    return fstatat(store->snapshots, name, out, flags);
}

char *store_path_of(const struct store *store, const char *id, const char *file)
{
    char *path;
    int len = asprintf(&path, "%s/snapshots/%s%s%s", store->path, id, file ? "/" : "",
                       file ? file : "");

    return len < 0 ? NULL : path;
}

DIR *store_list(int dir, struct error *err)
{
    /* Opened anew: a duplicate would share its position with everyone else's. */
    int fd = (int)TEMP_FAILURE_RETRY(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (!list) {
        error_errno(err, "cannot list a directory of the store");
        close_p(&fd);
    }
    return list;
}

const struct dirent *store_next_entry(DIR *list)
{
    struct dirent *entry;

    errno = 0;
    do
        entry = readdir(list); /* NOLINT(concurrency-mt-unsafe): a list is one thread's */
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

const char *store_next(DIR *list)
{
    const struct dirent *entry = store_next_entry(list);

    return entry ? entry->d_name : NULL;
}

bool store_owns_name(const char *name)
{
    static const char *const names[] = {MANIFEST_FILE, STATE_FILE, MEMORY_FILE, RECORD_FILE};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}
