#include <stdio.h>

#include "codec/retention.h"
#include "tests/check.h"

static bool parse(const char *json, struct retention_policy *out, struct faults *faults,
                  struct error *err)
{
    return retention_policy_from_json(json, strlen(json), out, faults, err);
}

static void a_policy_has_all_its_members(void **state)
{
    struct error err;
    struct faults faults = {0};
    auto_retention_policy struct retention_policy policy = {0};

    (void)state;
    assert_succeeds(parse("{\"keep_last\":1,\"keep_hourly\":2,\"keep_daily\":3,\"keep_weekly\":4,"
                          "\"keep_monthly\":5,\"keep_yearly\":4294967295,"
                          "\"keep_within\":\"P1Y2M10DT2H30M\",\"max_bytes\":18446744073709551615,"
                          "\"group_by\":\"vm\",\"filter\":{\"label\":[\"tier:gold\"]}}",
                          &policy, &faults, &err));
    for (enum keep_rule i = 0; i < KEEP__COUNT; i++) {
        assert_true(policy.has_keep[i]);
        assert_int_equal(policy.keep[i], i == KEEP_YEARLY ? UINT32_MAX : i + 1);
    }
    assert_int_equal(policy.within.months, 14);
    assert_int_equal(policy.within.seconds, 10 * 86400 + 9000);
    assert_true(policy.has_max_bytes && policy.max_bytes == UINT64_MAX);
    assert_string_equal(policy.group_by, "vm");
    assert_string_equal(policy.filter.labels.items[0].value, "gold");
}

static void assert_enough(const char *json)
{
    struct error err;
    struct faults faults = {0};
    auto_retention_policy struct retention_policy policy = {0};

    assert_succeeds(parse(json, &policy, &faults, &err));
}

static void each_thing_that_says_what_to_keep_is_enough(void **state)
{
    (void)state;
    assert_enough("{\"keep_last\":1}");
    assert_enough("{\"keep_yearly\":\"7\"}");
    assert_enough("{\"keep_within\":\"P1W\"}");
    assert_enough("{\"max_bytes\":0}");
}

static void assert_refused(const char *json, const char *pointer)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_retention_policy struct retention_policy policy = {0};

    assert_fails(parse(json, &policy, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, pointer);
}

static void a_policy_that_would_keep_nothing_is_refused(void **state)
{
    (void)state;
    assert_refused("{}", "");
    assert_refused("{\"group_by\":\"vm\",\"filter\":{\"held\":false}}", "");
    assert_refused("{\"keep_last\":0}", "/keep_last");
    assert_refused("{\"keep_within\":\"P0D\"}", "/keep_within");
}

static void bad_members_are_named(void **state)
{
    (void)state;
    assert_refused("{\"keep_last\":-1}", "/keep_last");
    assert_refused("{\"keep_daily\":4294967296}", "/keep_daily");
    assert_refused("{\"keep_within\":\"1 day\"}", "/keep_within");
    assert_refused("{\"keep_within\":86400}", "/keep_within");
    assert_refused("{\"max_bytes\":-1}", "/max_bytes");
    assert_refused("{\"max_bytes\":1,\"group_by\":\"no key\"}", "/group_by");
    assert_refused("{\"max_bytes\":1,\"filter\":{\"status\":\"good\"}}", "/filter/status");
    assert_refused("{\"max_bytes\":1,\"filter\":[]}", "/filter");
    assert_refused("{\"max_bytes\":1,\"keep_minutely\":1}", "/keep_minutely");
    assert_refused("[]", "");
}

/* A ticket that has something of everything. */
static void make_ticket(struct retention_ticket *out)
{
    struct error err;
    struct faults faults = {0};

    assert_succeeds(parse("{\"keep_daily\":3,\"keep_within\":\"P1M\",\"max_bytes\":7,"
                          "\"group_by\":\"vm\",\"filter\":{\"label\":[\"a:b\",\"c\"],\"q\":\"x\","
                          "\"created_after\":{\"seconds\":1,\"nanos\":-1}}}",
                          &out->policy, &faults, &err));
    out->now = (struct timestamp){1767323045, 120000000};
    memset(out->set_sha256, 'a', SHA256_HEX_SIZE - 1);
}

static bool open_token(const char *token, struct retention_ticket *out, struct faults *faults,
                       struct error *err)
{
    auto_text struct text json = {0};

    assert_true(text_appendf(&json, "{\"token\":\"%s\"}", token));
    return retention_ticket_from_json(json.data, json.len, out, faults, err);
}

static void a_token_stands_for_its_ticket(void **state)
{
    struct error err;
    struct faults faults = {0};
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_ticket struct retention_ticket again = {0};
    auto_text struct text token = {0};
    auto_text struct text second = {0};

    (void)state;
    make_ticket(&ticket);
    assert_succeeds(retention_token_encode(&ticket, &token, &err));
    assert_succeeds(open_token(token.data, &again, &faults, &err));
    assert_string_equal(again.set_sha256, ticket.set_sha256);
    assert_int_equal(again.now.seconds, ticket.now.seconds);
    assert_int_equal(again.now.nanos, ticket.now.nanos);
    assert_int_equal(again.policy.keep[KEEP_DAILY], 3);
    assert_int_equal(again.policy.within.months, 1);
    assert_string_equal(again.policy.filter.part, "x");
    assert_succeeds(retention_token_encode(&again, &second, &err));
    assert_string_equal(second.data, token.data);
}

static void assert_no_token(const char *token)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_retention_ticket struct retention_ticket ticket = {0};

    assert_fails(open_token(token, &ticket, &faults, &err), ERR_INVALID);
    assert_string_equal(err.field, "/token");
}

static void a_token_that_differs_in_any_character_is_none(void **state)
{
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_text struct text token = {0};

    (void)state;
    make_ticket(&ticket);
    assert_succeeds(retention_token_encode(&ticket, &token, &err));
    for (size_t i = 0; i < token.len; i++) {
        char was = token.data[i];
        token.data[i] = was == '0' ? '1' : '0';
        assert_no_token(token.data);
        token.data[i] = was;
    }
    token.data[token.len - 1] = '\0';
    assert_no_token(token.data);
}

static void what_no_plan_gave_is_no_token(void **state)
{
    (void)state;
    assert_no_token("");
    assert_no_token("next");
    /* {} with its right check value */
    assert_no_token("44136fa355b3678a1146ad16f7e8649ee30");
}

static void a_token_is_all_there_is_to_apply(void **state)
{
    static const char *const bad[][2] = {
        {"{}",                       "/token"},
        {"{\"token\":7}",            "/token"},
        {"{\"token\":null}",         "/token"},
        {"{\"token\":\"a\\u0000\"}", "/token"},
        {"[]",                       ""      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = {0};
        struct faults faults = {0};
        auto_retention_ticket struct retention_ticket ticket = {0};
        assert_fails(retention_ticket_from_json(bad[i][0], strlen(bad[i][0]), &ticket, &faults,
                                                &err),
                     ERR_INVALID);
        assert_string_equal(err.field, bad[i][1]);
    }
}

static void a_plan_says_what_and_why(void **state)
{
    struct error err;
    const struct retention_item kept = {
        .id = "b",
        .group = "web",
        .created_at = {.seconds = 1767323045},
        .bytes = 4096,
        .reasons = (1U << REASON_HELD) - 1,
    };
    const struct retention_item dropped = {
        .id = "a",
        .bytes = UINT64_MAX,
        .is_dropped = true,
        .reasons = 1U << REASON_NO_RULE,
        .frees_bytes = 8192,
    };
    struct retention_item items[] = {kept, dropped};
    const struct retention_plan plan = {
        .items = items, .count = 2, .now = {1767323045, 0},
                .drop_count = 1, .kept_bytes = 4096, .frees_bytes = 8192
    };
    auto_text struct text out = {0};
    auto_text struct text ungrouped = {0};

    (void)state;
    assert_succeeds(retention_plan_to_json(&plan, "t", "vm", &out, &err));
    assert_string_equal(
        out.data,
        "{\"token\":\"t\",\"now\":\"2026-01-02T03:04:05Z\",\"keep_count\":1,\"drop_count\":1,"
        "\"kept_bytes\":4096,\"frees_bytes\":8192,\"decisions\":["
        "{\"id\":\"b\",\"group\":\"web\",\"action\":\"keep\",\"reasons\":[\"last\","
        "\"hourly 2026-01-02T03\",\"daily 2026-01-02\",\"weekly 2026-W01\",\"monthly 2026-01\","
        "\"yearly 2026\",\"within\",\"fits\"],\"bytes\":4096},"
        "{\"id\":\"a\",\"group\":null,\"action\":\"drop\",\"reasons\":[\"no_rule\"],"
        "\"bytes\":\"18446744073709551615\",\"frees_bytes\":8192}]}");
    assert_succeeds(retention_plan_to_json(&plan, "t", NULL, &ungrouped, &err));
    assert_null(strstr(ungrouped.data, "group"));
}

static void every_reason_has_a_name(void **state)
{
    struct error err;
    struct retention_item item = {.id = "a", .reasons = (1U << REASON__COUNT) - 1};
    const struct retention_plan plan = {.items = &item, .count = 1};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(retention_plan_to_json(&plan, "t", NULL, &out, &err));
    assert_non_null(strstr(out.data, "\"fits\",\"held\",\"future\",\"undated\",\"incomplete\","
                                     "\"damaged\",\"no_rule\",\"max_bytes\"]"));
}

static void a_plan_that_is_too_long_is_refused(void **state)
{
    const size_t count = RETENTION_PLAN_MAX / 150;
    struct error err;
    char id[ID_MAX + 1];
    auto_text struct text out = {0};
    struct retention_plan plan = {.items = calloc(count, sizeof *plan.items), .count = count};

    (void)state;
    assert_non_null(plan.items);
    memset(id, 'a', ID_MAX);
    id[ID_MAX] = '\0';
    for (size_t i = 0; i < count; i++)
        plan.items[i] = (struct retention_item){.id = id, .reasons = 1U << REASON_HELD};
    assert_fails(retention_plan_to_json(&plan, "t", NULL, &out, &err), ERR_INVALID);
    assert_string_equal(err.field, "/filter");
    retention_plan_clear(&plan);
}

static void an_outcome_says_what_is_gone_and_what_could_not_go(void **state)
{
    struct error err;
    const struct retention_item kept = {.id = "b"};
    const struct retention_item gone = {.id = "a", .is_dropped = true};
    const struct retention_item failed = {
        .id = "c", .is_dropped = true, .failure = ERR_HELD, .detail = (char *)"is held"};
    struct retention_item items[] = {gone, failed, kept, gone};
    const struct retention_plan plan = {.items = items, .count = 4};
    const struct retention_plan nothing = {0};
    auto_text struct text out = {0};
    auto_text struct text none = {0};

    (void)state;
    assert_succeeds(retention_outcome_to_json(&plan, &out, &err));
    assert_string_equal(out.data, "{\"dropped\":[\"a\",\"a\"],\"failed\":[{\"id\":\"c\","
                                  "\"code\":\"held\",\"detail\":\"is held\"}]}");
    assert_succeeds(retention_outcome_to_json(&nothing, &none, &err));
    assert_string_equal(none.data, "{\"dropped\":[],\"failed\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_has_all_its_members),
        cmocka_unit_test(each_thing_that_says_what_to_keep_is_enough),
        cmocka_unit_test(a_policy_that_would_keep_nothing_is_refused),
        cmocka_unit_test(bad_members_are_named),
        cmocka_unit_test(a_token_stands_for_its_ticket),
        cmocka_unit_test(a_token_that_differs_in_any_character_is_none),
        cmocka_unit_test(what_no_plan_gave_is_no_token),
        cmocka_unit_test(a_token_is_all_there_is_to_apply),
        cmocka_unit_test(a_plan_says_what_and_why),
        cmocka_unit_test(every_reason_has_a_name),
        cmocka_unit_test(a_plan_that_is_too_long_is_refused),
        cmocka_unit_test(an_outcome_says_what_is_gone_and_what_could_not_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
