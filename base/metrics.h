/* What is counted and measured: one table of metrics, and their values. Safe from any thread.
 *
 * A metric has a series for each value of its labels, or one if it has none. The values are known
 * beforehand and few: nothing that a client sends becomes a label. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/own.h"

enum metric {
    METRIC_REQUESTS,
    METRIC_REQUEST_DURATION,
    METRIC_REQUEST_BYTES,
    METRIC_RESPONSE_BYTES,
    METRIC_REQUEST_FAILURES,
    METRIC_REQUESTS_ABORTED,
    METRIC_REQUESTS_RUNNING,
    METRIC_CONNECTIONS,
    METRIC_CONNECTIONS_MAX,
    METRIC_CONNECTIONS_ACCEPTED,
    METRIC_CAPTURE_DURATION,
    METRIC_CAPTURED_BYTES,
    METRIC_SNAPSHOTS,
    METRIC_SNAPSHOT_BYTES,
    METRIC_SNAPSHOT_ALLOCATED_BYTES,
    METRIC_SNAPSHOTS_COUNTED,
    METRIC_SNAPSHOTS_PRUNED,
    METRIC_WATCHED,
    METRIC_WATCH_LIMITED,
    METRIC_WATCH_WAKEUPS,
    METRIC_WATCH_READS,
    METRIC_WATCH_LOSSES,
    METRIC_RESCANS,
    METRIC_RESCAN_DURATION,
    METRIC_EVENTS,
    METRIC_EVENT_STREAMS,
    METRIC_EVENT_STREAMS_DROPPED,
    METRIC_STORE_SIZE_BYTES,
    METRIC_STORE_FREE_BYTES,
    METRIC_STORE_INODES,
    METRIC_STORE_FREE_INODES,
    METRIC_STORE_MEASURED,
    METRIC_LANE_THREADS,
    METRIC_LANE_BUSY_THREADS,
    METRIC_LANE_QUEUED,
    METRIC_LANE_QUEUE_MAX,
    METRIC_LANE_WORK,
    METRIC_LANE_REFUSED,
    METRIC_BUILD_INFO,
    METRIC_PROCESS_CPU,
    METRIC_PROCESS_RESIDENT_BYTES,
    METRIC_PROCESS_VIRTUAL_BYTES,
    METRIC_PROCESS_OPEN_FDS,
    METRIC_PROCESS_MAX_FDS,
    METRIC_PROCESS_THREADS,
    METRIC_PROCESS_START_TIME,
    METRIC__COUNT
};

enum metric_type {
    METRIC_COUNTER,   /* only rises */
    METRIC_GAUGE,     /* is set; unknown, and not shown, until it first is */
    METRIC_LEVEL,     /* a gauge that is counted up and down */
    METRIC_HISTOGRAM, /* of durations */
};

/* In what its values are kept. */
enum metric_unit {
    UNIT_NONE,
    UNIT_BYTES,
    UNIT_SECONDS, /* kept in nanoseconds */
};

enum metric_label {
    LABEL_NONE,
    LABEL_OPERATION,
    LABEL_STATUS,          /* of an answer: see metrics_status() */
    LABEL_CODE,            /* enum error_code */
    LABEL_LANE,            /* enum lane_kind */
    LABEL_CAPTURE,         /* enum capture */
    LABEL_SNAPSHOT_STATUS, /* enum snapshot_status */
    LABEL_FILE,            /* enum metric_file */
    LABEL_EVENT,           /* enum event_kind */
    LABEL_VERSION,
    LABEL__COUNT
};

/* How many values a label may have whose values other layers know. */
#define METRIC_OPERATIONS_MAX 48
#define METRIC_ENUM_MAX       8

enum metric_file {
    FILE_MEMORY,
    FILE_STATE,
    FILE__COUNT
};

#define METRIC_LABELS_MAX 2

struct metric_info {
    enum metric id; /* its place in the table */
    const char *name;
    enum metric_type type;
    enum metric_unit unit;
    enum metric_label labels[METRIC_LABELS_MAX];
    bool is_sparse;         /* a series is shown only once it is not zero */
    const uint64_t *bounds; /* of a histogram: ascending, 0 ends them */
    const char *help;       /* a sentence without a full stop */
};

extern const struct metric_info metric_table[METRIC__COUNT];

/* The place of an HTTP status among the values of LABEL_STATUS, and back. Those that no answer of
 * ours has share the last place, whose status is STATUS_OTHER. */
#define STATUS_OTHER 999
size_t metrics_status(unsigned status);
unsigned metrics_status_at(size_t place);

size_t metrics_label_size(enum metric_label label); /* how many values it can have; 1 for none */
size_t metrics_series_count(enum metric metric);
size_t metrics_bound_count(const struct metric_info *info); /* without the infinite one */

/* The series of these two label values. A metric with one label has its series in the order of the
 * values. */
static inline size_t metrics_series(const struct metric_info *info, size_t first, size_t second)
{
    return first * metrics_label_size(info->labels[1]) + second;
}

struct metrics;

/* NULL with ERR_INTERNAL without memory. */
struct metrics *metrics_new(struct error *err);
void metrics_free(struct metrics *metrics);
OWN(struct metrics, metrics_free)
#define auto_metrics AUTO(metrics_free)

/* Of a counter or a level, by any amount; a level also by -1. */
void metrics_add(struct metrics *metrics, enum metric metric, size_t series, uint64_t amount);

/* Of a gauge, or of a counter that somebody else keeps. */
void metrics_set(struct metrics *metrics, enum metric metric, size_t series, uint64_t value);

/* One more duration in a histogram. */
void metrics_observe(struct metrics *metrics, enum metric metric, size_t series, uint64_t ns);

/* A value; false while it is unknown. */
bool metrics_read(const struct metrics *metrics, enum metric metric, size_t series, uint64_t *out);

#define METRIC_BOUNDS_MAX 20

struct histogram {
    uint64_t counts[METRIC_BOUNDS_MAX + 1]; /* not cumulative; the last one is beyond the bounds */
    uint64_t sum_ns;
};

void metrics_read_histogram(const struct metrics *metrics, enum metric metric, size_t series,
                            struct histogram *out);
