#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "commands.h"
#include "config.h"
#include "supervisor.h"

#include "base/systemd.h"

/* Threads of the lanes wait far more than they allocate: a few heaps do for all of them. */
#define HEAPS_MAX 4

/* What is larger goes back to the system when it is freed. Said once, it stays so: else the first
 * large answer would move the bound above its own size, and leave its room in the heap. */
#define LARGE_BYTES (128 << 10)

static int fail(const struct error *err)
{
    fprintf(stderr, "vmsnapd: %s\n", err->message);
    return 1;
}

static void prepare_process(void)
{
    struct rlimit files;

    umask(0027);
    mallopt(M_ARENA_MAX, HEAPS_MAX);        /* NOLINT(concurrency-mt-unsafe): no threads yet */
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* NOLINT(concurrency-mt-unsafe) */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static struct service *open_service(const struct config *config, struct error *err)
{
    const struct service_settings settings = {
        .store = config->store,
        .memory_roots = config->memory_roots.items,
        .memory_root_count = config->memory_roots.count,
        .capture = config->capture,
        .lock_wait_s = (unsigned)config->lock_wait_s,
        .rescan_s = (unsigned)config->rescan_s,
        .state_max_bytes = config->max_state_bytes,
        .queue_max = config->max_queued,
    };

    return service_open(&settings, err);
}

static void log_store(const struct config *config, const struct service *service)
{
    const struct stage_abilities *can = &service->abilities;

    log_event(LOG_INFO, "store opened", LOG_TEXT("path", service->store->path),
              LOG_FLAG("link", can->link), LOG_FLAG("reflink", can->reflink),
              LOG_FLAG("writer_check", can->lease), LOG_NUMBER("uid", geteuid()),
              LOG_TEXT("capabilities", service->capabilities));
    if (!service->probed)
        log_event(LOG_WARN, "the disk is full: what its filesystem can do was not tried");
    if (service->leftovers > 0)
        log_event(LOG_WARN, "leftovers could not be removed",
                  LOG_NUMBER("directories", service->leftovers));
    if (config->memory_roots.count == 0)
        log_event(LOG_WARN,
                  "no --memory-root: only memory in a snapshot's own directory can be captured");
}

static bool open_listeners(const struct config *config, struct listeners *listeners,
                           struct error *err)
{
    const struct listen_access access = {(mode_t)config->socket_mode, config->socket_gid};

    for (unsigned i = 0; i < config->passed_sockets; i++)
        if (!listen_adopt(listeners, SYSTEMD_FIRST_SOCKET + (int)i, err))
            return false;
    for (size_t i = 0; i < config->listen.count; i++)
        if (!listen_open(listeners, config->listen.items[i], &access, err))
            return false;
    return true;
}

static struct server *start_server(const struct config *config, struct service *service,
                                   struct auth *auth, struct listeners *listeners,
                                   struct error *err)
{
    const struct server_settings settings = {
        .http = {
                 .hosts = config->hosts.items,
                 .host_count = config->hosts.count,
                 .head_max = config->max_head,
                 .auth = auth,
                 .origins = config->origins.items,
                 .origin_count = config->origins.count,
                 .access_log = !config->no_access_log,
                 .base_path = config->base_path,
                 .trust = config->trust,
                 },
        .event_threads = (unsigned)config->event_threads,
        .connections_max = (unsigned)config->max_connections,
        .address_connections_max = (unsigned)config->max_connections_per_address,
        .client_rate_max = config->max_requests_per_second,
        .head_timeout_s = (unsigned)config->head_timeout_s,
        .body_timeout_s = (unsigned)config->body_timeout_s,
        .idle_timeout_s = (unsigned)config->idle_timeout_s,
        .body_rate_min = config->min_body_rate,
    };

    return server_start(service, &settings, listeners, err);
}

static int serve(const struct config *config)
{
    auto_listeners struct listeners listeners = {0};
    struct error err;
    const struct auth_settings who = {config->token_file, config->peer_scopes.items,
                                      config->peer_scopes.count};
    auto_auth struct auth *auth = auth_open(&who, &err);
    auto_fd int signals = auth ? supervisor_signals(&err) : -1;
    auto_service struct service *service = signals < 0 ? NULL : open_service(config, &err);

    if (!service)
        return fail(&err);
    log_store(config, service);
    if (!open_listeners(config, &listeners, &err))
        return fail(&err);
    const struct listeners opened = listeners;
    struct server *server = start_server(config, service, auth, &listeners, &err);
    if (!server)
        return fail(&err);
    for (size_t i = 0; i < opened.count; i++)
        log_event(LOG_INFO, "listening", LOG_TEXT("address", opened.items[i].address));
    supervisor_run(server, auth, signals, (unsigned)config->drain_s);
    server_stop(server);
    return 0;
}

int main(int argc, char *argv[])
{
    const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;
    auto_config struct config config = {0};
    struct error err;

    signal(SIGPIPE, SIG_IGN); /* what cannot be written is an error that is told */
    if (command)
        return command->run(argc - 1, argv + 1);
    if (!config_read(argc, argv, &config, &err))
        return fail(&err);
    if (config.help || config.version) {
        (config.help ? commands_print_help : config_print_version)(stdout);
        return 0;
    }
    log_open(config.log_format, config.log_level);
    prepare_process();
    return serve(&config);
}
