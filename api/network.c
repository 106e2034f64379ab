#include "api/network.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"

#define BITS_MAX 128u
#define V4_AT    96u /* bits before an IPv4 address that is mapped */

bool address_parse(const char *text, size_t len, struct in6_addr *out)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return inet_pton(AF_INET6, copy, out) == 1;
    *out = (struct in6_addr){
        .s6_addr = {[10] = 0xff, [11] = 0xff}
    };
    memcpy(&out->s6_addr[12], &v4, sizeof v4);
    return true;
}

void address_format(const struct in6_addr *address, char out[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, &address->s6_addr[12], out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

static bool shares(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    return memcmp(a, b, whole) == 0
        && (rest == 0 || (a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - rest) == 0);
}

/* Is there nothing behind the bits that count? */
static bool is_base(const struct network *network)
{
    for (unsigned bit = network->bits; bit < BITS_MAX; bit++)
        if (network->base.s6_addr[bit / 8] & 0x80u >> bit % 8)
            return false;
    return true;
}

bool network_parse(const char *text, struct network *out)
{
    size_t len = strcspn(text, "/");
    struct network network = {.bits = BITS_MAX};
    uint64_t bits;

    if (!address_parse(text, len, &network.base))
        return false;
    if (text[len] == '/') {
        unsigned before = IN6_IS_ADDR_V4MAPPED(&network.base) ? V4_AT : 0;
        if (!number_parse(text + len + 1, strlen(text + len + 1), &bits)
            || bits > BITS_MAX - before)
            return false;
        network.bits = before + (unsigned)bits;
    }
    if (!is_base(&network))
        return false;
    *out = network;
    return true;
}

bool network_has(const struct network *network, const struct in6_addr *address)
{
    return (network->bits >= V4_AT || !IN6_IS_ADDR_V4MAPPED(address))
        && shares(&network->base, address, network->bits);
}
