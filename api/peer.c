#include "api/peer.h"

#include <arpa/inet.h>
#include <stdio.h>

static void read_unix(struct peer *peer, int fd)
{
    struct ucred credentials;
    socklen_t len = sizeof credentials;

    peer->is_unix = true;
    snprintf(peer->address, sizeof peer->address, PEER_UNIX);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
        return;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    peer->pid = credentials.pid;
}

static void read_v6(struct peer *peer, const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, &address->s6_addr[12], peer->address, sizeof peer->address);
    else
        inet_ntop(AF_INET6, address, peer->address, sizeof peer->address);
}

void peer_read(struct peer *peer, int fd, const struct sockaddr *from)
{
    *peer = (struct peer){.uid = (uid_t)-1, .gid = (gid_t)-1};
    if (from->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, peer->address,
                  sizeof peer->address);
    else if (from->sa_family == AF_INET6)
        read_v6(peer, &((const struct sockaddr_in6 *)from)->sin6_addr);
    else
        read_unix(peer, fd);
}

void peer_name(const struct peer *peer, char *out, size_t size)
{
    snprintf(out, size, "uid:%u", (unsigned)peer->uid);
}
