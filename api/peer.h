/* Who is at the other end of a connection. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What stands for the address of a unix socket's peer. */
#define PEER_UNIX "unix"

struct peer {
    char address[INET6_ADDRSTRLEN]; /* "192.0.2.1", "2001:db8::1", or PEER_UNIX */
    bool is_unix;
    uid_t uid; /* as it was when a unix socket was connected; (uid_t)-1 where it cannot be known */
    gid_t gid;
    pid_t pid;
};

/* From a connected socket and the address that it was accepted from. An IPv4 address that came
 * mapped into IPv6 is told as the IPv4 address. */
void peer_read(struct peer *peer, int fd, const struct sockaddr *from);

/* What a unix socket's user is called in the log: "uid:0". */
void peer_name(const struct peer *peer, char *out, size_t size);
