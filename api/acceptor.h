/* Accepts connections in a thread of its own, until it is stopped.
 *
 * The library would do so itself, but cannot stop it safely: in 0.9.75 and in 1.0.1 its
 * MHD_quiesce_daemon() aborts the process where it races with an event loop. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "api/listen.h"

struct acceptor {
    /* Takes over a connection: a descriptor that does not block. Called by the thread. */
    void (*take)(void *context, int fd, const struct sockaddr *from, socklen_t from_len);
    void *context;

    pthread_t thread;
    struct listeners listeners;
    int stop; /* an eventfd; there is something to read when it is over */
};

/* Takes over the sockets. ERR_INTERNAL if there is no thread to be had: they are closed then. */
bool acceptor_start(struct acceptor *acceptor, struct listeners *listeners, struct error *err);

/* Takes who has connected already, but not from passed sockets. Afterwards nobody can connect, and
 * the function is not called. */
void acceptor_stop(struct acceptor *acceptor);
