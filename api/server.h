/* HTTP connections ⇄ dispatch: the only place of libmicrohttpd. */
#pragma once

#include "api/http.h"
#include "api/listen.h"

struct server_settings {
    struct http_settings http;
    unsigned event_threads;
    unsigned connections_max;
    unsigned address_connections_max; /* 0 for no limit; nor is there one on unix sockets */
    uint64_t client_rate_max;         /* requests a second; 0 for no limit */
    unsigned head_timeout_s;
    unsigned body_timeout_s; /* how far a body may fall behind its least rate */
    unsigned idle_timeout_s; /* of a connection; a proxy's own should be shorter */
    uint64_t body_rate_min;  /* bytes a second below which a sender is cut off; 0 for none */
};

struct server;

/* The version of libmicrohttpd: "0.9.75". */
const char *server_library(void);

/* Serves on these sockets, which it takes over. The service must outlive the server, and so must
 * what the settings point to. NULL with ERR_INTERNAL. */
struct server *server_start(struct service *service, const struct server_settings *settings,
                            struct listeners *listeners, struct error *err);

/* Whether every event loop answers a request of ours within `timeout_ms`. */
bool server_is_alive(struct server *server, int timeout_ms);

/* Ends the answers that last: whoever is still allowed to follow comes back. */
void server_end_streams(struct server *server);

/* From now on nobody can connect, every answer ends its connection, and those that last end. */
void server_drain(struct server *server);

/* Of a server that drains: can be read as soon as no request is running, and no connection is open
 * whose first request has yet to come. */
int server_quiet_fd(const struct server *server);

/* Lets the requests finish that have arrived whole, and closes what is left. */
void server_stop(struct server *server);
