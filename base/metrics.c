#include "base/metrics.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/lane.h"

#define US(n) ((uint64_t)(n)*1000)
#define MS(n) ((uint64_t)(n)*1000000)
#define S(n)  ((uint64_t)(n)*1000000000)

/* An answer from memory takes some 50 us, a durable write some ms; a body may take minutes. */
static const uint64_t request_bounds[] = {US(100), US(250), US(500), MS(1), US(2500), MS(5),
                                          MS(10), MS(25), MS(50), MS(100), MS(250), MS(500),
                                          S(1), MS(2500), S(5), S(10), S(60), S(300),
                                          0};

/* A link is there at once; copying goes by the disk's speed. */
static const uint64_t capture_bounds[] = {MS(1), MS(5), MS(25), MS(100), MS(500),
                                          S(1), S(5), S(30), S(120), S(600), S(3600), 0};

/* clang-format off */
/* id, name, type, unit, labels, sparse, bounds, help */
const struct metric_info metric_table[METRIC__COUNT] = {
    {METRIC_REQUESTS, "vmsnapd_requests_total", METRIC_COUNTER, UNIT_NONE, {LABEL_OPERATION, LABEL_STATUS}, true, NULL,
     "Requests that are over, by operation and status; 0 where the client left without an answer"},
    {METRIC_REQUEST_DURATION, "vmsnapd_request_duration_seconds", METRIC_HISTOGRAM, UNIT_SECONDS, {LABEL_OPERATION}, true, request_bounds,
     "Time from the first line of a request to the last byte of its answer"},
    {METRIC_REQUEST_BYTES, "vmsnapd_request_bytes_total", METRIC_COUNTER, UNIT_BYTES, {LABEL_OPERATION}, true, NULL,
     "Bytes received in the bodies of requests"},
    {METRIC_RESPONSE_BYTES, "vmsnapd_response_bytes_total", METRIC_COUNTER, UNIT_BYTES, {LABEL_OPERATION}, true, NULL,
     "Bytes sent in the bodies of answers"},
    {METRIC_REQUEST_FAILURES, "vmsnapd_request_failures_total", METRIC_COUNTER, UNIT_NONE, {LABEL_CODE}, false, NULL,
     "Requests answered with a problem, by its code"},
    {METRIC_REQUESTS_ABORTED, "vmsnapd_requests_aborted_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Requests whose connection ended before the last byte of the answer"},
    {METRIC_REQUESTS_RUNNING, "vmsnapd_requests_running", METRIC_LEVEL, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Requests begun and not yet answered in full"},
    {METRIC_CONNECTIONS, "vmsnapd_connections", METRIC_LEVEL, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Connections that are open"},
    {METRIC_CONNECTIONS_MAX, "vmsnapd_connections_max", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Connections that may be open at a time; further ones are refused"},
    {METRIC_CONNECTIONS_ACCEPTED, "vmsnapd_connections_accepted_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Connections accepted"},
    {METRIC_CAPTURE_DURATION, "vmsnapd_capture_duration_seconds", METRIC_HISTOGRAM, UNIT_SECONDS, {LABEL_CAPTURE}, false, capture_bounds,
     "Time that captures of memory took, by what they turned out to be"},
    {METRIC_CAPTURED_BYTES, "vmsnapd_captured_bytes_total", METRIC_COUNTER, UNIT_BYTES, {LABEL_CAPTURE}, false, NULL,
     "Bytes of memory captured, holes included"},
    {METRIC_SNAPSHOTS, "vmsnapd_snapshots", METRIC_GAUGE, UNIT_NONE, {LABEL_SNAPSHOT_STATUS}, false, NULL,
     "Snapshots in the store, as its catalogue has them"},
    {METRIC_SNAPSHOT_BYTES, "vmsnapd_snapshot_bytes", METRIC_GAUGE, UNIT_BYTES, {LABEL_FILE}, false, NULL,
     "Sizes of the snapshots' files together, holes included"},
    {METRIC_SNAPSHOT_ALLOCATED_BYTES, "vmsnapd_snapshot_allocated_bytes", METRIC_GAUGE, UNIT_BYTES, {LABEL_NONE}, false, NULL,
     "Bytes of disk behind the snapshots' memory; what several share counts for each"},
    {METRIC_SNAPSHOTS_COUNTED, "vmsnapd_snapshots_counted_timestamp_seconds", METRIC_GAUGE, UNIT_SECONDS, {LABEL_NONE}, false, NULL,
     "When the catalogue was last compared with the disk as a whole"},
    {METRIC_SNAPSHOTS_PRUNED, "vmsnapd_snapshots_pruned_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Snapshots removed by plans of retention"},
    {METRIC_WATCHED, "vmsnapd_watched_directories", METRIC_LEVEL, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Directories of snapshots that are watched, as they are not ready, or have not long been"},
    {METRIC_WATCH_LIMITED, "vmsnapd_watch_limited", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "1 while limits of the kernel keep directories from being watched"},
    {METRIC_WATCH_WAKEUPS, "vmsnapd_watch_wakeups_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Times that changes in the store were looked at, of which each time may bring many"},
    {METRIC_WATCH_READS, "vmsnapd_watch_reads_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Snapshots read because another process changed something about them"},
    {METRIC_WATCH_LOSSES, "vmsnapd_watch_losses_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Times that changes came faster than the kernel keeps them, and all snapshots were looked at"},
    {METRIC_RESCANS, "vmsnapd_rescans_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Times that all snapshots were looked at in the background"},
    {METRIC_RESCAN_DURATION, "vmsnapd_rescan_duration_seconds", METRIC_GAUGE, UNIT_SECONDS, {LABEL_NONE}, false, NULL,
     "Time that the last of them took, of which three quarters are rests"},
    {METRIC_EVENTS, "vmsnapd_events_total", METRIC_COUNTER, UNIT_NONE, {LABEL_EVENT}, false, NULL,
     "Events told, by what happened"},
    {METRIC_EVENT_STREAMS, "vmsnapd_event_streams", METRIC_LEVEL, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Streams of events that are open"},
    {METRIC_EVENT_STREAMS_DROPPED, "vmsnapd_event_streams_dropped_total", METRIC_COUNTER, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Streams of events that were ended since their reader was too slow"},
    {METRIC_STORE_SIZE_BYTES, "vmsnapd_store_size_bytes", METRIC_GAUGE, UNIT_BYTES, {LABEL_NONE}, false, NULL,
     "Size of the store's filesystem"},
    {METRIC_STORE_FREE_BYTES, "vmsnapd_store_free_bytes", METRIC_GAUGE, UNIT_BYTES, {LABEL_NONE}, false, NULL,
     "Bytes of it that can still be used without being root"},
    {METRIC_STORE_INODES, "vmsnapd_store_inodes", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Inodes of the store's filesystem, where it has a fixed number"},
    {METRIC_STORE_FREE_INODES, "vmsnapd_store_free_inodes", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Inodes of it that can still be used without being root"},
    {METRIC_STORE_MEASURED, "vmsnapd_store_measured_timestamp_seconds", METRIC_GAUGE, UNIT_SECONDS, {LABEL_NONE}, false, NULL,
     "When the store's filesystem was last asked"},
    {METRIC_LANE_THREADS, "vmsnapd_lane_threads", METRIC_GAUGE, UNIT_NONE, {LABEL_LANE}, false, NULL,
     "Threads for work that may wait for a disk"},
    {METRIC_LANE_BUSY_THREADS, "vmsnapd_lane_busy_threads", METRIC_GAUGE, UNIT_NONE, {LABEL_LANE}, false, NULL,
     "Threads of them that are at work"},
    {METRIC_LANE_QUEUED, "vmsnapd_lane_queued", METRIC_GAUGE, UNIT_NONE, {LABEL_LANE}, false, NULL,
     "Pieces of work that wait for a thread"},
    {METRIC_LANE_QUEUE_MAX, "vmsnapd_lane_queue_max", METRIC_GAUGE, UNIT_NONE, {LABEL_LANE}, false, NULL,
     "Pieces of work that may wait; further ones are refused"},
    {METRIC_LANE_WORK, "vmsnapd_lane_work_total", METRIC_COUNTER, UNIT_NONE, {LABEL_LANE}, false, NULL,
     "Pieces of work taken on"},
    {METRIC_LANE_REFUSED, "vmsnapd_lane_refused_total", METRIC_COUNTER, UNIT_NONE, {LABEL_LANE}, false, NULL,
     "Pieces of work refused, as too many waited"},
    {METRIC_BUILD_INFO, "vmsnapd_build_info", METRIC_GAUGE, UNIT_NONE, {LABEL_VERSION}, false, NULL,
     "1, with the version that is running"},
    {METRIC_PROCESS_CPU, "process_cpu_seconds_total", METRIC_COUNTER, UNIT_SECONDS, {LABEL_NONE}, false, NULL,
     "CPU time of all threads, in user and kernel mode"},
    {METRIC_PROCESS_RESIDENT_BYTES, "process_resident_memory_bytes", METRIC_GAUGE, UNIT_BYTES, {LABEL_NONE}, false, NULL,
     "Memory that is resident"},
    {METRIC_PROCESS_VIRTUAL_BYTES, "process_virtual_memory_bytes", METRIC_GAUGE, UNIT_BYTES, {LABEL_NONE}, false, NULL,
     "Memory that is mapped"},
    {METRIC_PROCESS_OPEN_FDS, "process_open_fds", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Descriptors that are open"},
    {METRIC_PROCESS_MAX_FDS, "process_max_fds", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Descriptors that may be open"},
    {METRIC_PROCESS_THREADS, "process_threads", METRIC_GAUGE, UNIT_NONE, {LABEL_NONE}, false, NULL,
     "Threads that are running"},
    {METRIC_PROCESS_START_TIME, "process_start_time_seconds", METRIC_GAUGE, UNIT_SECONDS, {LABEL_NONE}, false, NULL,
     "When the process started"},
};
/* clang-format on */

/* Those of openapi.yaml, the frequent ones first, and 0 for no answer. */
static const uint16_t statuses[] = {200, 304, 201, 204, 206, 404, 409, 422, 400,
                                    401, 403, 405, 406, 412, 413, 415, 416, 421,
                                    429, 431, 500, 501, 503, 507, 0, STATUS_OTHER};
#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])

static const size_t label_sizes[LABEL__COUNT] = {
    1,                     /* LABEL_NONE */
    METRIC_OPERATIONS_MAX, /* LABEL_OPERATION */
    STATUS_COUNT,          /* LABEL_STATUS */
    ERR__COUNT,            /* LABEL_CODE */
    LANE__COUNT,           /* LABEL_LANE */
    METRIC_ENUM_MAX,       /* LABEL_CAPTURE */
    METRIC_ENUM_MAX,       /* LABEL_SNAPSHOT_STATUS */
    FILE__COUNT,           /* LABEL_FILE */
    METRIC_ENUM_MAX,       /* LABEL_EVENT */
    1,                     /* LABEL_VERSION */
};

size_t metrics_status(unsigned status)
{
    size_t place = 0;

    while (place < STATUS_COUNT - 1 && statuses[place] != status)
        place++;
    return place;
}

unsigned metrics_status_at(size_t place)
{
    return statuses[place];
}

size_t metrics_label_size(enum metric_label label)
{
    return label_sizes[label];
}

size_t metrics_series_count(enum metric metric)
{
    return metrics_series(&metric_table[metric],
                          metrics_label_size(metric_table[metric].labels[0]), 0);
}

size_t metrics_bound_count(const struct metric_info *info)
{
    size_t count = 0;

    while (info->bounds && info->bounds[count] > 0)
        count++;
    return count;
}

/* Counters are kept once for each of these, and added up when they are read: processors that count
 * the same thing do not wait for each other's cache lines. */
#define SHARDS     8
#define CACHE_LINE 64

#define UNKNOWN UINT64_MAX

struct metrics {
    size_t cells;                     /* of a shard, of which each begins a cache line */
    size_t first[METRIC__COUNT];      /* the cell where a metric begins */
    size_t cells_each[METRIC__COUNT]; /* of a series: 1, or a histogram's buckets and its sum */
    _Atomic uint64_t values[] __attribute__((aligned(CACHE_LINE)));
};

static size_t lay_out(struct metrics *metrics)
{
    size_t at = 0;

    for (enum metric i = 0; i < METRIC__COUNT; i++) {
        size_t bounds = metrics_bound_count(&metric_table[i]);
        assert(bounds <= METRIC_BOUNDS_MAX);
        metrics->first[i] = at;
        metrics->cells_each[i] = bounds > 0 ? bounds + 2 : 1;
        at += metrics_series_count(i) * metrics->cells_each[i];
    }
    const size_t line = CACHE_LINE / sizeof metrics->values[0];
    return (at + line - 1) / line * line;
}

static void forget_gauges(struct metrics *metrics)
{
    for (enum metric i = 0; i < METRIC__COUNT; i++)
        for (size_t at = 0; at < metrics_series_count(i); at++)
            if (metric_table[i].type == METRIC_GAUGE)
                metrics_set(metrics, i, at, UNKNOWN);
}

struct metrics *metrics_new(struct error *err)
{
    struct metrics layout;
    size_t cells = lay_out(&layout);
    size_t size = sizeof layout + SHARDS * cells * sizeof layout.values[0];
    struct metrics *metrics = aligned_alloc(CACHE_LINE, size);

    if (!metrics) {
        error_memory(err);
        return NULL;
    }
    memset(metrics, 0, size);
    lay_out(metrics);
    metrics->cells = cells;
    forget_gauges(metrics);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

static size_t cell_of(const struct metrics *metrics, enum metric metric, size_t series)
{
    assert(series < metrics_series_count(metric));
    return metrics->first[metric] + series * metrics->cells_each[metric];
}

/* The thread may be moved to another processor at any moment: that costs time, and nothing else. */
static _Atomic uint64_t *shard_here(struct metrics *metrics)
{
    return metrics->values + (unsigned)sched_getcpu() % SHARDS * metrics->cells;
}

static void add(_Atomic uint64_t *cell, uint64_t amount)
{
    atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
}

static uint64_t sum(const struct metrics *metrics, size_t cell)
{
    uint64_t total = 0;

    for (size_t i = 0; i < SHARDS; i++)
        total += atomic_load_explicit(&metrics->values[i * metrics->cells + cell],
                                      memory_order_relaxed);
    return total;
}

void metrics_add(struct metrics *metrics, enum metric metric, size_t series, uint64_t amount)
{
    add(&shard_here(metrics)[cell_of(metrics, metric, series)], amount);
}

void metrics_set(struct metrics *metrics, enum metric metric, size_t series, uint64_t value)
{
    atomic_store_explicit(&metrics->values[cell_of(metrics, metric, series)], value,
                          memory_order_relaxed);
}

void metrics_observe(struct metrics *metrics, enum metric metric, size_t series, uint64_t ns)
{
    const uint64_t *bounds = metric_table[metric].bounds;
    _Atomic uint64_t *cells = &shard_here(metrics)[cell_of(metrics, metric, series)];
    size_t bucket = 0;

    while (bounds[bucket] > 0 && ns > bounds[bucket])
        bucket++;
    add(&cells[bucket], 1);
    add(&cells[metrics->cells_each[metric] - 1], ns);
}

bool metrics_read(const struct metrics *metrics, enum metric metric, size_t series, uint64_t *out)
{
    uint64_t value = sum(metrics, cell_of(metrics, metric, series));

    if (metric_table[metric].type == METRIC_GAUGE && value == UNKNOWN)
        return false;
    *out = value;
    return true;
}

void metrics_read_histogram(const struct metrics *metrics, enum metric metric, size_t series,
                            struct histogram *out)
{
    size_t cell = cell_of(metrics, metric, series);
    size_t buckets = metrics->cells_each[metric] - 1;

    for (size_t i = 0; i < buckets; i++)
        out->counts[i] = sum(metrics, cell + i);
    out->sum_ns = sum(metrics, cell + buckets);
}
