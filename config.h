/* The settings of vmsnapd: one table, from which come the command line, the environment and
 * --help. */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "api/forwarded.h"
#include "base/log.h"
#include "base/options.h"
#include "codec/model.h"

struct config {
    struct option_list listen; /* what to listen on besides passed sockets */
    uint64_t socket_mode;
    char *socket_group;
    gid_t socket_gid; /* of the same; (gid_t)-1 for none */
    unsigned passed_sockets;
    char *store;
    struct option_list memory_roots;
    enum capture capture;
    uint64_t max_state_bytes;
    uint64_t lock_wait_s;
    uint64_t rescan_s;
    struct option_list hosts;
    struct option_list origins;
    char *token_file;
    struct option_list peer_scopes;
    char *base_path;
    struct option_list trusted_proxies;
    struct trust trust; /* in them */
    bool no_auth;
    uint64_t event_threads;
    uint64_t max_connections;
    uint64_t max_connections_per_address;
    uint64_t max_requests_per_second;
    uint64_t max_queued;
    uint64_t max_head;
    uint64_t head_timeout_s;
    uint64_t body_timeout_s;
    uint64_t idle_timeout_s;
    uint64_t min_body_rate;
    uint64_t drain_s;
    enum log_format log_format;
    enum log_level log_level;
    bool no_access_log;
    bool help;
    bool version;
};

/* What --help, the man page and the completion are made from. */
extern const struct options config_options;

/* Takes the sockets that a service manager passed into account: with them, the default of --listen
 * does not count. ERR_INVALID says what is wrong and what to do. */
bool config_read(int argc, char *const argv[], struct config *out, struct error *err);
void config_clear(struct config *config);
static inline void config_clear_p(struct config *config)
{
    config_clear(config);
}
#define auto_config AUTO(config_clear)

void config_print_help(FILE *out);
void config_print_version(FILE *out);
