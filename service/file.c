#include "service/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

bool file_write_all(int fd, const void *data, size_t len, const char *name, struct error *err)
{
    const char *at = data;

    while (len > 0) {
        ssize_t written = TEMP_FAILURE_RETRY(write(fd, at, len));
        if (written < 0)
            return error_errno(err, "cannot write %s", name);
        at += written;
        len -= (size_t)written;
    }
    return true;
}

int file_create(int dir, const char *name, struct error *err)
{
    int fd = (int)TEMP_FAILURE_RETRY(
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE));

    if (fd < 0)
        error_errno(err, "cannot create %s", name);
    return fd;
}

bool file_flush(int fd, const char *name, struct error *err)
{
    if (TEMP_FAILURE_RETRY(fsync(fd)) != 0)
        return error_errno(err, "cannot flush %s", name);
    return true;
}

static bool fail_to_open(const char *name, struct error *err)
{
    switch (errno) {
    case ENOENT:
        return error_set(err, ERR_NOT_FOUND, "%s is missing", name);
    case ELOOP:
    case ENXIO:
        return error_set(err, ERR_DAMAGED, "%s is not a regular file", name);
    case EACCES:
    case EPERM:
        return error_set(err, ERR_PERMISSION, "%s may not be read by uid %u", name,
                         (unsigned)geteuid());
    default:
        return error_errno(err, "cannot open %s", name);
    }
}

int file_open_by(int dir, const char *name, enum file_links links, struct stat *stat,
                 struct error *err)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat own;
    auto_fd int fd = (int)TEMP_FAILURE_RETRY(
        openat(dir, name, links == LINKS_FOLLOWED ? flags : flags | O_NOFOLLOW));

    if (fd < 0) {
        fail_to_open(name, err);
        return -1;
    }
    if (fstat(fd, stat ? stat : &own) != 0) {
        error_errno(err, "cannot inspect %s", name);
        return -1;
    }
    if (!S_ISREG(stat ? stat->st_mode : own.st_mode)) {
        error_set(err, ERR_DAMAGED, "%s is not a regular file", name);
        return -1;
    }
    return TAKE_FD(fd);
}

int file_open(int dir, const char *name, struct stat *stat, struct error *err)
{
    return file_open_by(dir, name, LINKS_REFUSED, stat, err);
}

/* To the end, which may have moved since the size was asked. */
bool file_read_rest(int fd, const char *name, size_t max, struct text *out, struct error *err)
{
    for (;;) {
        if (!text_reserve(out, 4096))
            return error_memory(err);
        ssize_t got = TEMP_FAILURE_RETRY(read(fd, out->data + out->len, out->cap - out->len - 1));
        if (got < 0)
            return error_errno(err, "cannot read %s", name);
        if (got == 0)
            return true;
        out->len += (size_t)got;
        out->data[out->len] = '\0';
        if (out->len > max)
            return error_set(err, ERR_DAMAGED, "%s is larger than %zu bytes", name, max);
    }
}

bool file_read(int dir, const char *name, size_t max, struct text *out, struct stat *stat,
               struct error *err)
{
    auto_fd int fd = file_open(dir, name, stat, err);

    text_clear(out);
    return fd >= 0 && file_read_rest(fd, name, max, out, err);
}

bool file_read_at(int fd, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    char *at = buffer;

    while (len > 0) {
        ssize_t got = TEMP_FAILURE_RETRY(pread(fd, at, len, (off_t)offset));
        if (got < 0)
            return error_errno(err, "cannot read at byte %ju", (uintmax_t)offset);
        if (got == 0)
            return error_set(err, ERR_IO, "the file ends at byte %ju", (uintmax_t)offset);
        at += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

bool file_read_piece(void *fd, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    return file_read_at(*(const int *)fd, offset, buffer, len, err);
}
