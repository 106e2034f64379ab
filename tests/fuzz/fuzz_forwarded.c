/* Up to six lines: what proxies and a client say of a request. The last is its traceparent. */
#include <string.h>

#include "api/forwarded.h"
#include "api/trace.h"
#include "tests/fuzz/fuzz.h"

#define LINES 6

/* NULL for one that is empty. */
static void split_lines(char *text, char *lines[LINES])
{
    for (size_t i = 0; i < LINES; i++) {
        char *line = strsep(&text, "\n");
        lines[i] = line && *line ? line : NULL;
    }
}

static void check_client(const struct client *client, const struct peer *peer)
{
    struct in6_addr address;

    MUST(client->address == peer->address || client->address == client->told);
    MUST(address_parse(client->address, strlen(client->address), &address));
    MUST(strcmp(client->scheme, "http") == 0 || strcmp(client->scheme, "https") == 0);
    MUST(client->host.len == 0 || host_is_valid(client->host));
    MUST(client->prefix.len == 0 || prefix_is_valid(client->prefix));
    for (size_t i = 0; i < client->host.len; i++)
        MUST(client->host.at[i] > ' ' && !strchr("<>\"\\/;,", client->host.at[i]));
    for (size_t i = 0; i < client->prefix.len; i++)
        MUST(client->prefix.at[i] > ' ' && !strchr("<>\"'\\;,&", client->prefix.at[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct peer peer = {.address = "127.0.0.1"};
    struct trust trust = {0};
    struct trace trace = {0};
    struct client client;
    struct error err;
    char *lines[LINES];
    char *text = strndup((const char *)data, size);

    MUST(text);
    MUST(trust_add(&trust, "127.0.0.0/8", &err));
    MUST(trust_add(&trust, "2001:db8::/32", &err));
    split_lines(text, lines);
    forwarded_read(&(struct forwarded){lines[0], lines[1], lines[2], lines[3], lines[4]}, &peer,
                   &trust, &client);
    check_client(&client, &peer);
    if (lines[5] && trace_parse(lines[5], &trace))
        MUST(strlen(trace.id) + strlen(trace.parent_id) == TRACE_ID_SIZE + PARENT_ID_SIZE - 2);
    trust_add(&trust, text, &err);
    free(text);
    return 0;
}
