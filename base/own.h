/* Ownership in the type of the declaration.
 *
 *   auto_store struct store *store = store_open(path, err);
 *   auto_fd int fd = openat(...);
 *
 * An auto_ variable is released when its scope ends; TAKE() moves a pointer out of it, TAKE_FD() a
 * descriptor. */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(release) __attribute__((cleanup(release##_p)))
#define auto_free     AUTO(free)
#define auto_fd       AUTO(close)

/* Defines release##_p, the form that the cleanup attribute calls. */
#define OWN(type, release)                   \
    static inline void release##_p(type **p) \
    {                                        \
        if (*p)                              \
            release(*p);                     \
    }

#define TAKE_AS(p, nothing)         \
    (__extension__({                \
        __typeof__(p) taken_ = (p); \
        (p) = (nothing);            \
        taken_;                     \
    }))
#define TAKE(p)     TAKE_AS(p, NULL)
#define TAKE_FD(fd) TAKE_AS(fd, -1)

static inline void free_p(void *p)
{
    free(*(void **)p);
}

static inline void close_p(const int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}
