#include <string.h>

#include "codec/event.h"
#include "tests/check.h"

#define EPOCH UINT64_C(0x0123456789abcdef)

static void an_event_is_a_block_with_id_and_time(void **state)
{
    const struct event event = {EVENT_CREATED, 42, 1767323045678, "web-42"};
    auto_text struct text out = {0};

    (void)state;
    event_write(&out, EPOCH, &event);
    assert_string_equal(text_str(&out),
                        "event: created\nid: 0123456789abcdef-42\n"
                        "data: {\"id\":\"web-42\",\"at\":\"2026-01-02T03:04:05.678Z\"}\n\n");
}

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (enum event_kind i = 0; i < EVENT__COUNT; i++)
        for (enum event_kind j = 0; j < i; j++)
            assert_string_not_equal(event_kind_name(i), event_kind_name(j));
}

static void a_reset_tells_where_to_go_on(void **state)
{
    const struct event_position position = {1, UINT64_MAX};
    auto_text struct text out = {0};

    (void)state;
    event_write_reset(&out, &position);
    assert_string_equal(text_str(&out),
                        "event: reset\nid: 0000000000000001-18446744073709551615\ndata: {}\n\n");
}

/* Without data a block is no event to a client, but its id counts. */
static void a_position_has_no_data_and_a_comment_nothing_at_all(void **state)
{
    const struct event_position position = {EPOCH, 0};
    auto_text struct text out = {0};

    (void)state;
    event_write_position(&out, &position);
    event_write_comment(&out);
    assert_string_equal(text_str(&out), "id: 0123456789abcdef-0\n\n:\n\n");
}

static void a_block_without_memory_is_remembered(void **state)
{
    const struct event event = {EVENT_DELETED, 1, 0, "a"};
    auto_text struct text out = {.max = 60};

    (void)state;
    event_write(&out, EPOCH, &event);
    assert_true(text_failed(&out));
}

static void assert_comes_back(uint64_t epoch, uint64_t number)
{
    const struct event_position position = {epoch, number};
    struct event_position again;
    auto_text struct text out = {0};

    event_write_position(&out, &position);
    out.data[strcspn(out.data, "\n")] = '\0';
    assert_true(event_parse_position(out.data + strlen("id: "), &again));
    assert_int_equal(again.epoch, epoch);
    assert_int_equal(again.number, number);
}

static void ids_lead_back_to_their_positions(void **state)
{
    (void)state;
    assert_comes_back(0, 0);
    assert_comes_back(EPOCH, 42);
    assert_comes_back(UINT64_MAX, UINT64_MAX);
}

static void other_ids_name_no_position(void **state)
{
    static const char *const ids[] = {
        "", "-", "42", "0123456789abcdef", "0123456789abcdef-", "0123456789abcde-42",
        "0123456789abcdef0-42", "0123456789ABCDEF-42", "0123456789abcdef-4x", "0123456789abcdef--1",
        "0123456789abcdef-42 ", " 0123456789abcdef-42", "0x23456789abcdef-42"};
    struct event_position position;

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_false(event_parse_position(ids[i], &position));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_block_with_id_and_time),
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
        cmocka_unit_test(a_reset_tells_where_to_go_on),
        cmocka_unit_test(a_position_has_no_data_and_a_comment_nothing_at_all),
        cmocka_unit_test(a_block_without_memory_is_remembered),
        cmocka_unit_test(ids_lead_back_to_their_positions),
        cmocka_unit_test(other_ids_name_no_position),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
