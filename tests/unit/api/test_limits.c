#include <stdio.h>

#include "api/limits.h"
#include "tests/check.h"

static void a_client_may_have_so_many_connections(void **state)
{
    struct error err;
    size_t places[4];
    struct limits *limits = limits_new(2, 0, 8, &err);

    (void)state;
    assert_true(limits_connect(limits, "192.0.2.1", &places[0]));
    assert_true(limits_connect(limits, "192.0.2.1", &places[1]));
    assert_true(limits_connect(limits, "192.0.2.2", &places[2]));
    assert_false(limits_connect(limits, "192.0.2.1", &places[3]));
    limits_disconnect(limits, places[3]); /* it counted, too */
    assert_false(limits_connect(limits, "192.0.2.1", &places[3]));
    limits_disconnect(limits, places[3]);
    limits_disconnect(limits, places[0]);
    assert_true(limits_connect(limits, "192.0.2.1", &places[0]));
    limits_free(limits);
}

static void addresses_of_a_network_are_one_client(void **state)
{
    struct error err;
    size_t place;
    struct limits *limits = limits_new(1, 0, 8, &err);

    (void)state;
    assert_true(limits_connect(limits, "2001:db8:0:1::1", &place));
    assert_false(limits_connect(limits, "2001:db8:0:1:ffff::2", &place));
    assert_true(limits_connect(limits, "2001:db8:0:2::1", &place));
    limits_free(limits);
}

/* The clock runs on: at 100 a second what comes back meanwhile is little. */
static void a_client_may_send_a_seconds_worth_at_once(void **state)
{
    struct error err;
    unsigned taken = 0;
    struct limits *limits = limits_new(0, 100, 8, &err);

    (void)state;
    while (limits_take(limits, "ci"))
        taken++;
    assert_in_range(taken, 100, 150);
    assert_true(limits_take(limits, "other"));
    limits_free(limits);
}

static void what_was_used_comes_back_with_time(void **state)
{
    struct error err;
    unsigned refused = 0;
    struct limits *limits = limits_new(0, 1000, 8, &err);

    (void)state;
    while (limits_take(limits, "ci"))
        continue;
    while (!limits_take(limits, "ci")) /* some time later */
        refused++;
    assert_true(refused > 0);
    limits_free(limits);
}

static void limits_of_0_are_none(void **state)
{
    struct error err;
    size_t place;
    struct limits *limits = limits_new(0, 0, 8, &err);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(limits_connect(limits, "192.0.2.1", &place));
        assert_true(limits_take(limits, "ci"));
    }
    limits_disconnect(limits, place);
    limits_free(limits);
}

static void more_clients_than_can_be_told_apart_are_let_through(void **state)
{
    struct error err;
    size_t place;
    struct limits *limits = limits_new(1, 1, 8, &err);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char address[32];
        snprintf(address, sizeof address, "192.0.%d.%d", i / 250, i % 250);
        assert_true(limits_connect(limits, address, &place));
    }
    limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_may_have_so_many_connections),
        cmocka_unit_test(addresses_of_a_network_are_one_client),
        cmocka_unit_test(a_client_may_send_a_seconds_worth_at_once),
        cmocka_unit_test(what_was_used_comes_back_with_time),
        cmocka_unit_test(limits_of_0_are_none),
        cmocka_unit_test(more_clients_than_can_be_told_apart_are_let_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
