#include "api/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/own.h"

/* How long to leave connections waiting where there is no room, or no descriptor. */
#define PAUSE_MS 50

/* False where it is better to pause. */
static bool accept_one(const struct acceptor *acceptor)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    struct sockaddr *address = (struct sockaddr *)&from;
    int fd = accept4(acceptor->listening, address, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) /* another process may have been first, or the client be gone: so what */
        return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
    acceptor->take(acceptor->context, fd, address, from_len);
    return true;
}

static void *accept_all(void *context)
{
    const struct acceptor *acceptor = context;
    struct pollfd polled[] = {
        {.fd = acceptor->stop,      .events = POLLIN},
        {.fd = acceptor->listening, .events = POLLIN}
    };
    bool pausing = false;

    for (;;) {
        int ready = poll(polled, pausing ? 1 : 2, pausing ? PAUSE_MS : -1);
        if (polled[0].revents)
            return NULL;
        if (pausing || ready < 0)
            pausing = false;
        else
            pausing = !acceptor->has_room(acceptor->context) || !accept_one(acceptor);
    }
}

bool acceptor_start(struct acceptor *acceptor, int listening, struct error *err)
{
    acceptor->listening = listening;
    acceptor->stop = eventfd(0, EFD_CLOEXEC);
    if (acceptor->stop >= 0
        && pthread_create(&acceptor->thread, NULL, accept_all, acceptor) == 0) {
        pthread_setname_np(acceptor->thread, "acceptor");
        return true;
    }
    close_p(&acceptor->stop);
    close_p(&acceptor->listening);
    return error_set(err, ERR_INTERNAL, "cannot start the thread that accepts connections");
}

void acceptor_stop(struct acceptor *acceptor)
{
    eventfd_write(acceptor->stop, 1);
    pthread_join(acceptor->thread, NULL);
    close_p(&acceptor->stop);
    close_p(&acceptor->listening);
}
