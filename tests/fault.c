#include "tests/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* State of the process, as what it stands in for is: the calls have no room for a handle. */
static struct {
    struct fault_plan fault; /* read by those alone whom it is meant for: it changes under others */
    atomic_bool armed, everywhere;
    atomic_uint calls;
    _Atomic(const char *) struck;
} plan;

static _Thread_local bool armed_here;
static _Thread_local bool dies_after;

enum strike { STRIKE_NONE,
              STRIKE_FAIL,
              STRIKE_SHORTEN };

static void die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

static bool counts(enum fault_kind kind, const char *name, bool has_length)
{
    return atomic_load(&plan.armed) && (armed_here || atomic_load(&plan.everywhere))
        && plan.fault.kinds & (unsigned)kind && (plan.fault.effect != FAULT_SHORT || has_length)
        && (!plan.fault.only || strcmp(plan.fault.only, name) == 0);
}

static enum strike strike(void)
{
    switch (plan.fault.effect) {
    case FAULT_ERROR:
        errno = plan.fault.errnum;
        return STRIKE_FAIL;
    case FAULT_SHORT:
        return STRIKE_SHORTEN;
    case FAULT_KILL_BEFORE:
        die();
        return STRIKE_NONE;
    case FAULT_KILL_AFTER:
        dies_after = true;
        return STRIKE_NONE;
    case FAULT_HOOK:
        atomic_store(&plan.armed, false);
        plan.fault.hook(plan.fault.context);
        errno = plan.fault.errnum;
        return errno ? STRIKE_FAIL : STRIKE_NONE;
    default:
        return STRIKE_NONE;
    }
}

static enum strike meet(enum fault_kind kind, const char *name, bool has_length)
{
    if (!counts(kind, name, has_length) || atomic_fetch_add(&plan.calls, 1) + 1 != plan.fault.nth)
        return STRIKE_NONE;
    atomic_store(&plan.struck, name);
    return strike();
}

static void leave(void)
{
    if (dies_after)
        die();
}

void fault_arm(const struct fault_plan *fault)
{
    plan.fault = *fault;
    armed_here = true;
    atomic_store(&plan.calls, 0);
    atomic_store(&plan.struck, NULL);
    atomic_store(&plan.everywhere, fault->every_thread);
    atomic_store(&plan.armed, true);
}

struct fault_seen fault_disarm(void)
{
    atomic_store(&plan.armed, false);
    armed_here = false;
    return (struct fault_seen){atomic_load(&plan.calls), atomic_load(&plan.struck)};
}

void fault_arm_error(const char *only, unsigned nth, int errnum)
{
    fault_arm(&(struct fault_plan){.kinds = FAULT_ANY,
                                   .only = only,
                                   .effect = FAULT_ERROR,
                                   .nth = nth,
                                   .errnum = errnum});
}

/* clang-format off */
#define DECLARED(type, name, params) \
    type __real_##name params;       \
    type __wrap_##name params;       \
    type __wrap_##name params

/* type, name, parameters, arguments, kind, what a failed call returns */
#define CATCH(type, name, params, args, kind, failed) \
    DECLARED(type, name, params)                      \
    {                                                 \
        if (meet(kind, #name, false) == STRIKE_FAIL)  \
            return failed;                            \
        type result = __real_##name args;             \
        leave();                                      \
        return result;                                \
    }

/* The same with a buffer of `len` bytes as the second argument. */
#define CATCH_DATA(name, params, args, kind)          \
    DECLARED(ssize_t, name, params)                   \
    {                                                 \
        enum strike met = meet(kind, #name, len > 1); \
        if (met == STRIKE_FAIL)                       \
            return -1;                                \
        if (met == STRIKE_SHORTEN)                    \
            len /= 2;                                 \
        ssize_t result = __real_##name args;          \
        leave();                                      \
        return result;                                \
    }

CATCH(int, mkdir, (const char *path, mode_t mode), (path, mode), FAULT_DISK, -1)
CATCH(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), FAULT_DISK, -1)
CATCH(int, linkat, (int from, const char *path, int to, const char *name, int flags),
      (from, path, to, name, flags), FAULT_DISK, -1)
CATCH(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), FAULT_DISK, -1)
CATCH(int, renameat2, (int from, const char *path, int to, const char *name, unsigned flags),
      (from, path, to, name, flags), FAULT_DISK, -1)
CATCH(int, fsync, (int fd), (fd), FAULT_DISK, -1)
CATCH(int, fdatasync, (int fd), (fd), FAULT_DISK, -1)
CATCH(int, ftruncate, (int fd, off_t size), (fd, size), FAULT_DISK, -1)
CATCH(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), FAULT_DISK, -1)
CATCH(int, fchmod, (int fd, mode_t mode), (fd, mode), FAULT_DISK, -1)
CATCH_DATA(write, (int fd, const void *data, size_t len), (fd, data, len), FAULT_DISK)
CATCH_DATA(pwrite, (int fd, const void *data, size_t len, off_t offset), (fd, data, len, offset),
           FAULT_DISK)

CATCH_DATA(read, (int fd, void *data, size_t len), (fd, data, len), FAULT_LOOK)
CATCH_DATA(pread, (int fd, void *data, size_t len, off_t offset), (fd, data, len, offset),
           FAULT_LOOK)
CATCH(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence), FAULT_LOOK, -1)
CATCH(int, flock, (int fd, int operation), (fd, operation), FAULT_LOOK, -1)
CATCH(int, fstat, (int fd, struct stat *stat), (fd, stat), FAULT_LOOK, -1)
CATCH(int, fstatat, (int dir, const char *path, struct stat *stat, int flags),
      (dir, path, stat, flags), FAULT_LOOK, -1)
CATCH(int, fstatvfs, (int fd, struct statvfs *fs), (fd, fs), FAULT_LOOK, -1)
CATCH(int, faccessat, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags),
      FAULT_LOOK, -1)
CATCH(DIR *, fdopendir, (int fd), (fd), FAULT_LOOK, NULL)
CATCH(struct dirent *, readdir, (DIR *list), (list), FAULT_LOOK, NULL)
CATCH(ssize_t, readlink, (const char *path, char *data, size_t size), (path, data, size),
      FAULT_LOOK, -1)

CATCH(void *, malloc, (size_t size), (size), FAULT_MEMORY, NULL)
CATCH(void *, calloc, (size_t count, size_t size), (count, size), FAULT_MEMORY, NULL)
CATCH(void *, realloc, (void *old, size_t size), (old, size), FAULT_MEMORY, NULL)
CATCH(void *, aligned_alloc, (size_t align, size_t size), (align, size), FAULT_MEMORY, NULL)
CATCH(char *, strdup, (const char *string), (string), FAULT_MEMORY, NULL)
/* clang-format on */

/* What follows takes a variable number of arguments. */

static enum fault_kind kind_of_open(int flags)
{
    return flags & O_CREAT ? FAULT_DISK : FAULT_LOOK;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (meet(kind_of_open(flags), "open", false) == STRIKE_FAIL)
        return -1;
    int result = __real_open(path, flags, mode);
    leave();
    return result;
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (meet(kind_of_open(flags), "openat", false) == STRIKE_FAIL)
        return -1;
    int result = __real_openat(dir, path, flags, mode);
    leave();
    return result;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list more;

    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    return meet(FAULT_LOOK, "fcntl", false) == STRIKE_FAIL ? -1
                                                           : __real_fcntl(fd, command, argument);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list more;

    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (meet(request == FICLONE ? FAULT_DISK : FAULT_LOOK, "ioctl", false) == STRIKE_FAIL)
        return -1;
    int result = __real_ioctl(fd, request, argument);
    leave();
    return result;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long args[4];
    va_list more;

    va_start(more, number);
    for (size_t i = 0; i < 4; i++)
        args[i] = va_arg(more, long);
    va_end(more);
    return meet(FAULT_LOOK, "syscall", false) == STRIKE_FAIL
        ? -1
        : __real_syscall(number, args[0], args[1], args[2], args[3]);
}

int __wrap_asprintf(char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **out, const char *fmt, ...)
{
    va_list more;

    if (meet(FAULT_MEMORY, "asprintf", false) == STRIKE_FAIL)
        return -1;
    va_start(more, fmt);
    int len = vasprintf(out, fmt, more);
    va_end(more);
    return len;
}
