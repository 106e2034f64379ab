#include "codec/filter.h"
#include "tests/check.h"

static bool parse(const char *json, struct snapshot_filter *out, struct faults *faults)
{
    struct error err = {0};

    *faults = (struct faults){0};
    bool good = filter_from_json(json, strlen(json), out, faults, &err);
    assert_true(good || err.code == ERR_INVALID);
    return good;
}

static void assert_comes_back(const char *json)
{
    auto_snapshot_filter struct snapshot_filter filter = {0};
    auto_text struct text again = {0};
    struct faults faults;
    struct error err;

    assert_true(parse(json, &filter, &faults));
    assert_succeeds(filter_to_json(&filter, &again, &err));
    assert_string_equal(text_str(&again), json);
}

static void a_filter_is_what_it_was_written_from(void **state)
{
    (void)state;
    assert_comes_back("{\"label\":[]}");
    assert_comes_back("{\"label\":[\"vm:web-42\",\"tier\",\"note:\",\"a:b:c\"]}");
    assert_comes_back("{\"label\":[],\"architecture\":\"x86_64\",\"status\":\"damaged\","
                      "\"held\":false,\"created_after\":\"2026-01-02T03:04:05Z\","
                      "\"created_before\":\"2026-01-02T03:04:05.678Z\",\"memory_min\":0,"
                      "\"memory_max\":\"18446744073709551615\",\"openvmm_version\":\"\","
                      "\"q\":\"Web\"}");
}

static void a_label_is_a_key_with_or_without_a_value(void **state)
{
    auto_snapshot_filter struct snapshot_filter filter = {0};
    struct faults faults;

    (void)state;
    assert_true(parse("{\"label\":[\"vm:web:1\",\"tier\",\"note:\"]}", &filter, &faults));
    assert_int_equal(filter.labels.count, 3);
    assert_string_equal(filter.labels.items[0].key, "vm");
    assert_string_equal(filter.labels.items[0].value, "web:1");
    assert_string_equal(filter.labels.items[1].key, "tier");
    assert_null(filter.labels.items[1].value);
    assert_string_equal(filter.labels.items[2].value, "");
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    static const struct {
        const char *json, *pointer;
    } rows[] = {
        {"{\"label\":\"vm\"}",                    "/label"         },
        {"{\"label\":[\"vm\",\":x\"]}",           "/label/1"       },
        {"{\"label\":[\"a b:x\"]}",               "/label/0"       },
        {"{\"label\":[7]}",                       "/label/0"       },
        {"{\"architecture\":1}",                  "/architecture"  },
        {"{\"architecture\":\"x\\u0000\"}",       "/architecture"  },
        {"{\"status\":\"Ready\"}",                "/status"        },
        {"{\"held\":\"yes\"}",                    "/held"          },
        {"{\"held\":null}",                       "/held"          },
        {"{\"created_after\":\"2026-01-02\"}",    "/created_after" },
        {"{\"created_before\":1700000000}",       "/created_before"},
        {"{\"memory_min\":-1}",                   "/memory_min"    },
        {"{\"memory_max\":18446744073709551616}", "/memory_max"    },
        {"{\"q\":\"\"}",                          "/q"             },
        {"{\"colour\":\"red\"}",                  "/colour"        },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_snapshot_filter struct snapshot_filter filter = {0};
        struct faults faults;
        assert_false(parse(rows[i].json, &filter, &faults));
        assert_int_equal(faults.count, 1);
        assert_string_equal(faults.items[0].pointer, rows[i].pointer);
    }
}

static void labels_are_bounded_in_number(void **state)
{
    auto_text struct text json = {0};
    auto_snapshot_filter struct snapshot_filter filter = {0};
    struct faults faults;

    (void)state;
    text_appends(&json, "{\"label\":[\"a\"");
    for (size_t i = 1; i < FILTER_LABELS_MAX; i++)
        text_appends(&json, ",\"a\"");
    text_appends(&json, "]}");
    assert_true(parse(json.data, &filter, &faults));
    json.len -= 2;
    text_appends(&json, ",\"a\"]}");
    assert_false(parse(json.data, &filter, &faults));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_is_what_it_was_written_from),
        cmocka_unit_test(a_label_is_a_key_with_or_without_a_value),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(labels_are_bounded_in_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
