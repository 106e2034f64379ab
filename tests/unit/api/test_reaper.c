#include <sys/socket.h>
#include <unistd.h>

#include "api/reaper.h"
#include "base/clock.h"
#include "tests/check.h"

#define SECOND ((uint64_t)1000000000)

static uint64_t deadline(const struct watched *watched)
{
    return atomic_load(&watched->deadline_ns);
}

static void who_is_late_is_cut_and_who_is_not_stays(void **state)
{
    struct reaper reaper;
    struct watched late = {0};
    struct watched calm = {0};
    struct error err;
    int cut[2];
    int kept[2];
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, cut), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, kept), 0);
    assert_succeeds(reaper_start(&reaper, &err));
    reaper_watch(&reaper, &late, cut[0]);
    reaper_watch(&reaper, &calm, kept[0]);
    reaper_allow(&late, 1);
    assert_int_equal(read(cut[1], &byte, 1), 0); /* waits for the reaper */
    assert_int_equal(write(kept[0], "x", 1), 1);
    assert_int_equal(read(kept[1], &byte, 1), 1);
    reaper_forget(&reaper, &late);
    reaper_forget(&reaper, &calm);
    reaper_stop(&reaper);
    for (int i = 0; i < 2; i++) {
        close(cut[i]);
        close(kept[i]);
    }
}

static void a_limit_only_ever_comes_nearer(void **state)
{
    struct watched watched = {0};

    (void)state;
    reaper_limit(&watched, 5000);
    uint64_t first = deadline(&watched);
    assert_true(first > clock_monotonic_ns());
    reaper_limit(&watched, 10000);
    assert_true(deadline(&watched) == first);
    reaper_limit(&watched, 1000);
    assert_true(deadline(&watched) < first);
    reaper_allow(&watched, 0);
    assert_true(deadline(&watched) == 0);
}

static void a_body_earns_time_by_its_bytes_but_never_more_than_its_grace(void **state)
{
    struct watched watched = {0};

    (void)state;
    reaper_begin_body(&watched, 10000);
    reaper_credit(&watched, 1 << 20, 1024);
    assert_true(watched.budget_ns == 10 * SECOND);
    watched.mark_ns -= 6 * SECOND; /* as if that much had passed */
    reaper_credit(&watched, 2048, 1024);
    assert_in_range(watched.budget_ns, 59 * SECOND / 10, 6 * SECOND);
    watched.mark_ns -= 7 * SECOND;
    reaper_credit(&watched, 1, 1024); /* too little, too late */
    assert_true(deadline(&watched) <= clock_monotonic_ns() + SECOND / 100);
}

static void the_servers_own_time_is_not_the_clients(void **state)
{
    struct watched watched = {0};

    (void)state;
    reaper_begin_body(&watched, 10000);
    reaper_allow(&watched, 0);
    watched.mark_ns -= 60 * SECOND;
    reaper_resume_body(&watched);
    assert_true(deadline(&watched) > clock_monotonic_ns() + 9 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_late_is_cut_and_who_is_not_stays),
        cmocka_unit_test(a_limit_only_ever_comes_nearer),
        cmocka_unit_test(a_body_earns_time_by_its_bytes_but_never_more_than_its_grace),
        cmocka_unit_test(the_servers_own_time_is_not_the_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
