#include "health.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "commands.h"
#include "config.h"

#include "api/listen.h"

/* For each of connecting, sending and receiving. */
#define TIMEOUT_S 3

static const char request[] = "GET /healthz HTTP/1.1\r\n"
                              "Host: localhost\r\n"
                              "Connection: close\r\n\r\n";
static const char good[] = "HTTP/1.1 200";

#define START_LEN (sizeof good - 1)

/* Gives the answer's first bytes. */
static bool exchange(int fd, char start[START_LEN + 1], struct error *err)
{
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        return error_errno(err, "cannot ask");
    ssize_t got = recv(fd, start, START_LEN, MSG_WAITALL);
    if (got < 0 && errno == EAGAIN)
        errno = ETIMEDOUT;
    if (got < 0)
        return error_errno(err, "no answer");
    start[got] = '\0';
    return true;
}

static bool ask(const char *address, struct error *err)
{
    char start[START_LEN + 1];
    auto_fd int fd = listen_connect(address, TIMEOUT_S, err);

    if (fd < 0 || !exchange(fd, start, err))
        return false;
    return strcmp(start, good) == 0 || error_set(err, ERR_IO, "it answers \"%s\"", start);
}

int health_run(int argc, char *const argv[])
{
    auto_config struct config config = {0};
    struct error err;

    if (!config_read(argc, argv, &config, &err)) {
        fprintf(stderr, "vmsnapd health: %s\n", err.message);
        return 1;
    }
    if (config.help || config.version) {
        commands_print_help(stdout);
        return 0;
    }
    const char *address = config.listen.items[0];
    if (ask(address, &err))
        return 0;
    fprintf(stderr, "vmsnapd health: GET /healthz of %s: %s\n", address, err.message);
    return 1;
}
