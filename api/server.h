/* HTTP connections ⇄ dispatch: the only place of libmicrohttpd. */
#pragma once

#include "api/http.h"
#include "base/own.h"

struct server_settings {
    struct http_settings http;
    unsigned event_threads;
    unsigned connections_max;
    unsigned idle_timeout_s; /* of a connection; a proxy's own should be shorter */
    uint64_t body_rate_min;  /* bytes a second below which a sender is cut off; 0 for none */
};

struct server;

/* Serves on a listening socket, which it takes over. The service must outlive the server, and so
 * must what the settings point to. NULL with ERR_INTERNAL. */
struct server *server_start(struct service *service, const struct server_settings *settings,
                            int listening, struct error *err);

/* Accepts no more connections and lets requests that are running finish; after `patience_s` seconds
 * only those that have arrived whole. Then closes what is left. */
void server_stop(struct server *server, unsigned patience_s);
