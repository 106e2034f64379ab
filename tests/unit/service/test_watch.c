#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "service/rescan.h"
#include "service/watch.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

#define ID   "s"
#define PAGE ((size_t)4096)

static void pause_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static bool is_awaited(struct claims *claims)
{
    pthread_mutex_lock(&claims->mutex);
    bool is_awaited = claims->first && claims->first->is_awaited;
    pthread_mutex_unlock(&claims->mutex);
    return is_awaited;
}

static bool is_ready(struct service *service)
{
    struct catalog_entry entry;

    return catalog_find(service->catalog, ID, &entry) && entry.status == SNAPSHOT_READY;
}

static uint64_t find_deadline(void)
{
    return clock_monotonic_ns() + UINT64_C(30000000000);
}

static void what_is_being_written_is_looked_at_when_its_writer_is_done(void **state)
{
    struct fixture *fixture = *state;
    struct service *service = fixture->service;
    struct error err = {0};
    struct claim writer;
    uint64_t deadline = find_deadline();

    assert_succeeds(claim_take(&service->claims, ID, &writer, &err));
    openvmm_save(fixture_snapshot(fixture, ID, "").text, PAGE, 'm', 1);
    while (!is_awaited(&service->claims) && clock_monotonic_ns() < deadline)
        pause_a_moment();
    assert_true(is_awaited(&service->claims));
    assert_false(is_ready(service));
    claim_release(&writer);
    deadline = find_deadline();
    while (!is_ready(service) && clock_monotonic_ns() < deadline)
        pause_a_moment();
    assert_true(is_ready(service));
}

static void await_first_rescan(struct service *service)
{
    const uint64_t deadline = find_deadline();
    uint64_t count = 0;

    while (metrics_read(service->metrics, METRIC_RESCANS, 0, &count) && count == 0
           && clock_monotonic_ns() < deadline)
        pause_a_moment();
    assert_true(count > 0);
}

/* The watch hears of nothing: the rescan must bring it. */
static void what_was_lost_is_found_when_a_rescan_is_requested(void **state)
{
    struct fixture *fixture = *state;
    struct service *service = fixture->service;
    const uint64_t deadline = find_deadline();

    await_first_rescan(service);
    watch_stop(service->watch);
    openvmm_save(fixture_snapshot(fixture, ID, "").text, PAGE, 'm', 1);
    assert_false(is_ready(service));
    rescan_request(service->rescan, RECONCILE_NAMES, 0);
    while (!is_ready(service) && clock_monotonic_ns() < deadline)
        pause_a_moment();
    assert_true(is_ready(service));
}

static void it_can_be_stopped_twice_and_mentioned_to_afterwards(void **state)
{
    struct fixture *fixture = *state;
    struct watch *watch = fixture->service->watch;

    watch_stop(watch);
    watch_stop(watch);
    watch_mention(watch, ID, WATCH_UNFINISHED);
    watch_mention(watch, ID, WATCH_RELEASED);
    watch_review(watch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_being_written_is_looked_at_when_its_writer_is_done),
        TEST(what_was_lost_is_found_when_a_rescan_is_requested),
        TEST(it_can_be_stopped_twice_and_mentioned_to_afterwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
