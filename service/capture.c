#include "service/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/file.h"

#define PIECE_SIZE ((size_t)1 << 20) /* of the copy; fits a core's cache */
#define PAGE       ((size_t)4096)    /* what is a hole or not */

struct capture_job {
    const struct stage *stage;
    const struct source *memory;
    const char *target_path;
};

static bool fail_across(const struct capture_job *job, struct error *err)
{
    struct stat target;
    bool same_device = fstat(stage_dir(job->stage), &target) == 0
        && target.st_dev == job->memory->stat.st_dev;

    if (same_device)
        error_set(err, ERR_DIFFERENT_FILESYSTEM,
                  "%s and the store (%s) are one filesystem seen through two mounts, and a hard "
                  "link cannot cross mounts: mount their common parent directory once",
                  job->memory->path, job->target_path);
    else
        /* OpenVMM's own text (write_snapshot). */
        error_set(err, ERR_DIFFERENT_FILESYSTEM,
                  "memory backing file (%s) must be on the same filesystem as the snapshot "
                  "directory (%s); consider placing the backing file inside the snapshot directory",
                  job->memory->path, job->target_path);
    return error_blame(err, job->memory->field);
}

static bool fail_to_link(const struct capture_job *job, struct error *err)
{
    switch (errno) {
    case EXDEV:
        return fail_across(job, err);
    case EMLINK:
        error_set(err, ERR_TOO_MANY_LINKS,
                  "%s has as many hard links as its filesystem allows: use capture \"isolate\"",
                  job->memory->path);
        return error_blame(err, job->memory->field);
    case ENOENT: /* open, but without a name */
        return error_field(err, job->memory->field, "%s was removed while it was captured",
                           job->memory->path);
    case EPERM:
    case EACCES:
        return source_refused(job->memory, "make a hard link to", err);
    default:
        return error_errno(err, "cannot link %s into the snapshot", job->memory->path);
    }
}

static bool capture_link(const struct capture_job *job, struct error *err)
{
    char name[32];

    snprintf(name, sizeof name, "/proc/self/fd/%d", job->memory->fd);
    if (linkat(AT_FDCWD, name, stage_dir(job->stage), MEMORY_FILE, AT_SYMLINK_FOLLOW) != 0)
        return fail_to_link(job, err);
    if (TEMP_FAILURE_RETRY(fdatasync(job->memory->fd)) != 0)
        return error_errno(err, "cannot flush %s", job->memory->path);
    return true;
}

/* A file of our own: it belongs to whom the source belongs to, so that OpenVMM can open it. */
static bool finish(const struct capture_job *job, int fd, struct error *err)
{
    /* While it is ours still: afterwards it would take CAP_FOWNER. */
    if (fchmod(fd, job->memory->stat.st_mode & 0777) != 0)
        return error_errno(err, "cannot set the mode of " MEMORY_FILE);
    return stage_give(fd, MEMORY_FILE, &job->memory->stat, err) && file_flush(fd, MEMORY_FILE, err);
}

static bool capture_reflink(const struct capture_job *job, struct error *err)
{
    auto_fd int fd = file_create(stage_dir(job->stage), MEMORY_FILE, err);

    if (fd < 0)
        return false;
    if (TEMP_FAILURE_RETRY(ioctl(fd, FICLONE, job->memory->fd)) == 0)
        return finish(job, fd, err);
    int errnum = errno;
    unlinkat(stage_dir(job->stage), MEMORY_FILE, 0); /* copying may be tried next */
    errno = errnum;
    if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
        return error_errno(err, "cannot clone %s", job->memory->path);
    error_set(err, ERR_REFLINK_UNSUPPORTED,
              "%s cannot be cloned into the store (%s): use capture \"isolate\" or \"copy\"",
              job->memory->path, strerrordesc_np(errnum));
    return error_blame(err, job->memory->field);
}

/* Bytes of data in the file: an upper bound of what its copy will take. */
static bool measure_data(const struct source *memory, uint64_t *bytes, struct error *err)
{
    off_t end = 0;

    *bytes = 0;
    for (;;) {
        off_t data = lseek(memory->fd, end, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return true;
        end = data < 0 ? -1 : lseek(memory->fd, data, SEEK_HOLE);
        if (end < 0)
            return error_errno(err, "cannot find the data of %s", memory->path);
        *bytes += (uint64_t)(end - data);
    }
}

static bool check_room(const struct capture_job *job, struct error *err)
{
    struct statvfs fs;
    uint64_t needed;

    if (!measure_data(job->memory, &needed, err))
        return false;
    if (fstatvfs(stage_dir(job->stage), &fs) != 0)
        return error_errno(err, "cannot ask for the free space of the store");
    uint64_t available = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (needed <= available)
        return true;
    return error_set(err, ERR_NO_SPACE,
                     "copying %s takes up to %" PRIu64 " bytes, and the store has %" PRIu64 " left",
                     job->memory->path, needed, available);
}

static bool is_zero(const char *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* The length of the run of pages that starts `data` and are all zero, or all not. */
static size_t page_run(const char *data, size_t len, bool *zero)
{
    size_t run = len < PAGE ? len : PAGE;

    *zero = is_zero(data, run);
    while (run < len) {
        size_t next = len - run < PAGE ? len - run : PAGE;
        if (is_zero(data + run, next) != *zero)
            break;
        run += next;
    }
    return run;
}

static bool write_at(int fd, const char *data, size_t len, off_t offset, struct error *err)
{
    while (len > 0) {
        ssize_t written = TEMP_FAILURE_RETRY(pwrite(fd, data, len, offset));
        if (written < 0)
            return error_errno(err, "cannot write " MEMORY_FILE);
        data += written;
        offset += written;
        len -= (size_t)written;
    }
    return true;
}

static bool write_pages(int fd, const char *data, size_t len, off_t offset, struct error *err)
{
    bool zero;

    for (size_t done = 0, run; done < len; done += run) {
        run = page_run(data + done, len - done, &zero);
        if (!zero && !write_at(fd, data + done, run, offset + (off_t)done, err))
            return false;
    }
    return true;
}

static bool fail_shrunk(const struct source *memory, struct error *err)
{
    error_set(err, ERR_IN_USE, "%s changed its length while it was copied: a process is writing it",
              memory->path);
    return error_blame(err, memory->field);
}

/* Copies [offset, end). Writeback is started behind the copy, so that the final flush finds little
 * left to do. */
static bool copy_extent(const struct source *memory, int fd, char *buffer, off_t offset, off_t end,
                        struct error *err)
{
    while (offset < end) {
        size_t want = (size_t)(end - offset) < PIECE_SIZE ? (size_t)(end - offset) : PIECE_SIZE;
        ssize_t got = TEMP_FAILURE_RETRY(pread(memory->fd, buffer, want, offset));
        if (got < 0)
            return error_errno(err, "cannot read %s", memory->path);
        if (got == 0)
            return fail_shrunk(memory, err);
        if (!write_pages(fd, buffer, (size_t)got, offset, err))
            return false;
        sync_file_range(fd, offset, got, SYNC_FILE_RANGE_WRITE);
        offset += got;
    }
    return true;
}

static bool copy_data(const struct source *memory, int fd, struct error *err)
{
    auto_free char *buffer = aligned_alloc(PAGE, PIECE_SIZE);
    const off_t size = memory->stat.st_size;
    off_t end = 0;

    if (!buffer)
        return error_memory(err);
    if (ftruncate(fd, size) != 0)
        return error_errno(err, "cannot size " MEMORY_FILE);
    for (;;) {
        off_t data = lseek(memory->fd, end, SEEK_DATA);
        if ((data < 0 && errno == ENXIO) || data >= size)
            return true;
        end = data < 0 ? -1 : lseek(memory->fd, data, SEEK_HOLE);
        if (end < 0)
            return error_errno(err, "cannot find the data of %s", memory->path);
        end = end < size ? end : size;
        if (!copy_extent(memory, fd, buffer, data, end, err))
            return false;
    }
}

static bool check_unchanged(const struct source *memory, struct error *err)
{
    struct stat now;

    if (fstat(memory->fd, &now) != 0)
        return error_errno(err, "cannot inspect %s", memory->path);
    return now.st_size == memory->stat.st_size || fail_shrunk(memory, err);
}

static bool capture_copy(const struct capture_job *job, struct error *err)
{
    auto_fd int fd =
        check_room(job, err) ? file_create(stage_dir(job->stage), MEMORY_FILE, err) : -1;

    return fd >= 0 && copy_data(job->memory, fd, err) && check_unchanged(job->memory, err)
        && finish(job, fd, err);
}

typedef bool capture_fn(const struct capture_job *job, struct error *err);

struct strategy {
    capture_fn *capture;
    enum capture instead; /* tried where a clone is not to be had; CAPTURE_UNKNOWN for none */
    enum capture as;      /* what it turns out to be */
};

static const struct strategy strategies[CAPTURE__COUNT] = {
    {NULL,            CAPTURE_UNKNOWN, CAPTURE_UNKNOWN}, /* CAPTURE_UNKNOWN */
    {capture_link,    CAPTURE_UNKNOWN, CAPTURE_LINK   }, /* CAPTURE_LINK */
    {capture_reflink, CAPTURE_UNKNOWN, CAPTURE_REFLINK}, /* CAPTURE_REFLINK */
    {capture_copy,    CAPTURE_UNKNOWN, CAPTURE_COPY   }, /* CAPTURE_COPY */
    {capture_reflink, CAPTURE_COPY,    CAPTURE_REFLINK}, /* CAPTURE_ISOLATE */
};

bool capture_memory(const struct stage *stage, const struct source *memory, enum capture capture,
                    const char *target_path, enum capture *as, struct error *err)
{
    const struct capture_job job = {stage, memory, target_path};
    const struct strategy *strategy = &strategies[capture];
    bool done = strategy->capture(&job, err);

    if (!done && err->code == ERR_REFLINK_UNSUPPORTED && strategy->instead != CAPTURE_UNKNOWN) {
        strategy = &strategies[strategy->instead];
        done = strategy->capture(&job, err);
    }
    if (done)
        *as = strategy->as;
    return done;
}
