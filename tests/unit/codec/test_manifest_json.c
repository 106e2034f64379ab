#include "codec/manifest_json.h"
#include "tests/check.h"

static void set(struct text *text, const char *string)
{
    assert_true(text_set(text, string, strlen(string)));
}

static void assert_written(const struct manifest *manifest, const char *json)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(manifest_to_json(manifest, &out, &err));
    assert_string_equal(text_str(&out), json);
}

static void members_stand_in_tag_order(void **state)
{
    auto_manifest struct manifest manifest = {
        .version = 1,
        .created_at = {1234567890, 0},
        .memory_size_bytes = 1024,
        .vp_count = 2,
        .page_size = 4096,
    };

    (void)state;
    set(&manifest.openvmm_version, "test-0.1.0");
    set(&manifest.architecture, "x86_64");
    assert_written(&manifest,
                   "{\"version\":1,\"created_at\":\"2009-02-13T23:31:30Z\","
                   "\"openvmm_version\":\"test-0.1.0\",\"memory_size_bytes\":1024,"
                   "\"vp_count\":2,\"page_size\":4096,\"architecture\":\"x86_64\"}");
}

static void a_manifest_of_defaults_has_all_members(void **state)
{
    struct manifest manifest = {0};

    (void)state;
    assert_written(&manifest,
                   "{\"version\":0,\"created_at\":\"1970-01-01T00:00:00Z\","
                   "\"openvmm_version\":\"\",\"memory_size_bytes\":0,"
                   "\"vp_count\":0,\"page_size\":0,\"architecture\":\"\"}");
}

static const char extreme[] =
    "{\"version\":4294967295,\"created_at\":{\"seconds\":\"-9223372036854775808\",\"nanos\":-1},"
    "\"openvmm_version\":\"a\\u0000\\\"\\\\\\n\u20ac\","
    "\"memory_size_bytes\":\"18446744073709551615\",\"vp_count\":4294967295,"
    "\"page_size\":4294967295,\"architecture\":\"\\u0000\"}";

static void extremes_are_read_back(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_manifest struct manifest manifest = {0};

    (void)state;
    assert_succeeds(manifest_from_json(extreme, strlen(extreme), &manifest, &faults, &err));
    assert_int_equal(manifest.created_at.seconds, INT64_MIN);
    assert_true(manifest.memory_size_bytes == UINT64_MAX);
    assert_true(text_equals(&manifest.architecture, "", 1));
    assert_written(&manifest, extreme);
}

static void bad_members_are_all_reported(void **state)
{
    static const char json[] =
        "{\"version\":-1,\"created_at\":null,\"openvmm_version\":1,\"memory_size_bytes\":1.5,"
        "\"vp_count\":4294967296,\"page_size\":\"\",\"seal\":true}";
    struct error err = {0};
    struct faults faults = {0};
    struct manifest manifest = {.version = 7};

    (void)state;
    assert_fails(manifest_from_json(json, strlen(json), &manifest, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, 8);
    assert_int_equal(manifest.version, 7);
}

static void malformed_json_is_told_apart(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    struct manifest manifest = {0};

    (void)state;
    assert_fails(manifest_from_json("{", 1, &manifest, &faults, &err), ERR_MALFORMED_JSON);
}

static void writing_fails_where_there_is_no_room(void **state)
{
    struct error err = {0};
    struct manifest manifest = {0};
    auto_text struct text out = {.max = 20};

    (void)state;
    assert_fails(manifest_to_json(&manifest, &out, &err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stand_in_tag_order),
        cmocka_unit_test(a_manifest_of_defaults_has_all_members),
        cmocka_unit_test(extremes_are_read_back),
        cmocka_unit_test(bad_members_are_all_reported),
        cmocka_unit_test(malformed_json_is_told_apart),
        cmocka_unit_test(writing_fails_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
