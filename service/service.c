#include "service/service.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/process.h"
#include "service/rescan.h"
#include "service/watch.h"
#include "service/writer.h"

/* Threads per lane. Publishing waits for flushes, which the filesystem commits together: it gains
 * from many at once. */
static const unsigned lane_threads[LANE__COUNT] = {
    4,  /* LANE_READ */
    32, /* LANE_PUBLISH */
    2,  /* LANE_BULK */
};

static bool start_lanes(struct service *service, size_t queue_max, struct error *err)
{
    for (enum lane_kind i = 0; i < LANE__COUNT; i++) {
        service->lanes[i] = lane_start(lane_name(i), lane_threads[i], queue_max, err);
        if (!service->lanes[i])
            return false;
    }
    return true;
}

/* What another user than the VMM's needs: see README.md. */
static void list_capabilities(char *out, size_t size)
{
    static const struct {
        unsigned number;
        const char *name;
    } wanted[] = {
        {CAP_CHOWN,        "CHOWN"       },
        {CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
        {CAP_FOWNER,       "FOWNER"      },
        {CAP_LEASE,        "LEASE"       },
    };
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    size_t len = 0;

    syscall(SYS_capget, &header, data);
    snprintf(out, size, "none");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (data[wanted[i].number / 32].effective & 1U << wanted[i].number % 32)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "," : "", wanted[i].name);
}

/* A full disk must not keep out the service by which room is made. */
static bool probe(struct service *service, struct error *err)
{
    service->probed = stage_probe(service->store, &service->abilities, err);
    return service->probed || err->code == ERR_NO_SPACE;
}

static bool open_store(struct service *service, const struct service_settings *settings,
                       struct error *err)
{
    service->store = store_open(settings->store, settings->lock_wait_s, err);
    if (!service->store)
        return false;
    list_capabilities(service->capabilities, sizeof service->capabilities);
    service->leftovers = stage_recover(service->store);
    return probe(service, err);
}

static void note_release(void *context, const char *id)
{
    const struct service *service = context;

    watch_mention(service->watch, id, WATCH_RELEASED);
}

static void note_event(void *context, enum event_kind kind, const char *id)
{
    const struct service *service = context;

    if (kind == EVENT_INCOMPLETE || kind == EVENT_DAMAGED)
        watch_mention(service->watch, id, WATCH_UNFINISHED);
}

/* The catalogue as it is on disk when the first request comes, and from then on. If it cannot be
 * brought there now, upkeep goes on trying, and lists wait. */
static bool open_catalog(struct service *service, unsigned rescan_s, struct error *err)
{
    service->catalog = catalog_open(service->store, service->metrics, service->events, err);
    if (!service->catalog || !(service->watch = watch_open(service, err)))
        return false;
    claims_listen(&service->claims, note_release, service);
    catalog_listen(service->catalog, note_event, service);
    if (!upkeep_start(service, err))
        return false;
    reconcile_all(service,
                  catalog_was_closed(service->catalog) ? RECONCILE_NAMES : RECONCILE_LOOKS,
                  reconcile_threads());
    return (service->rescan = rescan_start(service, rescan_s, err))
        && watch_start(service->watch, err);
}

static bool open_metrics(struct service *service, struct error *err)
{
    service->metrics = metrics_new(err);
    if (!service->metrics)
        return false;
    process_note_start(service->metrics);
    metrics_set(service->metrics, METRIC_BUILD_INFO, 0, 1);
    return true;
}

struct service *service_open(const struct service_settings *settings, struct error *err)
{
    auto_service struct service *service = calloc(1, sizeof *service);

    if (!service) {
        error_memory(err);
        return NULL;
    }
    writer_prepare();
    claims_open(&service->claims);
    service->capture = settings->capture;
    service->state_max_bytes = settings->state_max_bytes;
    unsigned beat_ms = settings->event_beat_ms ? settings->event_beat_ms : EVENT_BEAT_MS;
    /* Without the store no thread is started. */
    return open_metrics(service, err)
            && (service->roots =
                    roots_open(settings->memory_roots, settings->memory_root_count, err))
            && open_store(service, settings, err)
            && (service->cache = cache_open(service->store, err))
            && (service->events = event_hub_open(service->metrics, beat_ms, err))
            && open_catalog(service, settings->rescan_s, err)
            && start_lanes(service, settings->queue_max, err)
        ? TAKE(service)
        : NULL;
}

static void measure_lane(struct metrics *metrics, enum lane_kind kind, struct lane *lane)
{
    const struct lane_load load = lane_measure(lane);

    metrics_set(metrics, METRIC_LANE_THREADS, kind, load.threads);
    metrics_set(metrics, METRIC_LANE_BUSY_THREADS, kind, load.busy);
    metrics_set(metrics, METRIC_LANE_QUEUED, kind, load.queued);
    metrics_set(metrics, METRIC_LANE_QUEUE_MAX, kind, load.queue_max);
    metrics_set(metrics, METRIC_LANE_WORK, kind, load.taken);
    metrics_set(metrics, METRIC_LANE_REFUSED, kind, load.refused);
}

void service_measure(struct service *service)
{
    for (enum lane_kind i = 0; i < LANE__COUNT; i++)
        measure_lane(service->metrics, i, service->lanes[i]);
    process_measure(service->metrics);
}

void service_drain(struct service *service)
{
    atomic_store(&service->is_draining, true);
}

void service_close(struct service *service)
{
    if (!service)
        return;
    for (size_t i = 0; i < LANE__COUNT; i++)
        lane_stop(service->lanes[i]);
    watch_stop(service->watch);
    rescan_stop(service->rescan);
    upkeep_stop(service);
    watch_close(service->watch);
    catalog_close(service->catalog);
    event_hub_close(service->events);
    cache_close(service->cache);
    store_close(service->store);
    roots_close(service->roots);
    claims_close(&service->claims);
    metrics_free(service->metrics);
    free(service);
}
