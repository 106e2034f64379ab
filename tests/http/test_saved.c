/* POST and PUT of a directory that OpenVMM saved. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

static struct path save(struct test *test, unsigned vp_count)
{
    struct path saved = path_of("%s/saved", test->fixture.root.text);

    openvmm_save(saved.text, 4096, 7, vp_count);
    return saved;
}

static void a_saved_directory_becomes_a_snapshot(void **state)
{
    struct test *test = *state;
    struct path saved = save(test, 3);
    auto_answer struct answer made = {0};
    auto_answer struct answer again = {0};
    auto_answer struct answer got = {0};
    auto_answer struct answer valid = {0};

    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"snapshot_dir_path\":\"%s\",\"labels\":{\"vm\":\"web\"},"
              "\"vmm_args\":[\"--uefi\"]}",
              saved.text);
    assert_int_equal(made.status, 201);
    assert_string_equal(answer_header(&made, "Location"), "/snapshots/a");
    assert_string_equal(answer_string(&made, "manifest.created_at"), "2009-02-13T23:31:30Z");
    assert_string_equal(answer_string(&made, "memory.capture"), "link");
    assert_string_equal(answer_string(&made, "labels.vm"), "web");
    assert_true(json_is_true(answer_at(&made, "restore.complete")));
    assert_non_null(strstr(answer_string(&made, "warnings.0"), "/saved/memory.bin"));
    test_get(test, "/snapshots/a", &got);
    assert_string_equal(answer_header(&got, "ETag"), answer_header(&made, "ETag"));
    test_send(test, "POST", "/snapshots/a/validate?strict=1", &valid, "{\"vp_count\":3}");
    assert_int_equal(valid.status, 200);
    disk_remove(saved.text);
    test_send(test, "POST", "/snapshots", &again,
              "{\"vmm_args\":[\"--uefi\"],\"labels\":{\"vm\":\"web\"},\"snapshot_dir_path\":\"%s\","
              "\"id\":\"a\"}",
              saved.text);
    assert_int_equal(again.status, 200);
}

static void a_saved_directory_takes_a_snapshots_place(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path saved = save(test, 5);
    auto_answer struct answer replaced = {0};

    test_create(test, "a", &memory, 2);
    test_send(test, "PUT", "/snapshots/a", &replaced,
              "{\"snapshot_dir_path\":\"%s\",\"capture\":\"copy\"}", saved.text);
    assert_int_equal(replaced.status, 200);
    assert_int_equal(json_integer_value(answer_at(&replaced, "manifest.vp_count")), 5);
}

static void what_was_taken_in_is_listed(void **state)
{
    struct test *test = *state;
    struct path saved = save(test, 3);
    auto_answer struct answer made = {0};
    auto_answer struct answer got = {0};
    auto_answer struct answer list = {0};

    test_send(test, "POST", "/snapshots", &made, "{\"id\":\"a\",\"snapshot_dir_path\":\"%s\"}",
              saved.text);
    test_get(test, "/snapshots/a", &got);
    test_get(test, "/snapshots", &list);
    assert_true(json_equal(answer_at(&list, "snapshots.0"), got.json));
}

static void what_the_directory_says_is_not_said_beside_it(void **state)
{
    struct test *test = *state;
    struct path saved = save(test, 3);
    auto_answer struct answer refused = {0};

    test_send(test, "POST", "/snapshots", &refused,
              "{\"snapshot_dir_path\":\"%s\",\"memory_file_path\":\"/m\",\"vp_count\":3,"
              "\"state_base64\":\"\",\"colour\":1}",
              saved.text);
    assert_problem(&refused, 422, "invalid_argument");
    assert_int_equal(json_array_size(answer_at(&refused, "errors")), 4);
    assert_blames(&refused, "/memory_file_path");
    assert_blames(&refused, "/vp_count");
    assert_blames(&refused, "/state_base64");
    assert_blames(&refused, "/colour");
}

static void state_is_not_uploaded_beside_a_directory(void **state)
{
    struct test *test = *state;
    struct path saved = save(test, 3);
    auto_answer struct answer refused = {0};
    auto_text struct text body = {0};

    text_appendf(&body,
                 "--b\r\nContent-Disposition: form-data; name=\"snapshot\"\r\n\r\n"
                 "{\"snapshot_dir_path\":\"%s\"}\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"state\"\r\n\r\nx\r\n--b--\r\n",
                 saved.text);
    test_call(test,
              &(struct call){
                  .path = "/snapshots",
                  .headers = {"Content-Type: multipart/form-data; boundary=b"},
                  .body = body.data},
              &refused);
    assert_problem(&refused, 422, "invalid_argument");
    assert_blames(&refused, "/snapshot_dir_path");
}

static void assert_refused(struct test *test, const char *dir, long status, const char *code,
                           const char *why)
{
    auto_answer struct answer refused = {0};
    auto_answer struct answer list = {0};

    test_send(test, "POST", "/snapshots", &refused, "{\"snapshot_dir_path\":\"%s\"}", dir);
    assert_problem(&refused, status, code);
    assert_blames(&refused, "/snapshot_dir_path");
    assert_non_null(strstr(answer_string(&refused, "detail"), why));
    test_get(test, "/snapshots", &list);
    assert_int_equal(json_array_size(answer_at(&list, "snapshots")), 0);
}

static void what_could_not_be_restored_is_refused(void **state)
{
    struct test *test = *state;
    struct path saved = save(test, 3);
    struct path manifest = path_of("%s/" MANIFEST_FILE, saved.text);

    assert_refused(test, "/etc", 403, "forbidden", "memory root");
    disk_write(path_of("%s/" MEMORY_FILE, saved.text).text, 8192, 7);
    assert_refused(test, saved.text, 422, "invalid_argument", "8192 bytes");
    disk_write(manifest.text, 3, '\xff');
    assert_refused(test, saved.text, 422, "invalid_argument",
                   "failed to decode snapshot manifest: decoding failed: ");
    assert_int_equal(unlink(manifest.text), 0);
    assert_refused(test, saved.text, 422, "invalid_argument", "manifest.bin: there is no such");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_saved_directory_becomes_a_snapshot),
        WITH_SERVER(a_saved_directory_takes_a_snapshots_place),
        WITH_SERVER(what_was_taken_in_is_listed),
        WITH_SERVER(what_the_directory_says_is_not_said_beside_it),
        WITH_SERVER(state_is_not_uploaded_beside_a_directory),
        WITH_SERVER(what_could_not_be_restored_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
