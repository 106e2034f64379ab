#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"
#include "base/process.h"
#include "tests/check.h"

static int set_up(void **state)
{
    struct error err;

    *state = metrics_new(&err);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    metrics_free(*state);
    return 0;
}

static bool ends_in(const char *name, const char *ending)
{
    size_t len = strlen(name);

    return len > strlen(ending) && strcmp(name + len - strlen(ending), ending) == 0;
}

/* prometheus.io/docs/practices/naming: our prefix or the customary one, and units in names. */
static void the_table_is_in_order_and_its_names_say_type_and_unit(void **state)
{
    (void)state;
    for (enum metric i = 0; i < METRIC__COUNT; i++) {
        const struct metric_info *info = &metric_table[i];
        const char *unit = info->unit == UNIT_BYTES ? "_bytes" : "_seconds";
        char with_total[32];
        snprintf(with_total, sizeof with_total, "%s_total", unit);
        assert_int_equal(info->id, i);
        assert_true(strncmp(info->name, "vmsnapd_", 8) == 0
                    || strncmp(info->name, "process_", 8) == 0);
        assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(info->name));
        assert_int_equal(ends_in(info->name, "_total"), info->type == METRIC_COUNTER);
        if (info->unit != UNIT_NONE)
            assert_true(ends_in(info->name, unit) || ends_in(info->name, with_total));
        assert_int_equal(strcspn(info->help, "\\\n"), strlen(info->help));
        assert_false(ends_in(info->help, "."));
    }
}

static void bounds_ascend_and_belong_to_histograms_of_seconds(void **state)
{
    (void)state;
    for (enum metric i = 0; i < METRIC__COUNT; i++) {
        const struct metric_info *info = &metric_table[i];
        size_t count = metrics_bound_count(info);
        assert_int_equal(count > 0, info->type == METRIC_HISTOGRAM);
        assert_true(count <= METRIC_BOUNDS_MAX);
        for (size_t j = 1; j < count; j++)
            assert_true(info->bounds[j - 1] < info->bounds[j]);
        if (count > 0) {
            assert_int_equal(info->unit, UNIT_SECONDS);
            assert_int_not_equal(info->labels[0], LABEL_NONE);
        }
    }
}

static void a_gauge_is_unknown_until_it_is_set(void **state)
{
    uint64_t value = 7;

    assert_false(metrics_read(*state, METRIC_SNAPSHOTS, 1, &value));
    assert_int_equal(value, 7);
    metrics_set(*state, METRIC_SNAPSHOTS, 1, 0);
    assert_true(metrics_read(*state, METRIC_SNAPSHOTS, 1, &value));
    assert_int_equal(value, 0);
    assert_false(metrics_read(*state, METRIC_SNAPSHOTS, 2, &value));
}

static void a_status_has_a_place_of_its_own_or_shares_the_last(void **state)
{
    static const unsigned known[] = {0, 200, 304, 404, 507};
    size_t last = metrics_label_size(LABEL_STATUS) - 1;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(metrics_status_at(metrics_status(known[i])), known[i]);
    assert_int_equal(metrics_status(299), last);
    assert_int_equal(metrics_status_at(last), STATUS_OTHER);
}

static void a_duration_falls_into_the_first_bucket_that_bounds_it(void **state)
{
    const uint64_t *bounds = metric_table[METRIC_CAPTURE_DURATION].bounds;
    size_t last = metrics_bound_count(&metric_table[METRIC_CAPTURE_DURATION]);
    struct histogram histogram;

    metrics_observe(*state, METRIC_CAPTURE_DURATION, 1, 0);
    metrics_observe(*state, METRIC_CAPTURE_DURATION, 1, bounds[0]);
    metrics_observe(*state, METRIC_CAPTURE_DURATION, 1, bounds[0] + 1);
    metrics_observe(*state, METRIC_CAPTURE_DURATION, 1, bounds[last - 1] + 1);
    metrics_read_histogram(*state, METRIC_CAPTURE_DURATION, 1, &histogram);
    assert_int_equal(histogram.counts[0], 2);
    assert_int_equal(histogram.counts[1], 1);
    assert_int_equal(histogram.counts[last], 1);
    assert_int_equal(histogram.sum_ns, 2 * bounds[0] + 1 + bounds[last - 1] + 1);
    metrics_read_histogram(*state, METRIC_CAPTURE_DURATION, 2, &histogram);
    assert_int_equal(histogram.sum_ns, 0);
}

static void write_series(struct metrics *metrics, enum metric metric, size_t series, uint64_t value)
{
    if (metric_table[metric].type == METRIC_HISTOGRAM)
        metrics_observe(metrics, metric, series, value);
    else if (metric_table[metric].type == METRIC_GAUGE)
        metrics_set(metrics, metric, series, value);
    else
        metrics_add(metrics, metric, series, value);
}

static uint64_t read_series(const struct metrics *metrics, enum metric metric, size_t series)
{
    struct histogram histogram;
    uint64_t value;

    if (metric_table[metric].type != METRIC_HISTOGRAM) {
        assert_true(metrics_read(metrics, metric, series, &value));
        return value;
    }
    metrics_read_histogram(metrics, metric, series, &histogram);
    return histogram.sum_ns;
}

static void no_two_series_share_a_value(void **state)
{
    uint64_t value = 0;

    for (enum metric i = 0; i < METRIC__COUNT; i++)
        for (size_t at = 0; at < metrics_series_count(i); at++)
            write_series(*state, i, at, value++);
    value = 0;
    for (enum metric i = 0; i < METRIC__COUNT; i++)
        for (size_t at = 0; at < metrics_series_count(i); at++)
            assert_int_equal(read_series(*state, i, at), value++);
}

#define ROUNDS 20000

static void *count_up_and_down(void *metrics)
{
    for (int i = 0; i < ROUNDS; i++) {
        metrics_add(metrics, METRIC_CONNECTIONS, 0, 1);
        metrics_add(metrics, METRIC_REQUESTS_ABORTED, 0, 2);
        metrics_add(metrics, METRIC_CONNECTIONS, 0, (uint64_t)-1);
    }
    return NULL;
}

static void nothing_is_lost_where_threads_count_at_once(void **state)
{
    pthread_t threads[4];
    uint64_t value;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up_and_down, *state), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(metrics_read(*state, METRIC_CONNECTIONS, 0, &value));
    assert_int_equal(value, 0);
    assert_true(metrics_read(*state, METRIC_REQUESTS_ABORTED, 0, &value));
    assert_int_equal(value, 8ULL * ROUNDS);
}

static void the_process_is_measured(void **state)
{
    uint64_t cpu;
    uint64_t resident;
    uint64_t mapped;
    uint64_t open;
    uint64_t most;

    process_measure(*state);
    assert_true(metrics_read(*state, METRIC_PROCESS_CPU, 0, &cpu) && cpu > 0);
    assert_true(metrics_read(*state, METRIC_PROCESS_RESIDENT_BYTES, 0, &resident));
    assert_true(metrics_read(*state, METRIC_PROCESS_VIRTUAL_BYTES, 0, &mapped));
    assert_true(resident > 100000 && mapped >= resident);
    assert_true(metrics_read(*state, METRIC_PROCESS_OPEN_FDS, 0, &open));
    assert_true(metrics_read(*state, METRIC_PROCESS_MAX_FDS, 0, &most));
    assert_true(open > 0 && open <= most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order_and_its_names_say_type_and_unit),
        cmocka_unit_test(bounds_ascend_and_belong_to_histograms_of_seconds),
        cmocka_unit_test_setup_teardown(a_gauge_is_unknown_until_it_is_set, set_up, tear_down),
        cmocka_unit_test(a_status_has_a_place_of_its_own_or_shares_the_last),
        cmocka_unit_test_setup_teardown(a_duration_falls_into_the_first_bucket_that_bounds_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_two_series_share_a_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_lost_where_threads_count_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_process_is_measured, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
