/* Listening sockets: those that --listen names, and those that a service manager passed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/own.h"

#define LISTEN_ADDRESS_SIZE 128
#define LISTENERS_MAX       16

/* So many may have connected to a socket and not be accepted yet. */
#define LISTEN_BACKLOG 1024

struct listeners {
    size_t count;
    struct {
        int fd;                            /* does not block */
        bool is_passed;                    /* others will accept what we do not */
        char address[LISTEN_ADDRESS_SIZE]; /* "http://127.0.0.1:8080", "unix:/run/vmsnapd.sock" */
    } items[LISTENERS_MAX];
};

/* Who may connect to a unix socket. */
struct listen_access {
    mode_t mode;
    gid_t group; /* (gid_t)-1 leaves it the process's */
};

/* `address` is "IPv4:PORT", "[IPv6]:PORT" or "unix:/absolute/path"; port 0 lets the kernel choose.
 * ERR_INVALID if it is no such address, or cannot be had, and what to do. */
bool listen_open(struct listeners *listeners, const char *address,
                 const struct listen_access *access, struct error *err);

/* Takes over a socket that already listens; on failure too. ERR_INVALID if it does not. */
bool listen_adopt(struct listeners *listeners, int fd, struct error *err);

void listen_close(struct listeners *listeners);
static inline void listen_close_p(struct listeners *listeners)
{
    listen_close(listeners);
}
#define auto_listeners AUTO(listen_close)

/* Whether other hosts can reach it; false too for what is no address. */
bool listen_is_open(const char *address);
bool listen_is_open_fd(int fd);

/* A socket connected to what such an address listens on, of which no call takes longer than
 * `timeout_s`. Linux takes a connection to 0.0.0.0 or [::] as one to the loopback address. -1 with
 * ERR_IO if nobody is there, or it is no address. */
int listen_connect(const char *address, unsigned timeout_s, struct error *err);
