#include "api/gate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

/* More than one of these, or two of them together, and a proxy may have seen another request
 * than we do (RFC 9112, sections 3.2 and 6.3). */
static bool check_single(const struct request *request, struct error *err)
{
    const unsigned char *counts = request->header_counts;
    const char *coding = request->headers[HEADER_TRANSFER_ENCODING];

    if (counts[HEADER_HOST] > 1 || counts[HEADER_CONTENT_LENGTH] > 1
        || counts[HEADER_TRANSFER_ENCODING] > 1 || counts[HEADER_CONTENT_TYPE] > 1
        || counts[HEADER_AUTHORIZATION] > 1 || counts[HEADER_ORIGIN] > 1)
        return error_set(err, ERR_BAD_REQUEST, "a header that must be single was sent twice");
    if (counts[HEADER_CONTENT_LENGTH] && coding)
        return error_set(err, ERR_BAD_REQUEST,
                         "Content-Length and Transfer-Encoding were both sent");
    return true;
}

/* RFC 9112, section 6.1. */
static bool check_coding(const struct request *request, struct error *err)
{
    const char *coding = request->headers[HEADER_TRANSFER_ENCODING];

    if (coding && strcasecmp(coding, "chunked") != 0)
        return error_set(err, ERR_NOT_IMPLEMENTED,
                         "the only transfer coding understood is chunked");
    if (coding && request->is_http_1_0)
        return error_set(err, ERR_BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding");
    return true;
}

/* An empty one is legal, and nobody's name. */
static bool check_host_field(const struct request *request, struct error *err)
{
    struct span host = span_of(request->headers[HEADER_HOST] ? request->headers[HEADER_HOST] : "");

    if (!request->headers[HEADER_HOST] && !request->is_http_1_0)
        return error_set(err, ERR_BAD_REQUEST, "a request of HTTP/1.1 needs a Host header");
    if (host.len > 1 && host.at[host.len - 1] == ':')
        host.len--; /* a port may be empty (RFC 3986, section 3.2.3) */
    if (host.len == 0 || host_is_valid(host))
        return true;
    return error_set(err, ERR_BAD_REQUEST, "the Host header is not a host and a port");
}

/* A client must not ask so (RFC 9110, section 10.1.1); libmicrohttpd 0.9.75 takes the next request
 * for the body then. */
static bool check_expectation(const struct request *request, struct error *err)
{
    if (!request->headers[HEADER_EXPECT] || request_has_body(request))
        return true;
    return error_set(err, ERR_BAD_REQUEST, "Expect was sent without a body");
}

static bool check_length(const struct request *request, struct error *err)
{
    const char *length = request->headers[HEADER_CONTENT_LENGTH];

    if (!length || (*length && strspn(length, "0123456789") == strlen(length)))
        return true;
    return error_set(err, ERR_BAD_REQUEST, "Content-Length is not a decimal number");
}

bool gate_check_framing(const struct request *request, struct error *err)
{
    if (request->head_fault)
        return error_set(err, ERR_BAD_REQUEST, "%s", request->head_fault);
    return check_single(request, err) && check_coding(request, err) && check_length(request, err)
        && check_host_field(request, err) && check_expectation(request, err);
}

bool gate_ends_connection(const struct request *request)
{
    return request->headers[HEADER_TRANSFER_ENCODING] != NULL;
}

static bool is_ip_literal(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    char inner[INET6_ADDRSTRLEN];
    size_t len = strlen(name);

    if (name[0] != '[')
        return inet_pton(AF_INET, name, address) == 1;
    if (len < 3 || name[len - 1] != ']' || len - 2 >= sizeof inner)
        return false;
    snprintf(inner, sizeof inner, "%.*s", (int)(len - 2), name + 1);
    return inet_pton(AF_INET6, inner, address) == 1;
}

static bool is_ours(const struct http_settings *settings, const char *name)
{
    if (strcasecmp(name, "localhost") == 0 || is_ip_literal(name))
        return true;
    for (size_t i = 0; i < settings->host_count; i++)
        if (strcasecmp(name, settings->hosts[i]) == 0)
            return true;
    return false;
}

bool gate_check_host(const struct request *request, struct error *err)
{
    struct span host = request->client.host;
    char name[HOST_MAX + 1];

    if (host.len == 0 && !request->headers[HEADER_HOST])
        return true; /* HTTP/1.0: no browser speaks it */
    snprintf(name, sizeof name, "%.*s", (int)host.len, host.at);
    char *end = name[0] == '[' ? strchr(name, ']') : NULL;
    char *port = strrchr(end ? end : name, ':');
    if (port && port[1 + strspn(port + 1, "0123456789")] == '\0')
        *port = '\0';
    if (is_ours(request->settings, name))
        return true;
    return error_set(err, ERR_MISDIRECTED,
                     "this server is not called \"%s\"; --host makes a name known to it", name);
}
