#include "api/forwarded.h"

#include <string.h>

/* Proxies in a row that are followed: more than anybody has. */
#define HOPS_MAX 16

#define DIGITS     "0123456789"
#define UNRESERVED DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_"

bool trust_add(struct trust *trust, const char *text, struct error *err)
{
    if (strcmp(text, "unix") == 0) {
        trust->unix_peers = true;
        return true;
    }
    if (trust->count == TRUSTED_MAX)
        return error_set(err, ERR_INVALID, "--trusted-proxy: %d networks are the most",
                         TRUSTED_MAX);
    if (network_parse(text, &trust->networks[trust->count])) {
        trust->count++;
        return true;
    }
    return error_set(err, ERR_INVALID,
                     "--trusted-proxy %s: give an IP address, a network (10.0.0.0/8, with no bits "
                     "behind its own), or unix",
                     text);
}

static bool is_trusted(const struct trust *trust, const struct in6_addr *address)
{
    for (size_t i = 0; i < trust->count; i++)
        if (network_has(&trust->networks[i], address))
            return true;
    return false;
}

bool trust_covers(const struct trust *trust, const struct peer *peer)
{
    struct in6_addr address;

    if (peer->is_unix)
        return trust->unix_peers;
    return trust->count > 0 && address_parse(peer->address, strlen(peer->address), &address)
        && is_trusted(trust, &address);
}

/* How many bytes at its front are among these? */
static size_t measure(struct span span, const char *bytes)
{
    size_t len = 0;

    while (len < span.len && span.at[len] != '\0' && strchr(bytes, span.at[len]))
        len++;
    return len;
}

static bool is_port(struct span port)
{
    return port.len > 0 && port.len <= 5 && measure(port, DIGITS) == port.len;
}

/* "[2001:db8::1]" → what is between the brackets, and what is behind them. */
static bool take_bracketed(struct span *rest, struct span *out)
{
    const char *end = rest->len > 0 && *rest->at == '[' ? memchr(rest->at, ']', rest->len) : NULL;

    if (!end)
        return false;
    *out = (struct span){rest->at + 1, (size_t)(end - rest->at) - 1};
    span_skip(rest, out->len + 2);
    return true;
}

bool host_is_valid(struct span host)
{
    struct span rest = host;
    struct span inner;
    struct in6_addr address;

    if (host.len == 0 || host.len > HOST_MAX)
        return false;
    if (!take_bracketed(&rest, &inner)) {
        size_t len = measure(rest, UNRESERVED);
        span_skip(&rest, len);
        if (len == 0)
            return false;
    } else if (!memchr(inner.at, ':', inner.len) || !address_parse(inner.at, inner.len, &address)) {
        return false;
    }
    return rest.len == 0 || (header_take(&rest, ':') && is_port(rest));
}

bool prefix_is_valid(struct span prefix)
{
    if (prefix.len > PREFIX_MAX || prefix.len == 0)
        return false;
    while (header_take(&prefix, '/')) {
        size_t len = measure(prefix, UNRESERVED "~");
        if (len == 0 || measure(prefix, ".") == len)
            return false;
        span_skip(&prefix, len);
    }
    return prefix.len == 0;
}

/* The last elements of a list, in a ring. */
struct hops {
    size_t count; /* of all that there were */
    struct span items[HOPS_MAX];
};

static void read_hops(const char *list, struct hops *out)
{
    struct span rest = span_of(list);
    struct span hop;

    out->count = 0;
    while (header_take_element(&rest, &hop))
        out->items[out->count++ % HOPS_MAX] = hop;
}

/* From the nearest on; false where there are no more. */
static bool has_hop(const struct hops *hops, size_t index, struct span *out)
{
    if (index >= hops->count || index >= HOPS_MAX)
        return false;
    *out = hops->items[(hops->count - 1 - index) % HOPS_MAX];
    return true;
}

/* An address, perhaps with a port, which does not matter. */
static bool take_address(struct span node, struct client *out, struct in6_addr *address)
{
    struct span rest = node;
    struct span inner = node;

    if (node.len == 0)
        return false;
    if (take_bracketed(&rest, &inner)) {
        if (rest.len > 0 && !(header_take(&rest, ':') && is_port(rest)))
            return false;
    } else {
        const char *colon = memchr(node.at, ':', node.len);
        size_t len = colon ? (size_t)(colon - node.at) : node.len;
        if (len < node.len && is_port((struct span){colon + 1, node.len - len - 1})) /* of IPv4 */
            inner.len = len;
    }
    if (!address_parse(inner.at, inner.len, address))
        return false;
    address_format(address, out->told);
    out->address = out->told;
    return true;
}

static void take_scheme(struct span scheme, struct client *out)
{
    if (span_is(scheme, "https"))
        out->scheme = "https";
    else if (span_is(scheme, "http"))
        out->scheme = "http";
}

static void take_host(struct span host, struct client *out)
{
    if (host_is_valid(host))
        out->host = host;
}

struct element {
    struct span for_, proto, host;
};

/* Each may stand in an element once (RFC 7239, section 4). */
static bool note_pair(const struct parameter *pair, struct element *out)
{
    struct span *place = span_is(pair->name, "for") ? &out->for_
        : span_is(pair->name, "proto")              ? &out->proto
        : span_is(pair->name, "host")               ? &out->host
                                                    : NULL;

    if (place && place->at)
        return false;
    if (place)
        *place = pair->value;
    return true;
}

static bool read_element(struct span rest, struct element *out)
{
    struct parameter pair;

    *out = (struct element){0};
    if (!header_take_pair(&rest, &pair) || !note_pair(&pair, out))
        return false;
    while (header_take_parameter(&rest, &pair))
        if (!note_pair(&pair, out))
            return false;
    return rest.len == 0;
}

static void follow_forwarded(const char *list, const struct trust *trust, struct client *out)
{
    struct in6_addr address;
    struct element element;
    struct hops hops;
    struct span hop;

    read_hops(list, &hops);
    for (size_t i = 0; has_hop(&hops, i, &hop) && read_element(hop, &element); i++) {
        take_scheme(element.proto, out);
        take_host(element.host, out);
        if (!take_address(element.for_, out, &address) || !is_trusted(trust, &address))
            return;
    }
}

static void follow_for(const char *list, const struct trust *trust, struct client *out)
{
    struct in6_addr address;
    struct hops hops;
    struct span hop;

    read_hops(list, &hops);
    for (size_t i = 0; has_hop(&hops, i, &hop); i++)
        if (!take_address(hop, out, &address) || !is_trusted(trust, &address))
            return;
}

static struct span trimmed(const char *value)
{
    return span_trim(span_of(value ? value : ""));
}

void forwarded_read(const struct forwarded *headers, const struct peer *peer,
                    const struct trust *trust, struct client *out)
{
    bool has_old = headers->for_ || headers->proto || headers->host;

    out->address = peer->address;
    out->scheme = "http";
    out->host = out->prefix = (struct span){"", 0};
    if (!trust_covers(trust, peer))
        return;
    if (prefix_is_valid(trimmed(headers->prefix)))
        out->prefix = trimmed(headers->prefix);
    if (headers->forwarded && has_old)
        return;
    if (headers->forwarded)
        follow_forwarded(headers->forwarded, trust, out);
    if (headers->for_)
        follow_for(headers->for_, trust, out);
    take_scheme(trimmed(headers->proto), out);
    take_host(trimmed(headers->host), out);
}
