/* What a server tells Prometheus of its requests, its store and itself. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/test.h"

#define OPENMETRICS "Accept: application/openmetrics-text; version=1.0.0"

static void assert_series(struct test *test, const char *series, double expected)
{
    double value = test_series(test, series);

    if (value < expected || value > expected)
        fail_msg("%s is %g, not %g", series, value, expected);
}

/* What is counted when an answer is gone, or found out only after a request for it. */
static void await_series(struct test *test, const char *series, double expected)
{
    const uint64_t deadline = clock_monotonic_ns() + 20000000000U;
    double value;

    while ((value = test_series(test, series)) < expected || value > expected)
        if (clock_monotonic_ns() > deadline)
            fail_msg("%s stays %g, not %g", series, value, expected);
}

static void requests_are_counted_by_operation_and_status(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 8192, 7);
    auto_answer struct answer missing = {0};
    auto_answer struct answer found = {0};
    auto_answer struct answer bad = {0};

    test_create(test, "a", &memory, 2);
    test_get(test, "/snapshots/none", &missing);
    test_get(test, "/snapshots/a", &found);
    test_send(test, "POST", "/snapshots", &bad, "{");
    await_series(test, "vmsnapd_requests_total{operation=\"createSnapshot\",status=\"201\"}", 1);
    await_series(test, "vmsnapd_requests_total{operation=\"createSnapshot\",status=\"400\"}", 1);
    await_series(test, "vmsnapd_requests_total{operation=\"getSnapshot\",status=\"200\"}", 1);
    await_series(test, "vmsnapd_requests_total{operation=\"getSnapshot\",status=\"404\"}", 1);
    await_series(test, "vmsnapd_request_failures_total{code=\"malformed_json\"}", 1);
    await_series(test, "vmsnapd_request_failures_total{code=\"not_found\"}", 1);
    await_series(test, "vmsnapd_request_failures_total{code=\"io_error\"}", 0);
    await_series(test, "vmsnapd_request_duration_seconds_count{operation=\"getSnapshot\"}", 2);
    assert_true(test_series(test, "vmsnapd_request_duration_seconds_sum"
                                  "{operation=\"createSnapshot\"}")
                > 0);
    await_series(test, "vmsnapd_response_bytes_total{operation=\"getSnapshot\"}",
                 (double)(found.body.len + missing.body.len));
    assert_true(test_series(test, "vmsnapd_request_bytes_total"
                                  "{operation=\"createSnapshot\"}")
                > 60);
    await_series(test, "vmsnapd_capture_duration_seconds_count{capture=\"link\"}", 1);
    await_series(test, "vmsnapd_captured_bytes_total{capture=\"link\"}", 8192);
}

static void nothing_that_a_client_sends_becomes_a_label(void **state)
{
    static const char *const paths[] = {"/s3cret", "/snapshots/s3cret", "/snapshots/s3cret/s3cret",
                                        "/snapshots?s3cret=1", "/%zz"};
    struct test *test = *state;
    auto_answer struct answer answer = {0};
    auto_answer struct answer method = {0};
    auto_answer struct answer metrics = {0};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        test_get(test, paths[i], &answer);
        answer_clear(&answer);
    }
    test_call(test, &(struct call){.method = "S3CRET", .path = "/snapshots"}, &method);
    assert_int_equal(method.status, 405);
    test_get(test, "/metrics", &metrics);
    assert_null(strstr(metrics.body.data, "s3cret"));
    assert_null(strstr(metrics.body.data, "S3CRET"));
    await_series(test, "vmsnapd_requests_total{operation=\"unmatched\",status=\"404\"}", 2);
    await_series(test, "vmsnapd_requests_total{operation=\"unmatched\",status=\"400\"}", 1);
    await_series(test, "vmsnapd_requests_total{operation=\"unmatched\",status=\"405\"}", 1);
}

static void connections_are_counted_while_they_are_open(void **state)
{
    struct test *test = *state;
    int idle[3];

    for (int i = 0; i < 3; i++)
        idle[i] = raw_open(test);
    await_series(test, "vmsnapd_connections", 4); /* with the one that asks */
    assert_series(test, "vmsnapd_connections_max", 1024);
    await_series(test, "vmsnapd_requests_running", 1);
    for (int i = 0; i < 3; i++)
        close(idle[i]);
    await_series(test, "vmsnapd_connections", 1);
    assert_true(test_series(test, "vmsnapd_connections_accepted_total") >= 5);
}

static void who_leaves_without_an_answer_is_counted(void **state)
{
    struct test *test = *state;
    int fd = raw_open(test);

    raw_sends(fd, "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n");
    raw_sends(fd, JSON_BODY "\r\nContent-Length: 100\r\n\r\n{");
    await_series(test, "vmsnapd_requests_running", 2);
    assert_series(test, "vmsnapd_requests_aborted_total", 0);
    close(fd);
    await_series(test, "vmsnapd_requests_aborted_total", 1);
    await_series(test, "vmsnapd_requests_total{operation=\"createSnapshot\",status=\"0\"}", 1);
    await_series(test, "vmsnapd_requests_running", 1);
}

static void snapshots_are_counted_by_status_though_others_made_them(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 8192, 7);
    auto_answer struct answer removed = {0};
    auto_answer struct answer incomplete = {0};
    auto_answer struct answer damaged = {0};

    assert_series(test, "vmsnapd_snapshots{status=\"ready\"}", 0);
    test_create(test, "a", &memory, 2);
    test_create(test, "b", &memory, 2);
    disk_make_dir(fixture_snapshot(&test->fixture, "c", "").text);
    disk_make_dir(fixture_snapshot(&test->fixture, "d", "").text);
    test_write(fixture_snapshot(&test->fixture, "d", "manifest.bin").text, "\xff", 1);
    test_get(test, "/snapshots/c", &incomplete); /* by which they are noticed */
    test_get(test, "/snapshots/d", &damaged);
    assert_series(test, "vmsnapd_snapshots{status=\"damaged\"}", 1);
    assert_series(test, "vmsnapd_snapshots{status=\"ready\"}", 2);
    assert_series(test, "vmsnapd_snapshots{status=\"incomplete\"}", 1);
    assert_series(test, "vmsnapd_snapshot_bytes{file=\"memory\"}", 16384);
    assert_series(test, "vmsnapd_snapshot_bytes{file=\"state\"}", 0);
    assert_series(test, "vmsnapd_snapshot_allocated_bytes", 16384);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &removed);
    assert_series(test, "vmsnapd_snapshots{status=\"ready\"}", 1);
    assert_series(test, "vmsnapd_snapshot_bytes{file=\"memory\"}", 8192);
}

static void the_room_in_the_store_is_told(void **state)
{
    struct test *test = *state;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    while (test_series(test, "vmsnapd_store_measured_timestamp_seconds") < 0)
        continue;
    double measured = test_series(test, "vmsnapd_store_measured_timestamp_seconds");
    assert_true(measured > (double)now.tv_sec - 1 && measured < (double)now.tv_sec + 60);
    double size = test_series(test, "vmsnapd_store_size_bytes");
    double left = test_series(test, "vmsnapd_store_free_bytes");
    assert_true(left > 0 && left <= size);
}

static void the_format_is_chosen_by_accept(void **state)
{
    struct test *test = *state;
    auto_answer struct answer plain = {0};
    auto_answer struct answer open = {0};
    auto_answer struct answer none = {0};
    auto_answer struct answer head = {0};

    test_get(test, "/metrics", &plain);
    assert_string_equal(answer_header(&plain, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(answer_header(&plain, "Vary"), "Accept");
    assert_string_equal(answer_header(&plain, "Cache-Control"), "no-store");
    assert_null(strstr(plain.body.data, "# EOF"));
    test_call(test, &(struct call){.path = "/metrics", .headers = {OPENMETRICS}}, &open);
    assert_string_equal(answer_header(&open, "Content-Type"),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_string_equal(open.body.data + open.body.len - 6, "# EOF\n");
    test_call(test, &(struct call){.path = "/metrics", .headers = {"Accept: image/png"}}, &none);
    assert_problem(&none, 406, "not_acceptable");
    test_call(test, &(struct call){.method = "HEAD", .path = "/metrics"}, &head);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.body.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(requests_are_counted_by_operation_and_status),
        WITH_SERVER(nothing_that_a_client_sends_becomes_a_label),
        WITH_SERVER(connections_are_counted_while_they_are_open),
        WITH_SERVER(who_leaves_without_an_answer_is_counted),
        WITH_SERVER(snapshots_are_counted_by_status_though_others_made_them),
        WITH_SERVER(the_room_in_the_store_is_told),
        WITH_SERVER(the_format_is_chosen_by_accept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
