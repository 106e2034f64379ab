#include "api/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

/* How long to leave connections waiting where there is no descriptor for them. */
#define PAUSE_MS 50

/* False where it is better to pause. */
static bool accept_one(const struct acceptor *acceptor, int listening)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    struct sockaddr *address = (struct sockaddr *)&from;
    int fd = accept4(listening, address, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) /* another process may have been first, or the client be gone: so what */
        return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
    acceptor->take(acceptor->context, fd, address, from_len);
    return true;
}

/* One from each socket that has any. */
static bool accept_some(const struct acceptor *acceptor, const struct pollfd *polled)
{
    for (size_t i = 0; i < acceptor->listeners.count; i++)
        if (polled[i].revents && !accept_one(acceptor, polled[i].fd))
            return false;
    return true;
}

/* Who had connected before the end. From a passed socket a successor will accept them. */
static void accept_rest(const struct acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->listeners.count; i++) {
        struct pollfd polled = {.fd = acceptor->listeners.items[i].fd, .events = POLLIN};
        for (int n = 0; n < LISTEN_BACKLOG && !acceptor->listeners.items[i].is_passed; n++)
            if (poll(&polled, 1, 0) != 1 || !accept_one(acceptor, polled.fd))
                break;
    }
}

static void *accept_all(void *context)
{
    const struct acceptor *acceptor = context;
    struct pollfd polled[1 + LISTENERS_MAX] = {
        {.fd = acceptor->stop, .events = POLLIN}
    };
    const nfds_t count = 1 + acceptor->listeners.count;
    bool pausing = false;

    for (nfds_t i = 1; i < count; i++)
        polled[i] = (struct pollfd){.fd = acceptor->listeners.items[i - 1].fd, .events = POLLIN};
    for (;;) {
        int ready = poll(polled, pausing ? 1 : count, pausing ? PAUSE_MS : -1);
        if (polled[0].revents) {
            accept_rest(acceptor);
            return NULL;
        }
        if (pausing || ready < 0)
            pausing = false;
        else
            pausing = !accept_some(acceptor, polled + 1);
    }
}

bool acceptor_start(struct acceptor *acceptor, struct listeners *listeners, struct error *err)
{
    acceptor->listeners = TAKE_AS(*listeners, (struct listeners){0});
    acceptor->stop = eventfd(0, EFD_CLOEXEC);
    if (acceptor->stop >= 0
        && pthread_create(&acceptor->thread, NULL, accept_all, acceptor) == 0) {
        pthread_setname_np(acceptor->thread, "acceptor");
        return true;
    }
    close_p(&acceptor->stop);
    listen_close(&acceptor->listeners);
    return error_set(err, ERR_INTERNAL, "cannot start the thread that accepts connections");
}

void acceptor_stop(struct acceptor *acceptor)
{
    eventfd_write(acceptor->stop, 1);
    pthread_join(acceptor->thread, NULL);
    close_p(&acceptor->stop);
    listen_close(&acceptor->listeners);
}
