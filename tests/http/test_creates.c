/* What a create takes, what it makes of it, and what a PUT that fails leaves alone. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

/* A create of the snapshot "a" with all that is required, and these members (",…"). */
static void create_with(struct test *test, const struct path *memory, const char *more,
                        struct answer *out)
{
    test_send(test, "POST", "/snapshots", out,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "%s}", memory->text,
              more);
}

static void assert_created(const struct answer *answer)
{
    if (answer->status != 201)
        fail_msg("%ld: %s", answer->status, text_str(&answer->body));
}

static void remove_snapshot(struct test *test, const char *path)
{
    auto_answer struct answer answer = {0};

    test_call(test, &(struct call){.method = "DELETE", .path = path}, &answer);
    assert_int_equal(answer.status, 204);
}

static void what_is_left_out_has_its_default(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 12288, 7);
    auto_answer struct answer made = {0};
    time_t before = time(NULL);

    create_with(test, &memory, "", &made);
    assert_created(&made);
    assert_int_equal(json_integer_value(answer_at(&made, "manifest.version")), 1);
    assert_int_equal(json_integer_value(answer_at(&made, "manifest.page_size")), 4096);
    assert_int_equal(json_integer_value(answer_at(&made, "manifest.memory_size_bytes")), 12288);
    assert_string_equal(answer_string(&made, "memory.capture"), "link");
    assert_int_equal(json_integer_value(answer_at(&made, "state.size_bytes")), 0);
    assert_string_equal(answer_string(&made, "state.sha256"),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(json_object_size(answer_at(&made, "labels")), 0);
    struct tm tm = {0};
    assert_non_null(strptime(answer_string(&made, "manifest.created_at"), "%FT%T", &tm));
    assert_in_range(timegm(&tm), before, time(NULL));
}

static void numbers_may_be_strings_of_digits(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer made = {0};

    create_with(test, &memory, ",\"memory_size_bytes\":\"4096\",\"page_size\":\"65536\"", &made);
    assert_created(&made);
    assert_int_equal(json_integer_value(answer_at(&made, "manifest.memory_size_bytes")), 4096);
    assert_int_equal(json_integer_value(answer_at(&made, "manifest.page_size")), 65536);
}

static void every_page_size_and_architecture_is_taken(void **state)
{
    static const char *const architectures[] = {"x86_64", "aarch64"};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    for (unsigned size = 4096; size <= 65536; size *= 2) {
        auto_answer struct answer made = {0};
        const char *architecture = architectures[size & 8192 ? 1 : 0];
        test_send(test, "POST", "/snapshots", &made,
                  "{\"memory_file_path\":\"%s\",\"openvmm_version\":\"\",\"vp_count\":4294967295,"
                  "\"architecture\":\"%s\",\"page_size\":%u}",
                  memory.text, architecture, size);
        assert_created(&made);
        assert_int_equal(json_integer_value(answer_at(&made, "manifest.page_size")), size);
        assert_int_equal(json_integer_value(answer_at(&made, "manifest.vp_count")), 4294967295);
        assert_string_equal(answer_string(&made, "manifest.architecture"), architecture);
    }
}

static void a_time_keeps_its_digits_and_is_told_in_utc(void **state)
{
    static const struct {
        const char *given, *told;
    } times[] = {
        {"2026-01-02T03:04:05Z",           "2026-01-02T03:04:05Z"          },
        {"2026-01-02T03:04:05.5Z",         "2026-01-02T03:04:05.500Z"      },
        {"2026-01-02T03:04:05.678901Z",    "2026-01-02T03:04:05.678901Z"   },
        {"2026-01-02T03:04:05.000000001Z", "2026-01-02T03:04:05.000000001Z"},
        {"2026-01-02T03:04:05+02:00",      "2026-01-02T01:04:05Z"          },
        {"0001-01-01T00:00:00Z",           "0001-01-01T00:00:00Z"          },
        {"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"},
    };
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        auto_answer struct answer made = {0};
        create_with(test, &memory, path_of(",\"created_at\":\"%s\"", times[i].given).text, &made);
        assert_created(&made);
        assert_string_equal(answer_string(&made, "manifest.created_at"), times[i].told);
        remove_snapshot(test, "/snapshots/a");
    }
}

static void a_time_that_rfc_3339_cannot_say_is_seconds_and_nanos(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer made = {0};

    create_with(test, &memory,
                ",\"created_at\":{\"seconds\":\"-9223372036854775808\",\"nanos\":-1}", &made);
    assert_created(&made);
    assert_string_equal(answer_string(&made, "manifest.created_at.seconds"),
                        "-9223372036854775808");
    assert_int_equal(json_integer_value(answer_at(&made, "manifest.created_at.nanos")), -1);
}

static void a_version_may_hold_any_unicode(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer made = {0};
    auto_answer struct answer manifest = {0};

    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\",\"vp_count\":1,"
              "\"architecture\":\"x86_64\",\"openvmm_version\":\"a\\u0000\\ud83d\\ude00\"}",
              memory.text);
    assert_created(&made);
    test_get(test, "/snapshots/a/manifest", &manifest);
    json_t *version = answer_at(&manifest, "openvmm_version");
    assert_int_equal(json_string_length(version), 6);
    assert_memory_equal(json_string_value(version), "a\0\xf0\x9f\x98\x80", 6);
    assert_non_null(strstr(manifest.body.data, "a\\u0000"));
}

static void the_restore_line_is_what_openvmm_wants(void **state)
{
    static const char *const expected[] = {"--uefi", "", "--memory", "size=12K", "--processors",
                                           "2", "--restore-snapshot"};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 12288, 7);
    auto_answer struct answer made = {0};

    create_with(test, &memory, ",\"vmm_args\":[\"--uefi\",\"\"]", &made);
    assert_created(&made);
    json_t *line = answer_at(&made, "restore.openvmm_args");
    assert_int_equal(json_array_size(line), 8);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(json_string_value(json_array_get(line, i)), expected[i]);
    assert_string_equal(json_string_value(json_array_get(line, 7)), answer_string(&made, "path"));
    assert_string_equal(answer_string(&made, "path"),
                        path_of("%s/snapshots/a", test->fixture.store.text).text);
    assert_true(json_is_true(answer_at(&made, "restore.complete")));
}

/* `count` times a letter. */
static void repeat(struct text *out, size_t count)
{
    while (count-- > 0)
        text_appends(out, "a");
}

static void make_labels(struct text *out, int count, size_t value_len)
{
    text_appends(out, ",\"labels\":{");
    for (int i = 0; i < count; i++) {
        text_appendf(out, "%s\"k%d\":\"", i ? "," : "", i);
        repeat(out, value_len);
        text_appends(out, "\"");
    }
    text_appends(out, "}");
}

static void make_arguments(struct text *out, size_t len)
{
    text_appends(out, ",\"vmm_args\":[\"");
    repeat(out, len);
    text_appends(out, "\"]");
}

/* What just fits is made, and can be read back; one more of it blames the member. */
static void check_limit(struct test *test, const struct text *fits, const struct text *too_much,
                        const char *pointer)
{
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer made = {0};
    auto_answer struct answer got = {0};
    auto_answer struct answer refused = {0};

    create_with(test, &memory, fits->data, &made);
    assert_created(&made);
    test_get(test, "/snapshots/a", &got);
    assert_string_equal(answer_string(&got, "status"), "ready");
    remove_snapshot(test, "/snapshots/a");
    create_with(test, &memory, too_much->data, &refused);
    assert_problem(&refused, 422, "invalid_argument");
    assert_blames(&refused, pointer);
}

static void labels_and_arguments_have_their_limits(void **state)
{
    auto_text struct text labels = {0};
    auto_text struct text many_labels = {0};
    auto_text struct text long_label = {0};
    auto_text struct text arguments = {0};
    auto_text struct text long_arguments = {0};

    make_labels(&labels, 64, 256);
    make_labels(&many_labels, 65, 1);
    make_labels(&long_label, 1, 257);
    make_arguments(&arguments, 64 << 10);
    make_arguments(&long_arguments, (64 << 10) + 1);
    check_limit(*state, &labels, &many_labels, "/labels");
    check_limit(*state, &labels, &long_label, "/labels/k0");
    check_limit(*state, &arguments, &long_arguments, "/vmm_args");
}

static void an_id_has_at_most_128_characters(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer got = {0};
    auto_answer struct answer refused = {0};
    auto_answer struct answer none = {0};
    auto_text struct text id = {0};

    repeat(&id, 128);
    test_create(test, id.data, &memory, 2);
    test_get(test, path_of("/snapshots/%s", id.data).text, &got);
    assert_int_equal(got.status, 200);
    repeat(&id, 1);
    test_send(test, "POST", "/snapshots", &refused,
              "{\"id\":\"%s\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", id.data,
              memory.text);
    assert_problem(&refused, 422, "invalid_argument");
    assert_blames(&refused, "/id");
    test_get(test, path_of("/snapshots/%s", id.data).text, &none);
    assert_problem(&none, 404, "not_found");
}

static void an_id_that_no_request_made_is_taken(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path home = path_of("%s/snapshots/a", test->fixture.store.text);
    auto_answer struct answer refused = {0};

    disk_make_dir(home.text);
    disk_write(path_of("%s/manifest.bin", home.text).text, 0, 0);
    disk_write(path_of("%s/state.bin", home.text).text, 0, 0);
    disk_write(path_of("%s/memory.bin", home.text).text, 4096, 1);
    create_with(test, &memory, "", &refused);
    assert_problem(&refused, 409, "already_exists");
    assert_true(disk_holds(path_of("%s/memory.bin", home.text).text, 4096, 1));
}

static void put_captures_anew_though_the_request_is_the_same(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path captured = path_of("%s/snapshots/a/memory.bin", test->fixture.store.text);

    for (char byte = 1; byte <= 3; byte++) {
        auto_answer struct answer put = {0};
        disk_write(memory.text, 4096, byte);
        test_send(test, "PUT", "/snapshots/a", &put,
                  "{\"memory_file_path\":\"%s\",\"capture\":\"copy\"," REQUIRED_MEMBERS "}",
                  memory.text);
        assert_int_equal(put.status, byte == 1 ? 201 : 200);
        assert_int_equal(answer_header(&put, "Location") != NULL, byte == 1);
        assert_true(disk_holds(captured.text, 4096, byte));
    }
}

static void a_put_that_fails_leaves_the_snapshot_as_it_was(void **state)
{
    /* clang-format off */
    static const struct {
        const char *rest; /* of the document, from the root's name on */
        long status;
        const char *code;
    } bad[] = {
        {"/none\"," REQUIRED_MEMBERS, 422, "invalid_argument"},
        {"/../store/lock\"," REQUIRED_MEMBERS, 403, "forbidden"},
        {"/n\",\"memory_size_bytes\":1," REQUIRED_MEMBERS, 422, "invalid_argument"},
        {"/n\",\"state_file_path\":\"/etc/passwd\"," REQUIRED_MEMBERS, 403, "forbidden"},
        {"/n\"", 422, "invalid_argument"},
        {"/n\",,", 400, "malformed_json"},
    };
    /* clang-format on */
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text before = {0};

    test_memory(test, "n", 4096, 8);
    test_create(test, "a", &memory, 2);
    disk_describe(test->fixture.home.text, &before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        auto_text struct text after = {0};
        test_send(test, "PUT", "/snapshots/a", &answer, "{\"memory_file_path\":\"%s%s}",
                  test->fixture.root.text, bad[i].rest);
        assert_problem(&answer, bad[i].status, bad[i].code);
        disk_describe(test->fixture.home.text, &after);
        assert_string_equal(after.data, before.data);
    }
}

static void the_servers_capture_is_used_where_none_is_asked_for(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer made = {0};
    auto_answer struct answer again = {0};

    test->fixture.settings.capture = CAPTURE_COPY;
    test_restart(test);
    create_with(test, &memory, "", &made);
    assert_created(&made);
    assert_string_equal(answer_string(&made, "memory.capture"), "copy");
    assert_null(json_object_get(made.json, "warnings"));
    disk_write(memory.text, 4096, 9); /* that VM goes on */
    assert_true(disk_holds(path_of("%s/snapshots/a/memory.bin", test->fixture.store.text).text,
                           4096, 7));
    create_with(test, &memory, ",\"capture\":\"copy\"", &again); /* the default, said aloud */
    assert_int_equal(again.status, 200);
}

static void isolate_takes_what_the_filesystem_has_and_reflink_insists(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    bool can = test->fixture.service->abilities.reflink;
    auto_answer struct answer isolated = {0};
    auto_answer struct answer cloned = {0};

    create_with(test, &memory, ",\"capture\":\"isolate\"", &isolated);
    assert_created(&isolated);
    assert_string_equal(answer_string(&isolated, "memory.capture"), can ? "reflink" : "copy");
    remove_snapshot(test, "/snapshots/a");
    create_with(test, &memory, ",\"capture\":\"reflink\"", &cloned);
    if (can)
        assert_created(&cloned);
    else
        assert_problem(&cloned, 422, "reflink_unsupported");
}

/* A directory on another filesystem than the store's; false if there is none. */
static bool make_foreign_root(const struct test *test, struct path *out)
{
    static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm", BINARY_DIR};
    dev_t ours = disk_stat(test->fixture.home.text).st_dev;

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct stat stat;
        if (lstat(places[i], &stat) != 0 || stat.st_dev == ours)
            continue;
        *out = path_of("%s/vmsnapd-http-XXXXXX", places[i]);
        if (mkdtemp(out->text))
            return true;
    }
    return false;
}

static void a_link_across_filesystems_is_refused_in_openvmms_words(void **state)
{
    struct test *test = *state;
    struct path root;
    auto_answer struct answer refused = {0};
    auto_answer struct answer copied = {0};

    if (!make_foreign_root(test, &root)) {
        print_message("skipped: there is only one filesystem here\n");
        return;
    }
    struct path memory = path_of("%s/m", root.text);
    char *roots[] = {test->fixture.root.text, root.text};
    disk_write(memory.text, 4096, 7);
    test->fixture.settings.memory_roots = roots;
    test->fixture.settings.memory_root_count = 2;
    test_restart(test);
    create_with(test, &memory, "", &refused);
    assert_problem(&refused, 422, "different_filesystem");
    assert_string_equal(
        answer_string(&refused, "detail"),
        path_of("memory backing file (%s) must be on the same filesystem as the snapshot "
                "directory (%s/snapshots/a); consider placing the backing file inside the snapshot "
                "directory",
                memory.text, test->fixture.store.text)
            .text);
    create_with(test, &memory, ",\"capture\":\"copy\"", &copied);
    assert_created(&copied);
    disk_remove(root.text);
}

static void state_by_path_is_opened_as_safely_as_memory(void **state)
{
    struct test *test = *state;
    const char *root = test->fixture.root.text;
    struct path memory = test_memory(test, "m", 4096, 7);

    disk_write(path_of("%s/secret", test->fixture.home.text).text, 1, 1);
    must(symlink("../secret", path_of("%s/out", root).text) == 0, "symlink");
    must(mkfifo(path_of("%s/fifo", root).text, 0600) == 0, "fifo");
    /* clang-format off */
    const struct {
        struct path path;
        long status;
        const char *code;
    } bad[] = {
        {path_of("/etc/passwd"),        403, "forbidden"},
        {path_of("%s/out", root),       403, "forbidden"},
        {path_of("%s/../secret", root), 403, "forbidden"},
        {path_of("%s/fifo", root),      422, "invalid_argument"},
        {path_of("%s", root),           422, "invalid_argument"},
        {path_of("%s/none", root),      422, "invalid_argument"},
        {path_of("relative"),           422, "invalid_argument"},
        {path_of("%s/a\\u0000b", root), 422, "invalid_argument"},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        create_with(test, &memory, path_of(",\"state_file_path\":\"%s\"", bad[i].path.text).text,
                    &answer);
        assert_problem(&answer, bad[i].status, bad[i].code);
        assert_blames(&answer, "/state_file_path");
    }
    assert_int_equal(disk_count(path_of("%s/snapshots", test->fixture.store.text).text), 0);
}

static void state_up_to_the_cap_is_taken_by_path_and_in_base64(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path fits = test_memory(test, "fits", 3, 0);
    struct path exceeds = test_memory(test, "exceeds", 4, 0);
    struct path by_path = path_of(",\"state_file_path\":\"%s\"", fits.text);
    struct path beyond = path_of(",\"state_file_path\":\"%s\"", exceeds.text);
    const struct {
        const char *member;
        bool fits;
    } states[] = {
        {by_path.text,                     true },
        {beyond.text,                      false},
        {",\"state_base64\":\"AAAA\"",     true },
        {",\"state_base64\":\"AAAAAA==\"", false},
    };

    test->fixture.settings.state_max_bytes = 3;
    test_restart(test);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        auto_answer struct answer answer = {0};
        create_with(test, &memory, states[i].member, &answer);
        if (!states[i].fits) {
            assert_problem(&answer, 413, "payload_too_large");
            continue;
        }
        assert_created(&answer);
        assert_int_equal(json_integer_value(answer_at(&answer, "state.size_bytes")), 3);
        remove_snapshot(test, "/snapshots/a");
    }
    assert_int_equal(disk_count(path_of("%s/snapshots", test->fixture.store.text).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", test->fixture.store.text).text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(what_is_left_out_has_its_default),
        WITH_SERVER(numbers_may_be_strings_of_digits),
        WITH_SERVER(every_page_size_and_architecture_is_taken),
        WITH_SERVER(a_time_keeps_its_digits_and_is_told_in_utc),
        WITH_SERVER(a_time_that_rfc_3339_cannot_say_is_seconds_and_nanos),
        WITH_SERVER(a_version_may_hold_any_unicode),
        WITH_SERVER(the_restore_line_is_what_openvmm_wants),
        WITH_SERVER(labels_and_arguments_have_their_limits),
        WITH_SERVER(an_id_has_at_most_128_characters),
        WITH_SERVER(an_id_that_no_request_made_is_taken),
        WITH_SERVER(put_captures_anew_though_the_request_is_the_same),
        WITH_SERVER(a_put_that_fails_leaves_the_snapshot_as_it_was),
        WITH_SERVER(the_servers_capture_is_used_where_none_is_asked_for),
        WITH_SERVER(isolate_takes_what_the_filesystem_has_and_reflink_insists),
        WITH_SERVER(a_link_across_filesystems_is_refused_in_openvmms_words),
        WITH_SERVER(state_by_path_is_opened_as_safely_as_memory),
        WITH_SERVER(state_up_to_the_cap_is_taken_by_path_and_in_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
