#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "commands.h"
#include "config.h"

#include "api/listen.h"
#include "api/server.h"

/* Threads of the lanes wait far more than they allocate: a few heaps do for all of them. */
#define HEAPS_MAX 4

static int fail(const struct error *err)
{
    fprintf(stderr, "vmsnapd: %s\n", err->message);
    return 1;
}

/* Signals are taken by sigwait() in this thread; every other inherits the mask. */
static void prepare_process(sigset_t *endings)
{
    struct rlimit files;

    umask(0027);
    mallopt(M_ARENA_MAX, HEAPS_MAX); /* NOLINT(concurrency-mt-unsafe): no threads yet */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(endings);
    sigaddset(endings, SIGTERM);
    sigaddset(endings, SIGINT);
    pthread_sigmask(SIG_BLOCK, endings, NULL);
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
        .state_max_bytes = config->max_state_bytes,
    };

    return service_open(&settings, err);
}

static void log_start(const struct config *config, const struct service *service,
                      const char *address)
{
    const struct stage_abilities *can = &service->abilities;

    log_event(LOG_INFO, "store opened", LOG_TEXT("path", service->store->path),
              LOG_FLAG("link", can->link), LOG_FLAG("reflink", can->reflink),
              LOG_FLAG("writer_check", can->lease), LOG_NUMBER("uid", geteuid()),
              LOG_TEXT("capabilities", service->capabilities));
    if (service->leftovers > 0)
        log_event(LOG_WARN, "leftovers could not be removed",
                  LOG_NUMBER("directories", service->leftovers));
    if (config->memory_roots.count == 0)
        log_event(LOG_WARN,
                  "no --memory-root: only memory in a snapshot's own directory can be captured");
    log_event(LOG_INFO, "listening", LOG_TEXT("address", address));
}

static int serve(const struct config *config, const sigset_t *endings)
{
    const struct server_settings settings = {
        .http = {config->hosts.items, config->hosts.count},
        .event_threads = (unsigned)config->event_threads,
        .connections_max = (unsigned)config->max_connections,
        .idle_timeout_s = (unsigned)config->idle_timeout_s,
        .body_rate_min = config->min_body_rate,
    };
    char address[LISTEN_ADDRESS_SIZE];
    struct error err;
    int signal_number;
    auto_service struct service *service = open_service(config, &err);
    int listening = service ? listen_open(config->listen, address, &err) : -1;
    struct server *server =
        listening < 0 ? NULL : server_start(service, &settings, listening, &err);

    if (!server)
        return fail(&err);
    log_start(config, service, address);
    sigwait(endings, &signal_number);
    log_event(LOG_INFO, "stopping", LOG_TEXT("signal", sigabbrev_np(signal_number)));
    server_stop(server, (unsigned)config->drain_s);
    return 0;
}

int main(int argc, char *argv[])
{
    const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;
    auto_config struct config config = {0};
    struct error err;
    sigset_t endings;

    if (command)
        return command->run(argc - 1, argv + 1);
    if (!config_read(argc, argv, &config, &err))
        return fail(&err);
    if (config.help || config.version) {
        (config.help ? commands_print_help : config_print_version)(stdout);
        return 0;
    }
    log_open(config.log_format, config.log_level);
    prepare_process(&endings);
    return serve(&config, &endings);
}
