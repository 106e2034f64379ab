/* Who a request comes from, and what the client calls us, as trusted proxies tell it in Forwarded
 * (RFC 7239) or in X-Forwarded-For, -Proto, -Host and -Prefix: pure.
 *
 * What somebody else than a trusted proxy sends is passed over, and so is what is malformed. Where
 * Forwarded and one of X-Forwarded-For, -Proto and -Host were both sent, a proxy set the one and
 * passed on the other as a client had sent it; it cannot be told which, so neither counts. */
#pragma once

#include "api/header.h"
#include "api/network.h"
#include "api/peer.h"
#include "base/error.h"

#define TRUSTED_MAX 64
#define HOST_MAX    255
#define PREFIX_MAX  128

/* Whose word counts; zeroed, nobody's. */
struct trust {
    bool unix_peers;
    size_t count;
    struct network networks[TRUSTED_MAX];
};

/* "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", or "unix" for whoever connects to a unix socket.
 * ERR_INVALID for anything else, and for more than there is room for. */
bool trust_add(struct trust *trust, const char *text, struct error *err);

bool trust_covers(const struct trust *trust, const struct peer *peer);

/* Headers as they came, those sent in several pieces joined by commas; NULL if not sent. */
struct forwarded {
    const char *forwarded, *for_, *proto, *host, *prefix;
};

struct client {
    const char *address; /* the peer's, or `told`; "unix" for that of a unix socket */
    const char *scheme;  /* "http" or "https" */
    struct span host;    /* "vms.example:8443", well-formed; empty where nobody told it */
    struct span prefix;  /* what proxies took off the path: "/vms", or empty */
    char told[INET6_ADDRSTRLEN];
};

/* `out` borrows the headers and the peer.
 *
 * The address is the last one, going from the nearest hop to the farthest, that a trusted proxy
 * told; what proxies farther away say was not checked by anybody. Scheme and host are those that
 * the proxy told which told the address; of X-Forwarded-Proto, -Host and -Prefix, which do not say
 * whose they are, only a single value counts. */
void forwarded_read(const struct forwarded *headers, const struct peer *peer,
                    const struct trust *trust, struct client *out);

/* Host and port as a URI has them (RFC 3986, section 3.2), of letters, digits, '.', '-' and '_', or
 * an IPv6 address in brackets: fit for a header. */
bool host_is_valid(struct span host);

/* "/vms", "/a/b": segments of letters, digits, '.', '-', '_' and '~', none of them empty or dots
 * alone, at most PREFIX_MAX bytes: fit for a header and a page. */
bool prefix_is_valid(struct span prefix);
