#include "config.h"

#include <grp.h>

#include "api/cors.h"
#include "api/listen.h"
#include "api/routes.h"
#include "base/number.h"
#include "base/systemd.h"

#define AT(member) offsetof(struct config, member)

/* By enum capture; the first cannot be asked for. */
static const char *const capture_names[] = {"", "link", "reflink", "copy", "isolate", NULL};

/* clang-format off */
/* flag, argument, default, help, type, member, least, most, choices */
static const struct option table[] = {
    {"--store",           "DIR",     "/var/lib/vmsnapd", "where snapshots are kept",             OPTION_TEXT,    AT(store)},
    {"--memory-root",     "DIR",     NULL,             "capture files beneath it (repeatable)",  OPTION_LIST,    AT(memory_roots)},
    {"--listen",          "ADDRESS", "127.0.0.1:8080", "IP:PORT or unix:/path",                  OPTION_LIST,    AT(listen),          0, 0, NULL, ','},
    {"--socket-mode",     "MODE",    "0600",           "of unix sockets: who may connect",       OPTION_MODE,    AT(socket_mode)},
    {"--socket-group",    "GROUP",   NULL,             "of unix sockets",                        OPTION_TEXT,    AT(socket_group)},
    {"--host",            "NAME",    NULL,             "another name it is called by (repeatable)", OPTION_LIST, AT(hosts)},
    {"--cors-origin",     "ORIGIN",  NULL,             "whose web pages may call it (repeatable)", OPTION_LIST,  AT(origins),         0, 0, NULL, ','},
    {"--token-file",      "FILE",    NULL,             "who may do what; see vmsnapd token",     OPTION_TEXT,    AT(token_file)},
    {"--peer-scope",      "USER:SCOPES", NULL,         "on unix sockets, without token (repeatable)", OPTION_LIST, AT(peer_scopes),   0, 0, NULL, ' '},
    {"--base-path",       "PATH",    NULL,             "what clients see in front of its paths", OPTION_TEXT,    AT(base_path)},
    {"--trusted-proxy",   "ADDRESS", NULL,             "IP, network or unix: heeded (repeatable)", OPTION_LIST,  AT(trusted_proxies), 0, 0, NULL, ','},
    {"--no-auth",         NULL,      NULL,             "let anyone in who can connect",          OPTION_FLAG,    AT(no_auth)},
    {"--capture",         "WAY",     "link",           "link, reflink, copy or isolate",         OPTION_CHOICE,  AT(capture),         0, 0, capture_names},
    {"--max-state",       "BYTES",   "1G",             "largest device state taken in",          OPTION_BYTES,   AT(max_state_bytes), 1, (uint64_t)1 << 40},
    {"--lock-wait",       "SECONDS", "10",             "wait for a predecessor to let go",       OPTION_SECONDS, AT(lock_wait_s),     0, 3600},
    {"--rescan",          "SECONDS", "600",            "between looks at all snapshots; 0: none", OPTION_SECONDS, AT(rescan_s),     0, 604800},
    {"--event-threads",   "N",       "2",              "threads that parse and answer",          OPTION_COUNT,   AT(event_threads),   1, 64},
    {"--max-connections", "N",       "4096",           "connections at a time",                  OPTION_COUNT,   AT(max_connections), 64, 1000000},
    {"--max-connections-per-address", "N", "1024",     "of one client; 0 for no limit",          OPTION_COUNT,   AT(max_connections_per_address), 0, 1000000},
    {"--max-requests-per-second", "N", "10000",        "of one client; 0 for no limit",          OPTION_COUNT,   AT(max_requests_per_second), 0, 1000000000},
    {"--max-queued",      "N",       "1024",           "requests that wait for a disk",          OPTION_COUNT,   AT(max_queued),      1, 1000000},
    {"--max-head",        "BYTES",   "5K",             "largest request head",                   OPTION_BYTES,   AT(max_head),        4096, 1 << 20},
    {"--head-timeout",    "SECONDS", "10",             "for a whole request head",               OPTION_SECONDS, AT(head_timeout_s),  1, 3600},
    {"--body-timeout",    "SECONDS", "10",             "that a body may be behind its least rate", OPTION_SECONDS, AT(body_timeout_s), 1, 3600},
    {"--idle-timeout",    "SECONDS", "75",             "closes a connection that is silent",     OPTION_SECONDS, AT(idle_timeout_s),  1, 3600},
    {"--min-body-rate",   "BYTES",   "1K",             "a second; slower senders are cut off",   OPTION_BYTES,   AT(min_body_rate),   0, (uint64_t)1 << 40},
    {"--drain",           "SECONDS", "30",             "at the end, waits for unfinished bodies", OPTION_SECONDS, AT(drain_s),        0, 3600},
    {"--log-format",      "FORMAT",  "text",           "text or json",                           OPTION_CHOICE,  AT(log_format),      0, 0, log_format_names},
    {"--log-level",       "LEVEL",   "info",           "debug, info, warn or error",             OPTION_CHOICE,  AT(log_level),       0, 0, log_level_names},
    {"--no-access-log",   NULL,      NULL,             "no line for each request",               OPTION_FLAG,    AT(no_access_log)},
    {"--version",         NULL,      NULL,             "print the version and exit",             OPTION_FLAG,    AT(version)},
    {"--help",            NULL,      NULL,             "print this and exit",                    OPTION_FLAG,    AT(help)},
};
/* clang-format on */

const struct options config_options = {
    .program = "vmsnapd",
    .arguments = "[OPTION]...",
    .intro = "Keeps snapshots of OpenVMM virtual machines, and serves them over HTTP.\n"
             "Every option can be set in the environment: VMSNAPD_STORE, VMSNAPD_LISTEN, ...",
    .table = table,
    .count = sizeof table / sizeof table[0],
};

static bool is_exposed(const struct config *config, const char **where)
{
    for (size_t i = 0; i < config->listen.count; i++) {
        *where = config->listen.items[i];
        if (listen_is_open(*where))
            return true;
    }
    *where = "(a passed socket)";
    for (unsigned i = 0; i < config->passed_sockets; i++)
        if (listen_is_open_fd(SYSTEMD_FIRST_SOCKET + (int)i))
            return true;
    return false;
}

/* Without tokens, whoever can connect can do everything. */
static bool check_exposure(const struct config *config, struct error *err)
{
    bool has_auth = config->token_file || config->peer_scopes.count > 0;
    const char *where;

    if (config->no_auth && has_auth)
        return error_set(err, ERR_INVALID,
                         "--no-auth contradicts --token-file and --peer-scope: leave one out");
    if (config->no_auth || has_auth || !is_exposed(config, &where))
        return true;
    return error_set(err, ERR_INVALID,
                     "--listen %s would let other hosts in without authentication: give a "
                     "--token-file, listen on a loopback address or a unix socket behind a proxy "
                     "that authenticates, or say --no-auth",
                     where);
}

static bool check_origins(const struct config *config, struct error *err)
{
    for (size_t i = 0; i < config->origins.count; i++)
        if (!cors_is_origin(config->origins.items[i]))
            return error_set(err, ERR_INVALID,
                             "--cors-origin %s: give an origin as browsers send it, like "
                             "https://dashboard.example or http://[::1]:3000: in lower case, "
                             "without a path, without the port that the scheme has anyway",
                             config->origins.items[i]);
    return true;
}

/* By its name or number. */
static bool find_group(struct config *config, struct error *err)
{
    const char *name = config->socket_group;
    uint64_t number;

    config->socket_gid = (gid_t)-1;
    if (!name)
        return true;
    const struct group *group = getgrnam(name); /* NOLINT(concurrency-mt-unsafe): no threads yet */
    if (!group && (!number_parse(name, strlen(name), &number) || number >= (gid_t)-1))
        return error_set(err, ERR_INVALID, "--socket-group %s: there is no such group", name);
    config->socket_gid = group ? group->gr_gid : (gid_t)number;
    return true;
}

/* Where a proxy leaves the base path on, it is taken off here: it must not look like a resource. */
static bool check_base_path(const struct config *config, struct error *err)
{
    const char *path = config->base_path;

    if (!path || (prefix_is_valid(span_of(path)) && !router_has_start(routes, route_count, path)))
        return true;
    return error_set(err, ERR_INVALID,
                     "--base-path %s: give a path like /vms, without a slash at its end, of "
                     "letters, digits, '.', '-', '_' and '~', that begins like none of the "
                     "service's own",
                     path);
}

static bool trust_proxies(struct config *config, struct error *err)
{
    for (size_t i = 0; i < config->trusted_proxies.count; i++)
        if (!trust_add(&config->trust, config->trusted_proxies.items[i], err))
            return false;
    return true;
}

static bool complete(struct config *config, struct error *err)
{
    if (!systemd_take_sockets(&config->passed_sockets, err))
        return false;
    if (config->passed_sockets > 0 && config->listen.is_fallback)
        options_clear_list(&config->listen);
    return find_group(config, err) && check_origins(config, err) && check_exposure(config, err)
        && check_base_path(config, err) && trust_proxies(config, err);
}

bool config_read(int argc, char *const argv[], struct config *out, struct error *err)
{
    auto_config struct config config = {0};

    if (!options_read(&config_options, argc, argv, &config, err))
        return false;
    if (!config.help && !config.version && !complete(&config, err))
        return false;
    *out = TAKE_AS(config, (struct config){0});
    return true;
}

void config_clear(struct config *config)
{
    options_clear(&config_options, config);
}

void config_print_help(FILE *out)
{
    options_print_help(&config_options, out);
}

void config_print_version(FILE *out)
{
    fputs("vmsnapd " VERSION "\n", out);
}
