#include <stdio.h>

#include "codec/creation.h"
#include "tests/check.h"

#define REQUIRED_MEMBERS                                                        \
    "\"memory_file_path\":\"/m\",\"openvmm_version\":\"0.0.0\",\"vp_count\":2," \
    "\"architecture\":\"x86_64\""

static bool parse(const char *json, struct creation *out, struct faults *faults, struct error *err)
{
    return creation_from_json(json, strlen(json), out, faults, err);
}

static void what_is_left_out_has_its_default(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation creation = {0};

    (void)state;
    assert_succeeds(parse("{" REQUIRED_MEMBERS "}", &creation, &faults, &err));
    assert_null(creation.id);
    assert_int_equal(creation.capture, CAPTURE_UNKNOWN);
    assert_null(creation.state_file_path);
    assert_false(creation.has_state_bytes);
    assert_int_equal(creation.page_size, 4096);
    assert_false(creation.has_memory_size);
    assert_false(creation.has_created_at);
    assert_false(creation.has_vmm_args);
    assert_int_equal(creation.labels.count, 0);
    assert_true(creation.allow_writer);
}

static void every_member_is_read(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation creation = {0};

    (void)state;
    assert_succeeds(parse("{" REQUIRED_MEMBERS ",\"id\":\"web-42\",\"capture\":\"isolate\","
                          "\"state_base64\":\"AAE=\",\"page_size\":65536,\"memory_size_bytes\":"
                          "18446744073709551615,\"created_at\":\"2026-01-02T03:04:05.678Z\","
                          "\"vmm_args\":[\"--uefi\",\"\"],\"labels\":{\"vm\":\"web\"},"
                          "\"allow_writer\":false}",
                          &creation, &faults, &err));
    assert_string_equal(creation.id, "web-42");
    assert_string_equal(creation.memory_file_path, "/m");
    assert_int_equal(creation.capture, CAPTURE_ISOLATE);
    assert_true(creation.has_state_bytes && text_equals(&creation.state_bytes, "\0\1", 2));
    assert_string_equal(text_str(&creation.openvmm_version), "0.0.0");
    assert_int_equal(creation.vp_count, 2);
    assert_string_equal(creation.architecture, "x86_64");
    assert_int_equal(creation.page_size, 65536);
    assert_true(creation.has_memory_size && creation.memory_size_bytes == UINT64_MAX);
    assert_true(creation.has_created_at && creation.created_at.nanos == 678000000);
    assert_true(creation.has_vmm_args && creation.vmm_args.count == 2);
    assert_string_equal(creation.labels.items[0].value, "web");
    assert_false(creation.allow_writer);
}

static void required_members_are_missed_all_at_once(void **state)
{
    static const char *const pointers[] = {"/architecture", "/memory_file_path", "/openvmm_version",
                                           "/vp_count"};
    struct error err = {0};
    struct faults faults = {0};
    struct creation creation = {0};

    (void)state;
    assert_fails(parse("{}", &creation, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(faults.items[i].pointer, pointers[i]);
        assert_string_equal(faults.items[i].detail, "is required");
    }
}

/* A document with this one member besides the required ones, or in place of one of them. */
static void write_request(const char *name, const char *value, struct text *out)
{
    static const struct {
        const char *name, *value;
    } required[] = {
        {"memory_file_path", "\"/m\""    },
        {"openvmm_version",  "\"0.0.0\"" },
        {"vp_count",         "2"         },
        {"architecture",     "\"x86_64\""},
    };

    text_appendf(out, "{\"%s\":%s", name, value);
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (strcmp(required[i].name, name) != 0)
            text_appendf(out, ",\"%s\":%s", required[i].name, required[i].value);
    assert_true(text_appends(out, "}"));
}

static void assert_good(const char *name, const char *value)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation creation = {0};
    auto_text struct text json = {0};

    write_request(name, value, &json);
    assert_succeeds(parse(json.data, &creation, &faults, &err));
}

static void assert_fault(const char *name, const char *value, const char *pointer,
                         const char *detail)
{
    struct error err = {0};
    struct faults faults = {0};
    struct creation creation = {.vp_count = 99};
    auto_text struct text json = {0};

    write_request(name, value, &json);
    assert_fails(parse(json.data, &creation, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, pointer);
    assert_string_equal(faults.items[0].detail, detail);
    assert_int_equal(creation.vp_count, 99);
}

static void ids_are_safe_in_paths(void **state)
{
    static const char rule[] = "must match [A-Za-z0-9][A-Za-z0-9._-]{0,127}";
    char id[160];

    (void)state;
    assert_fault("id", "\"\"", "/id", rule);
    assert_fault("id", "\"..\"", "/id", rule);
    assert_fault("id", "\"a/b\"", "/id", rule);
    assert_fault("id", "\"a\\n\"", "/id", rule);
    assert_fault("id", "\"a\\u0000\"", "/id", "must not hold U+0000");
    snprintf(id, sizeof id, "\"%0128d\"", 0);
    assert_good("id", id);
    snprintf(id, sizeof id, "\"%0129d\"", 0);
    assert_fault("id", id, "/id", rule);
}

static void paths_are_absolute_and_not_too_long(void **state)
{
    static const char *const names[] = {"memory_file_path", "state_file_path"};
    char path[4200];
    char pointer[40];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(pointer, sizeof pointer, "/%s", names[i]);
        assert_good(names[i], "\"/a b/\\u00e9/..\"");
        assert_fault(names[i], "\"\"", pointer, "must be an absolute path");
        assert_fault(names[i], "\"a/b\"", pointer, "must be an absolute path");
        assert_fault(names[i], "\"/a\\u0000b\"", pointer, "must not hold U+0000");
        assert_fault(names[i], "12345678901234567890", pointer, "must be a string");
        snprintf(path, sizeof path, "\"/%04094d\"", 0);
        assert_good(names[i], path);
        snprintf(path, sizeof path, "\"/%04095d\"", 0);
        assert_fault(names[i], path, pointer, "must be at most 4095 bytes");
    }
}

static void numbers_are_within_their_limits(void **state)
{
    (void)state;
    assert_good("vp_count", "1");
    assert_good("vp_count", "\"4294967295\"");
    assert_fault("vp_count", "0", "/vp_count", "must be at least 1");
    assert_fault("vp_count", "-1", "/vp_count", "must be at least 1");
    assert_fault("vp_count", "4294967296", "/vp_count", "must be at most 4294967295");
    assert_fault("vp_count", "2.0", "/vp_count", "must be an integer");
    assert_good("memory_size_bytes", "1");
    assert_fault("memory_size_bytes", "0", "/memory_size_bytes", "must be at least 1");
    assert_fault("memory_size_bytes", "18446744073709551616", "/memory_size_bytes",
                 "must be at most 18446744073709551615");
}

static void pages_are_powers_of_two_within_bounds(void **state)
{
    static const char *const sizes[] = {"4096", "8192", "16384", "32768", "65536"};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_good("page_size", sizes[i]);
    assert_fault("page_size", "4097", "/page_size", "must be a power of two");
    assert_fault("page_size", "2048", "/page_size", "must be at least 4096");
    assert_fault("page_size", "0", "/page_size", "must be at least 4096");
    assert_fault("page_size", "131072", "/page_size", "must be at most 65536");
}

static void names_are_of_those_known(void **state)
{
    (void)state;
    assert_good("architecture", "\"aarch64\"");
    assert_fault("architecture", "\"X86_64\"", "/architecture", "must be x86_64 or aarch64");
    assert_fault("architecture", "\"x86_64\\u0000\"", "/architecture", "must not hold U+0000");
    assert_fault("capture", "\"clone\"", "/capture", "must be link, reflink, copy or isolate");
}

static void the_version_is_any_short_text(void **state)
{
    char version[300];

    (void)state;
    assert_good("openvmm_version", "\"\"");
    assert_good("openvmm_version", "\"a\\u0000b\"");
    snprintf(version, sizeof version, "\"%0256d\"", 0);
    assert_good("openvmm_version", version);
    snprintf(version, sizeof version, "\"%0257d\"", 0);
    assert_fault("openvmm_version", version, "/openvmm_version", "must be at most 256 bytes");
}

static void vmm_args_are_64_kib_in_all(void **state)
{
    auto_text struct text value = {0};

    (void)state;
    assert_good("vmm_args", "[]");
    assert_fault("vmm_args", "[\"a\",1]", "/vmm_args/1", "must be a string");
    assert_true(text_appendf(&value, "[\"%065535d\",\"a\"]", 0));
    assert_good("vmm_args", value.data);
    text_clear(&value);
    assert_true(text_appendf(&value, "[\"%065535d\",\"ab\"]", 0));
    assert_fault("vmm_args", value.data, "/vmm_args", "must be at most 65536 bytes in all");
}

static void members_that_are_not_the_clients_are_unknown(void **state)
{
    (void)state;
    assert_fault("version", "1", "/version", "unknown member");
    assert_fault("seal", "false", "/seal", "unknown member");
    assert_fault("parent", "\"/s\"", "/parent", "unknown member");
}

static void state_is_strict_base64(void **state)
{
    (void)state;
    assert_good("state_base64", "\"\"");
    assert_fault("state_base64", "\"AA\"", "/state_base64", "must be base64");
    assert_fault("state_base64", "\"AAE=\\n\"", "/state_base64", "must be base64");
    assert_fault("state_base64", "\"\\u0000AAA\"", "/state_base64", "must not hold U+0000");
    assert_fault("state_base64", "1", "/state_base64", "must be a string");
}

static void state_is_given_in_one_way(void **state)
{
    (void)state;
    assert_fault("state_base64", "\"\",\"state_file_path\":\"/s\"", "/state_base64",
                 "give state_file_path or state_base64, not both");
}

static void duplicates_are_malformed(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    struct creation creation = {0};

    (void)state;
    assert_fails(parse("{" REQUIRED_MEMBERS ",\"vp_count\":2}", &creation, &faults, &err),
                 ERR_MALFORMED_JSON);
}

static void write_canonical(const char *json, const char *sha256, struct text *out)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation creation = {0};

    assert_succeeds(parse(json, &creation, &faults, &err));
    assert_succeeds(creation_canonical(&creation, sha256, CAPTURE_LINK, out, &err));
}

static bool means_the_same(const char *json, const char *other)
{
    auto_text struct text a = {0};
    auto_text struct text b = {0};

    write_canonical(json, NULL, &a);
    write_canonical(other, NULL, &b);
    return text_equals(&a, b.data, b.len);
}

static void the_canonical_text_is_sorted_and_leaves_defaults_out(void **state)
{
    auto_text struct text out = {0};

    (void)state;
    write_canonical("{\"vmm_args\":[],\"labels\":{\"b\":\"1\",\"a\":\"2\"},\"allow_writer\":false,"
                    "\"created_at\":{\"seconds\":0,\"nanos\":0},\"memory_size_bytes\":\"1\","
                    "\"id\":\"x\",\"capture\":\"copy\",\"page_size\":8192,"
                    "\"state_base64\":\"AA==\"," REQUIRED_MEMBERS "}",
                    "c0ffee", &out);
    assert_string_equal(text_str(&out),
                        "{\"allow_writer\":false,\"architecture\":\"x86_64\",\"capture\":\"copy\","
                        "\"created_at\":\"1970-01-01T00:00:00Z\","
                        "\"labels\":{\"a\":\"2\",\"b\":\"1\"},"
                        "\"memory_file_path\":\"/m\",\"memory_size_bytes\":1,"
                        "\"openvmm_version\":\"0.0.0\",\"page_size\":8192,"
                        "\"state_base64\":\"c0ffee\",\"vmm_args\":[],\"vp_count\":2}");
    text_clear(&out);
    write_canonical("{" REQUIRED_MEMBERS "}", NULL, &out);
    assert_string_equal(text_str(&out),
                        "{\"architecture\":\"x86_64\",\"memory_file_path\":\"/m\","
                        "\"openvmm_version\":\"0.0.0\",\"vp_count\":2}");
}

static void another_spelling_means_the_same(void **state)
{
    (void)state;
    assert_true(means_the_same("{" REQUIRED_MEMBERS "}",
                               "{\"id\":\"x\",\"capture\":\"link\",\"page_size\":\"4096\","
                               "\"allow_writer\":true,\"labels\":{}," REQUIRED_MEMBERS "}"));
    assert_true(means_the_same("{\"created_at\":\"1970-01-01T01:00:00+01:00\"," REQUIRED_MEMBERS
                               "}",
                               "{\"created_at\":{\"nanos\":0,\"seconds\":0}," REQUIRED_MEMBERS
                               "}"));
}

static void another_value_means_another_request(void **state)
{
    static const char *const members[] = {
        "\"allow_writer\":false", "\"capture\":\"copy\"", "\"created_at\":\"1970-01-01T00:00:00Z\"",
        "\"labels\":{\"a\":\"\"}", "\"memory_size_bytes\":1", "\"page_size\":8192",
        "\"state_file_path\":\"/s\"", "\"vmm_args\":[]", "\"vmm_args\":[\"\"]"};
    char json[256];

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        snprintf(json, sizeof json, "{%s," REQUIRED_MEMBERS "}", members[i]);
        assert_false(means_the_same(json, "{" REQUIRED_MEMBERS "}"));
    }
    assert_false(means_the_same("{\"vmm_args\":[]," REQUIRED_MEMBERS "}",
                                "{\"vmm_args\":[\"\"]," REQUIRED_MEMBERS "}"));
}

static void the_fallback_decides_which_capture_is_left_out(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation creation = {0};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(parse("{\"capture\":\"link\"," REQUIRED_MEMBERS "}", &creation, &faults, &err));
    assert_succeeds(creation_canonical(&creation, NULL, CAPTURE_COPY, &out, &err));
    assert_non_null(strstr(text_str(&out), "\"capture\":\"link\""));
    text_clear(&out);
    creation.capture = CAPTURE_UNKNOWN;
    assert_succeeds(creation_canonical(&creation, NULL, CAPTURE_COPY, &out, &err));
    assert_null(strstr(text_str(&out), "capture"));
}

static void the_canonical_text_of_a_directory_has_nothing_that_it_stands_for(void **state)
{
    auto_text struct text out = {0};

    (void)state;
    write_canonical("{\"snapshot_dir_path\":\"/saved\",\"id\":\"a\",\"vmm_args\":[],"
                    "\"capture\":\"copy\"}",
                    NULL, &out);
    assert_string_equal(out.data, "{\"capture\":\"copy\",\"snapshot_dir_path\":\"/saved\","
                                  "\"vmm_args\":[]}");
}

static void the_canonical_text_needs_room(void **state)
{
    struct error err = {0};
    struct creation creation = {.page_size = 4096};
    auto_text struct text out = {.max = 30};

    (void)state;
    assert_fails(creation_canonical(&creation, NULL, CAPTURE_LINK, &out, &err), ERR_INTERNAL);
}

static void a_directory_stands_for_memory_state_and_manifest(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation creation = {0};

    (void)state;
    assert_succeeds(parse("{\"snapshot_dir_path\":\"/saved\",\"capture\":\"copy\"}", &creation,
                          &faults, &err));
    assert_string_equal(creation.snapshot_dir_path, "/saved");
    assert_null(creation.memory_file_path);
}

static void nothing_that_a_directory_says_stands_beside_it(void **state)
{
    static const char *const beside[] = {
        "\"architecture\":\"x86_64\"", "\"created_at\":\"2026-01-02T03:04:05Z\"",
        "\"memory_file_path\":\"/m\"", "\"memory_size_bytes\":4096",
        "\"openvmm_version\":\"\"", "\"page_size\":4096",
        "\"state_base64\":\"\"", "\"state_file_path\":\"/s\"",
        "\"vp_count\":1"};

    (void)state;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        struct error err = {0};
        struct faults faults = {0};
        auto_creation struct creation creation = {0};
        auto_text struct text json = {0};
        assert_true(text_appendf(&json, "{%s,\"snapshot_dir_path\":\"/saved\"}", beside[i]));
        assert_fails(parse(json.data, &creation, &faults, &err), ERR_INVALID);
        assert_int_equal(faults.count, 1);
        assert_memory_equal(faults.items[0].pointer + 1, beside[i] + 1,
                            strlen(faults.items[0].pointer) - 1);
        assert_string_equal(faults.items[0].detail,
                            "must not be given beside snapshot_dir_path");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(required_members_are_missed_all_at_once),
        cmocka_unit_test(ids_are_safe_in_paths),
        cmocka_unit_test(paths_are_absolute_and_not_too_long),
        cmocka_unit_test(numbers_are_within_their_limits),
        cmocka_unit_test(pages_are_powers_of_two_within_bounds),
        cmocka_unit_test(names_are_of_those_known),
        cmocka_unit_test(the_version_is_any_short_text),
        cmocka_unit_test(vmm_args_are_64_kib_in_all),
        cmocka_unit_test(members_that_are_not_the_clients_are_unknown),
        cmocka_unit_test(state_is_strict_base64),
        cmocka_unit_test(state_is_given_in_one_way),
        cmocka_unit_test(duplicates_are_malformed),
        cmocka_unit_test(the_canonical_text_is_sorted_and_leaves_defaults_out),
        cmocka_unit_test(another_spelling_means_the_same),
        cmocka_unit_test(another_value_means_another_request),
        cmocka_unit_test(the_fallback_decides_which_capture_is_left_out),
        cmocka_unit_test(the_canonical_text_of_a_directory_has_nothing_that_it_stands_for),
        cmocka_unit_test(the_canonical_text_needs_room),
        cmocka_unit_test(a_directory_stands_for_memory_state_and_manifest),
        cmocka_unit_test(nothing_that_a_directory_says_stands_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
