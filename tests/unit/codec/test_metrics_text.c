#include <string.h>

#include "base/lane.h"
#include "codec/metrics_text.h"
#include "codec/model.h"
#include "tests/check.h"

static const struct metrics_words words = {
    .operations = {"getManifest", NULL, "unmatched"},
    .version = "1.2.3"
};

/* The lines of one metric, in one format. */
static void assert_lines(const struct metrics *metrics, enum metrics_format format,
                         const char *name, const char *expected)
{
    auto_text struct text out = {0};
    auto_text struct text begin = {0};
    struct error err;

    assert_succeeds(metrics_text(metrics, format, &words, &out, &err));
    text_appendf(&begin, "# HELP %s ", name);
    const char *from = strstr(out.data, begin.data);
    assert_non_null(from);
    from = strchr(from, '\n') + 1; /* the help is the table's */
    const char *end = strstr(from, "# HELP");
    size_t len = end ? (size_t)(end - from) : strlen(from);
    if (len != strlen(expected) || memcmp(from, expected, len) != 0)
        fail_msg("%.*s", (int)len, from);
}

static void a_counter_has_a_line_for_each_series(void **state)
{
    struct error err;
    auto_metrics struct metrics *metrics = metrics_new(&err);

    (void)state;
    metrics_add(metrics, METRIC_LANE_REFUSED, LANE_PUBLISH, 3);
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_lane_refused_total",
                 "# TYPE vmsnapd_lane_refused_total counter\n"
                 "vmsnapd_lane_refused_total{lane=\"read\"} 0\n"
                 "vmsnapd_lane_refused_total{lane=\"publish\"} 3\n"
                 "vmsnapd_lane_refused_total{lane=\"bulk\"} 0\n");
}

static void openmetrics_names_a_counter_without_total_and_ends_in_eof(void **state)
{
    struct error err;
    auto_metrics struct metrics *metrics = metrics_new(&err);
    auto_text struct text out = {0};

    (void)state;
    metrics_set(metrics, METRIC_PROCESS_CPU, 0, 1500000000);
    assert_lines(metrics, METRICS_OPENMETRICS, "process_cpu_seconds",
                 "# TYPE process_cpu_seconds counter\n"
                 "# UNIT process_cpu_seconds seconds\n"
                 "process_cpu_seconds_total 1.5\n");
    assert_lines(metrics, METRICS_PROMETHEUS, "process_cpu_seconds_total",
                 "# TYPE process_cpu_seconds_total counter\n"
                 "process_cpu_seconds_total 1.5\n");
    assert_succeeds(metrics_text(metrics, METRICS_OPENMETRICS, &words, &out, &err));
    assert_string_equal(out.data + out.len - 7, "\n# EOF\n");
}

static void series_without_a_value_are_left_out(void **state)
{
    struct error err;
    auto_metrics struct metrics *metrics = metrics_new(&err);
    const struct metric_info *info = &metric_table[METRIC_REQUESTS];

    (void)state;
    metrics_add(metrics, METRIC_REQUESTS, metrics_series(info, 0, metrics_status(200)), 5);
    metrics_add(metrics, METRIC_REQUESTS, metrics_series(info, 2, metrics_status(0)), 1);
    metrics_add(metrics, METRIC_REQUESTS, metrics_series(info, 2, metrics_status(299)), 2);
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_requests_total",
                 "# TYPE vmsnapd_requests_total counter\n"
                 "vmsnapd_requests_total{operation=\"getManifest\",status=\"200\"} 5\n"
                 "vmsnapd_requests_total{operation=\"unmatched\",status=\"0\"} 1\n"
                 "vmsnapd_requests_total{operation=\"unmatched\",status=\"other\"} 2\n");
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_snapshots",
                 "# TYPE vmsnapd_snapshots gauge\n");
    metrics_set(metrics, METRIC_SNAPSHOTS, SNAPSHOT_DAMAGED, 0);
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_snapshots",
                 "# TYPE vmsnapd_snapshots gauge\nvmsnapd_snapshots{status=\"damaged\"} 0\n");
}

#define BUCKET(le, count) \
    "vmsnapd_request_duration_seconds_bucket{operation=\"getManifest\",le=\"" le "\"} " count "\n"

static void buckets_add_up_and_bounds_are_exact(void **state)
{
    struct error err;
    auto_metrics struct metrics *metrics = metrics_new(&err);

    (void)state;
    metrics_observe(metrics, METRIC_REQUEST_DURATION, 0, 250000);
    metrics_observe(metrics, METRIC_REQUEST_DURATION, 0, 2500000000);
    metrics_observe(metrics, METRIC_REQUEST_DURATION, 0, 301000000000);
    assert_lines(metrics, METRICS_OPENMETRICS, "vmsnapd_request_duration_seconds",
                 "# TYPE vmsnapd_request_duration_seconds histogram\n"
                 "# UNIT vmsnapd_request_duration_seconds seconds\n"
                 /* clang-format off */
                 BUCKET("0.0001", "0") BUCKET("0.00025", "1") BUCKET("0.0005", "1")
                 BUCKET("0.001", "1") BUCKET("0.0025", "1") BUCKET("0.005", "1")
                 BUCKET("0.01", "1") BUCKET("0.025", "1") BUCKET("0.05", "1")
                 BUCKET("0.1", "1") BUCKET("0.25", "1") BUCKET("0.5", "1")
                 BUCKET("1.0", "1") BUCKET("2.5", "2") BUCKET("5.0", "2")
                 BUCKET("10.0", "2") BUCKET("60.0", "2") BUCKET("300.0", "2") BUCKET("+Inf", "3")
                 /* clang-format on */
                 "vmsnapd_request_duration_seconds_sum{operation=\"getManifest\"} 303.50025\n"
                 "vmsnapd_request_duration_seconds_count{operation=\"getManifest\"} 3\n");
}

/* Every word a series can have, in label after label. */
static void values_of_labels_are_the_words_of_documents(void **state)
{
    struct error err;
    auto_metrics struct metrics *metrics = metrics_new(&err);

    (void)state;
    metrics_set(metrics, METRIC_BUILD_INFO, 0, 1);
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_build_info",
                 "# TYPE vmsnapd_build_info gauge\nvmsnapd_build_info{version=\"1.2.3\"} 1\n");
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_captured_bytes_total",
                 "# TYPE vmsnapd_captured_bytes_total counter\n"
                 "vmsnapd_captured_bytes_total{capture=\"link\"} 0\n"
                 "vmsnapd_captured_bytes_total{capture=\"reflink\"} 0\n"
                 "vmsnapd_captured_bytes_total{capture=\"copy\"} 0\n");
    metrics_set(metrics, METRIC_SNAPSHOT_BYTES, FILE_MEMORY, UINT64_MAX - 1);
    metrics_set(metrics, METRIC_SNAPSHOT_BYTES, FILE_STATE, 0);
    assert_lines(metrics, METRICS_PROMETHEUS, "vmsnapd_snapshot_bytes",
                 "# TYPE vmsnapd_snapshot_bytes gauge\n"
                 "vmsnapd_snapshot_bytes{file=\"memory\"} 18446744073709551614\n"
                 "vmsnapd_snapshot_bytes{file=\"state\"} 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_has_a_line_for_each_series),
        cmocka_unit_test(openmetrics_names_a_counter_without_total_and_ends_in_eof),
        cmocka_unit_test(series_without_a_value_are_left_out),
        cmocka_unit_test(buckets_add_up_and_bounds_are_exact),
        cmocka_unit_test(values_of_labels_are_the_words_of_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
