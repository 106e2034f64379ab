#include "api/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define UNIX_PREFIX "unix:"

static const char *unix_path(const char *address)
{
    size_t len = strlen(UNIX_PREFIX);

    return strncmp(address, UNIX_PREFIX, len) == 0 ? address + len : NULL;
}

/* "127.0.0.1:80" or "[::1]:80" → its two halves. */
static bool split(const char *address, char host[INET6_ADDRSTRLEN], const char **port)
{
    const char *colon = strrchr(address, ':');
    const char *start = address;
    const char *end = colon;

    if (!colon || colon == address)
        return false;
    if (*start == '[') {
        start++;
        end--;
        if (*end != ']')
            return false;
    }
    if (end - start >= INET6_ADDRSTRLEN)
        return false;
    snprintf(host, INET6_ADDRSTRLEN, "%.*s", (int)(end - start), start);
    *port = colon + 1;
    return true;
}

static struct addrinfo *parse(const char *address)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found;
    char host[INET6_ADDRSTRLEN];
    const char *port;

    if (!split(address, host, &port) || !*port)
        return NULL;
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    return getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

static void free_addresses(struct addrinfo *addresses)
{
    freeaddrinfo(addresses);
}
OWN(struct addrinfo, free_addresses)
#define auto_addresses AUTO(free_addresses)

static bool is_open(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 != 127;
    return address->sa_family == AF_INET6
        && !IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

bool listen_is_open(const char *address)
{
    auto_addresses struct addrinfo *parsed = unix_path(address) ? NULL : parse(address);

    return parsed && is_open(parsed->ai_addr);
}

union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* What a socket is bound to, with a NUL after a path of any length. */
struct bound {
    union name name;
    char end;
};

static bool read_name(int fd, struct bound *bound)
{
    socklen_t len = sizeof bound->name;

    *bound = (struct bound){0};
    return getsockname(fd, &bound->name.any, &len) == 0;
}

bool listen_is_open_fd(int fd)
{
    struct bound bound;

    return read_name(fd, &bound) && is_open(&bound.name.any);
}

static void describe(int fd, char address[LISTEN_ADDRESS_SIZE])
{
    struct bound bound;
    char host[INET6_ADDRSTRLEN] = "";

    read_name(fd, &bound);
    const union name *name = &bound.name;
    if (name->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &name->v6.sin6_addr, host, sizeof host);
        snprintf(address, LISTEN_ADDRESS_SIZE, "http://[%s]:%u", host, ntohs(name->v6.sin6_port));
    } else if (name->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &name->v4.sin_addr, host, sizeof host);
        snprintf(address, LISTEN_ADDRESS_SIZE, "http://%s:%u", host, ntohs(name->v4.sin_port));
    } else {
        snprintf(address, LISTEN_ADDRESS_SIZE, UNIX_PREFIX "%s", name->local.sun_path);
    }
}

static bool fail(const char *address, struct error *err)
{
    return error_set(err, ERR_INVALID, "cannot listen on %s: %s", address, strerrordesc_np(errno));
}

/* Takes over a descriptor, if there is room. */
static bool add(struct listeners *listeners, int fd, bool is_passed, struct error *err)
{
    if (listeners->count == LISTENERS_MAX) {
        close(fd);
        return error_set(err, ERR_INVALID, "cannot listen on more than %d sockets", LISTENERS_MAX);
    }
    listeners->items[listeners->count].fd = fd;
    listeners->items[listeners->count].is_passed = is_passed;
    describe(fd, listeners->items[listeners->count].address);
    listeners->count++;
    return true;
}

static bool open_tcp(struct listeners *listeners, const char *address, struct error *err)
{
    auto_addresses struct addrinfo *parsed = parse(address);

    if (!parsed)
        return error_set(err, ERR_INVALID,
                         "--listen %s: give an IP address and a port (127.0.0.1:8080, [::1]:8080), "
                         "or unix:/path",
                         address);
    auto_fd int fd = socket(parsed->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(address, err);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (bind(fd, parsed->ai_addr, parsed->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
        return fail(address, err);
    return add(listeners, TAKE_FD(fd), false, err);
}

/* A socket file that nobody listens on is what a killed predecessor left. */
static void remove_stale(const struct sockaddr_un *name)
{
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) != 0
        && errno == ECONNREFUSED)
        unlink(name->sun_path);
}

/* Before it listens: until then nobody can connect, whatever the mode. */
static bool restrict_access(const char *path, const struct listen_access *access)
{
    return (access->group == (gid_t)-1 || chown(path, (uid_t)-1, access->group) == 0)
        && chmod(path, access->mode) == 0;
}

static bool open_unix(struct listeners *listeners, const char *path,
                      const struct listen_access *access, struct error *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (*path != '/' || strlen(path) >= sizeof name.sun_path)
        return error_set(err, ERR_INVALID,
                         "--listen unix:%s: give an absolute path of at most %zu bytes", path,
                         sizeof name.sun_path - 1);
    memcpy(name.sun_path, path, strlen(path));
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(path, err);
    remove_stale(&name);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || !restrict_access(path, access)
        || listen(fd, LISTEN_BACKLOG) != 0)
        return fail(path, err);
    return add(listeners, TAKE_FD(fd), false, err);
}

bool listen_open(struct listeners *listeners, const char *address,
                 const struct listen_access *access, struct error *err)
{
    const char *path = unix_path(address);

    return path ? open_unix(listeners, path, access, err) : open_tcp(listeners, address, err);
}

static bool is_listening(int fd)
{
    int type = 0;
    int listening = 0;
    socklen_t len = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM
        && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

bool listen_adopt(struct listeners *listeners, int fd, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (!is_listening(fd) || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0
        || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        close(fd);
        return error_set(err, ERR_INVALID,
                         "descriptor %d, passed to listen on, is no listening stream socket: give "
                         "the socket unit ListenStream=",
                         fd);
    }
    return add(listeners, fd, true, err);
}

void listen_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        close_p(&listeners->items[i].fd);
    listeners->count = 0;
}

static socklen_t name_address(const char *address, struct sockaddr_storage *name)
{
    const char *path = unix_path(address);
    struct sockaddr_un *local = (struct sockaddr_un *)name;

    if (path) {
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", path);
        return sizeof *local;
    }
    auto_addresses struct addrinfo *parsed = parse(address);
    if (!parsed)
        return 0;
    memcpy(name, parsed->ai_addr, parsed->ai_addrlen);
    return parsed->ai_addrlen;
}

int listen_connect(const char *address, unsigned timeout_s, struct error *err)
{
    const struct timeval timeout = {.tv_sec = timeout_s};
    struct sockaddr_storage name = {0};
    socklen_t len = name_address(address, &name);
    auto_fd int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0
        && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0
        && connect(fd, (const struct sockaddr *)&name, len) == 0)
        return TAKE_FD(fd);
    if (errno == EINPROGRESS || errno == EAGAIN)
        errno = ETIMEDOUT;
    error_errno(err, "cannot connect");
    return -1;
}
