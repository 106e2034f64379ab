/* IP addresses and networks as text: pure. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* "192.0.2.1" or "2001:db8::1"; an IPv4 address becomes one that is mapped into IPv6. */
bool address_parse(const char *text, size_t len, struct in6_addr *out);

/* As it is written usually (RFC 5952); a mapped one as the IPv4 address. */
void address_format(const struct in6_addr *address, char out[INET6_ADDRSTRLEN]);

struct network {
    struct in6_addr base;
    unsigned bits; /* of the base that count */
};

/* An address, or "10.0.0.0/8". False too for a base with bits that do not count: whoever wrote
 * that meant something else. */
bool network_parse(const char *text, struct network *out);

/* IPv4 addresses are in no network of IPv6, not even in ::/0. */
bool network_has(const struct network *network, const struct in6_addr *address);
