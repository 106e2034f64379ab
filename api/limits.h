/* How much of the service one client may take: connections at a time, and requests a second. Safe
 * from any thread.
 *
 * Clients are told apart by a key: an address, or the name of a token. As many are remembered as
 * can be connected at a time, and then some; one that is not is let through. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/own.h"

struct limits;

/* A limit of 0 is none. `clients` is how many are to be told apart. NULL with ERR_INTERNAL. */
struct limits *limits_new(unsigned connections_max, uint64_t rate_max, size_t clients,
                          struct error *err);
void limits_free(struct limits *limits);
OWN(struct limits, limits_free)

/* A connection begins: false if its client has as many as it may have. In any case it counts
 * until limits_disconnect(), which returns what limits_connect() wrote to `place`. */
bool limits_connect(struct limits *limits, const char *address, size_t *place);
void limits_disconnect(struct limits *limits, size_t place);

/* A request begins: false if the client has sent more a second than it may, for more than a
 * second. */
bool limits_take(struct limits *limits, const char *key);
