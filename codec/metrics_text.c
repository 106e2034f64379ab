#include "codec/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/lane.h"
#include "codec/event.h"
#include "codec/model.h"

_Static_assert(CAPTURE__COUNT <= METRIC_ENUM_MAX, "a capture has no place in the metrics");
_Static_assert(SNAPSHOT__COUNT <= METRIC_ENUM_MAX, "a status has no place in the metrics");
_Static_assert(EVENT__COUNT <= METRIC_ENUM_MAX, "an event has no place in the metrics");

#define NS_PER_S 1000000000U

struct exposition {
    const struct metrics *metrics;
    const struct metrics_words *words;
    bool is_openmetrics;
    struct text *out;
};

static const char *const label_names[LABEL__COUNT] = {
    NULL, "operation", "status", "code", "lane", "capture", "status", "file", "event", "version"};
static const char *const type_names[] = {"counter", "gauge", "gauge", "histogram"};
static const char *const unit_names[] = {NULL, "bytes", "seconds"};
static const char *const file_names[FILE__COUNT] = {"memory", "state"};

#define STATUS_SIZE 8

static const char *status_value(size_t place, char room[STATUS_SIZE])
{
    unsigned status = metrics_status_at(place);

    if (status == STATUS_OTHER)
        return "other";
    snprintf(room, STATUS_SIZE, "%u", status);
    return room;
}

/* No capture turns out to be one by isolation. */
static const char *capture_value(enum capture capture)
{
    return capture < CAPTURE__COUNT && capture != CAPTURE_ISOLATE ? capture_name(capture) : NULL;
}

/* A value of a label; NULL where it has none in that place. */
static const char *value_at(const struct exposition *to, enum metric_label label, size_t place,
                            char room[STATUS_SIZE])
{
    switch (label) {
    case LABEL_OPERATION:
        return to->words->operations[place];
    case LABEL_STATUS:
        return status_value(place, room);
    case LABEL_CODE:
        return place == ERR_NONE ? NULL : error_slug((enum error_code)place);
    case LABEL_LANE:
        return lane_name((enum lane_kind)place);
    case LABEL_CAPTURE:
        return capture_value((enum capture)place);
    case LABEL_SNAPSHOT_STATUS:
        return place < SNAPSHOT__COUNT ? snapshot_status_name((enum snapshot_status)place) : NULL;
    case LABEL_FILE:
        return file_names[place];
    case LABEL_EVENT:
        return place < EVENT__COUNT ? event_kind_name((enum event_kind)place) : NULL;
    case LABEL_VERSION:
        return to->words->version;
    default:
        return NULL;
    }
}

#define LABELS_SIZE 128

/* `operation="getManifest",status="200"`: our own words, which need no escaping. False if the
 * series does not exist. */
static bool name_labels(const struct exposition *to, const struct metric_info *info, size_t series,
                        char out[LABELS_SIZE])
{
    const size_t second = metrics_label_size(info->labels[1]);
    const size_t places[METRIC_LABELS_MAX] = {series / second, series % second};
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < METRIC_LABELS_MAX && info->labels[i] != LABEL_NONE; i++) {
        char room[STATUS_SIZE];
        const char *value = value_at(to, info->labels[i], places[i], room);
        if (!value)
            return false;
        len += (size_t)snprintf(out + len, LABELS_SIZE - len, "%s%s=\"%s\"", i > 0 ? "," : "",
                                label_names[info->labels[i]], value);
    }
    return true;
}

#define SECONDS_SIZE 32

/* Exact, with as few digits as that takes, but always a fraction: OpenMetrics wants bounds so, and
 * in the other format the same series must not be called otherwise. */
static const char *tell_seconds(uint64_t ns, char out[SECONDS_SIZE])
{
    int len = snprintf(out, SECONDS_SIZE, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);

    while (out[len - 1] == '0' && out[len - 2] != '.')
        out[--len] = '\0';
    return out;
}

static void tell_value(const struct exposition *to, const struct metric_info *info,
                       const char *labels, uint64_t value)
{
    char seconds[SECONDS_SIZE];
    const char *open = *labels ? "{" : "";
    const char *close = *labels ? "}" : "";

    if (info->unit == UNIT_SECONDS)
        text_appendf(to->out, "%s%s%s%s %s\n", info->name, open, labels, close,
                     tell_seconds(value, seconds));
    else
        text_appendf(to->out, "%s%s%s%s %" PRIu64 "\n", info->name, open, labels, close, value);
}

static void tell_single(const struct exposition *to, const struct metric_info *info, size_t series,
                        const char *labels)
{
    uint64_t value;

    if (metrics_read(to->metrics, info->id, series, &value) && (value > 0 || !info->is_sparse))
        tell_value(to, info, labels, value);
}

static uint64_t total_of(const struct histogram *histogram, size_t bounds)
{
    uint64_t total = 0;

    for (size_t i = 0; i <= bounds; i++)
        total += histogram->counts[i];
    return total;
}

static void tell_histogram(const struct exposition *to, const struct metric_info *info,
                           size_t series, const char *labels)
{
    const size_t bounds = metrics_bound_count(info);
    struct histogram histogram;
    char seconds[SECONDS_SIZE];
    uint64_t below = 0;

    metrics_read_histogram(to->metrics, info->id, series, &histogram);
    uint64_t total = total_of(&histogram, bounds);
    if (total == 0 && info->is_sparse)
        return;
    for (size_t i = 0; i < bounds; i++)
        text_appendf(to->out, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", info->name, labels,
                     tell_seconds(info->bounds[i], seconds), below += histogram.counts[i]);
    text_appendf(to->out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", info->name, labels, total);
    text_appendf(to->out, "%s_sum{%s} %s\n", info->name, labels,
                 tell_seconds(histogram.sum_ns, seconds));
    text_appendf(to->out, "%s_count{%s} %" PRIu64 "\n", info->name, labels, total);
}

/* In OpenMetrics a counter's samples end in _total, and the counter itself does not. */
static void tell_metadata(const struct exposition *to, const struct metric_info *info)
{
    const size_t ending = info->type == METRIC_COUNTER && to->is_openmetrics ? strlen("_total") : 0;
    const int len = (int)(strlen(info->name) - ending);

    text_appendf(to->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, info->name, info->help, len,
                 info->name, type_names[info->type]);
    if (to->is_openmetrics && info->unit != UNIT_NONE)
        text_appendf(to->out, "# UNIT %.*s %s\n", len, info->name, unit_names[info->unit]);
}

static void tell_metric(const struct exposition *to, const struct metric_info *info)
{
    char labels[LABELS_SIZE];

    tell_metadata(to, info);
    for (size_t series = 0; series < metrics_series_count(info->id); series++) {
        if (!name_labels(to, info, series, labels))
            continue;
        if (info->type == METRIC_HISTOGRAM)
            tell_histogram(to, info, series, labels);
        else
            tell_single(to, info, series, labels);
    }
}

bool metrics_text(const struct metrics *metrics, enum metrics_format format,
                  const struct metrics_words *words, struct text *out, struct error *err)
{
    const struct exposition to = {metrics, words, format == METRICS_OPENMETRICS, out};

    for (size_t i = 0; i < METRIC__COUNT; i++)
        tell_metric(&to, &metric_table[i]);
    if (to.is_openmetrics)
        text_appends(out, "# EOF\n");
    return !text_failed(out) || error_memory(err);
}
