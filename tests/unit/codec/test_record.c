#include "codec/record.h"
#include "tests/check.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define TAIL                                                              \
    "\"request_sha256\":\"" SHA_A "\",\"manifest_sha256\":\"" SHA_B "\"," \
    "\"state_size_bytes\":\"18446744073709551615\",\"state_sha256\":\"" SHA_A "\"}"

static const char whole[] = "{\"capture\":\"reflink\",\"labels\":{\"a\":\"1\",\"b\":\"\"},"
                            "\"held\":true,\"vmm_args\":[\"--uefi\"]," TAIL;

static bool parse(const char *json, struct record *out, struct error *err)
{
    return record_from_json(json, strlen(json), out, err);
}

static void assert_written_back(const char *json)
{
    struct error err = {0};
    auto_record struct record record = {0};
    auto_text struct text out = {0};

    assert_succeeds(parse(json, &record, &err));
    assert_succeeds(record_to_json(&record, &out, &err));
    assert_string_equal(text_str(&out), json);
}

static void all_members_are_read_and_written(void **state)
{
    (void)state;
    assert_written_back(whole);
}

static void arguments_that_were_not_given_are_told_from_none(void **state)
{
    (void)state;
    assert_written_back("{\"capture\":\"link\",\"labels\":{},\"held\":false," TAIL);
    assert_written_back("{\"capture\":\"link\",\"labels\":{},\"held\":false,"
                        "\"vmm_args\":[]," TAIL);
}

static void a_capture_of_openvmms_own_is_null(void **state)
{
    (void)state;
    assert_written_back("{\"capture\":null,\"labels\":{},\"held\":true," TAIL);
}

static void digests_that_were_not_recorded_are_empty(void **state)
{
    (void)state;
    assert_written_back("{\"capture\":\"copy\",\"labels\":{},\"held\":false,"
                        "\"request_sha256\":\"\",\"manifest_sha256\":\"\","
                        "\"state_size_bytes\":0,\"state_sha256\":\"\"}");
}

static void records_of_earlier_versions_hold_nothing(void **state)
{
    struct error err = {0};
    auto_record struct record record = {.held = true};

    (void)state;
    assert_succeeds(parse("{\"capture\":\"link\",\"labels\":{}," TAIL, &record, &err));
    assert_false(record.held);
}

static void members_of_later_versions_are_passed_over(void **state)
{
    struct error err = {0};
    auto_record struct record record = {0};

    (void)state;
    assert_succeeds(parse("{\"hold\":{\"until\":1.5},\"capture\":\"link\",\"labels\":{}," TAIL,
                          &record, &err));
    assert_int_equal(record.capture, CAPTURE_LINK);
}

static void what_is_no_record_is_damaged(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"labels\":{}," TAIL,
        "{\"capture\":\"isolate\",\"labels\":{}," TAIL,
        "{\"capture\":\"\",\"labels\":{}," TAIL,
        "{\"capture\":\"link\",\"labels\":null," TAIL,
        "{\"capture\":\"link\",\"labels\":{\"a\":null}," TAIL,
        "{\"capture\":\"link\",\"labels\":{},\"held\":null," TAIL,
        "{\"capture\":\"link\",\"labels\":{\"/\":\"\"}," TAIL,
        "{\"capture\":\"link\",\"capture\":\"link\",\"labels\":{}," TAIL,
        "{\"capture\":\"link\",\"labels\":{},\"held\":1," TAIL,
        "{\"capture\":\"link\",\"labels\":{},\"vmm_args\":[1]," TAIL,
        "{\"capture\":\"link\",\"labels\":{},\"a\\u0000\":1," TAIL,
        "{\"capture\":\"copy\",\"labels\":{},\"request_sha256\":\"\",\"manifest_sha256\":\"abc\","
        "\"state_size_bytes\":0,\"state_sha256\":\"\"}",
        "{\"capture\":\"copy\",\"labels\":{},\"request_sha256\":\"" SHA_A "a\","
        "\"manifest_sha256\":\"\",\"state_size_bytes\":0,\"state_sha256\":\"\"}",
        "{\"capture\":\"copy\",\"labels\":{},\"request_sha256\":\"\",\"manifest_sha256\":\"\","
        "\"state_size_bytes\":-1,\"state_sha256\":\"\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        struct record record = {.state_size_bytes = 7};
        assert_fails(parse(bad[i], &record, &err), ERR_DAMAGED);
        assert_int_equal(record.state_size_bytes, 7);
    }
}

static void damage_is_named(void **state)
{
    struct error err = {0};
    struct record record = {0};

    (void)state;
    assert_fails(parse("{\"capture\":\"isolate\",\"labels\":{}," TAIL, &record, &err), ERR_DAMAGED);
    assert_string_equal(err.message,
                        "snapshot.json is not a record: /capture must be link, reflink or copy");
}

static void writing_fails_where_there_is_no_room(void **state)
{
    struct error err = {0};
    struct record record = {.capture = CAPTURE_LINK};
    auto_text struct text out = {.max = 20};

    (void)state;
    assert_fails(record_to_json(&record, &out, &err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_read_and_written),
        cmocka_unit_test(arguments_that_were_not_given_are_told_from_none),
        cmocka_unit_test(a_capture_of_openvmms_own_is_null),
        cmocka_unit_test(digests_that_were_not_recorded_are_empty),
        cmocka_unit_test(records_of_earlier_versions_hold_nothing),
        cmocka_unit_test(members_of_later_versions_are_passed_over),
        cmocka_unit_test(what_is_no_record_is_damaged),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(writing_fails_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
