#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static void assert_same_json(json_t *a, json_t *b)
{
    if (!json_equal(a, b)) {
        auto_free char *left = json_dumps(a, 0);
        auto_free char *right = json_dumps(b, 0);
        fail_msg("%s is not %s", left, right);
    }
}

static void a_create_answers_what_a_get_answers_and_where(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 8192, 7);
    auto_answer struct answer made = {0};
    auto_answer struct answer got = {0};

    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS
              ",\"created_at\":\"2026-01-02T03:04:05.678Z\",\"vmm_args\":[\"--uefi\"],"
              "\"labels\":{\"vm\":\"web\"}}",
              memory.text);
    assert_int_equal(made.status, 201);
    assert_string_equal(answer_header(&made, "Location"), "/snapshots/a");
    test_get(test, "/snapshots/a", &got);
    assert_int_equal(got.status, 200);
    assert_string_equal(answer_header(&got, "Content-Type"), "application/json");
    char tag[64];
    snprintf(tag, sizeof tag, "%s", answer_header(&got, "ETag"));
    assert_string_equal(answer_header(&made, "ETag"), tag);
    assert_non_null(strstr(answer_string(&made, "warnings.0"), memory.text));
    json_object_del(made.json, "warnings");
    assert_same_json(made.json, got.json);
    assert_string_equal(answer_string(&got, "status"), "ready");
    assert_true(json_is_null(answer_at(&got, "problem")));
    assert_string_equal(answer_string(&got, "manifest.created_at"), "2026-01-02T03:04:05.678Z");
    assert_int_equal(json_integer_value(answer_at(&got, "manifest.memory_size_bytes")), 8192);
    assert_string_equal(answer_string(&got, "memory.capture"), "link");
    assert_string_equal(answer_string(&got, "labels.vm"), "web");
    assert_true(json_is_false(answer_at(&got, "held")));
    assert_true(json_is_true(answer_at(&got, "restore.complete")));
    assert_string_equal(answer_string(&got, "restore.openvmm_args.0"), "--uefi");
}

static void an_id_is_made_up_where_none_is_given_and_ids_sort_by_time(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    char last[64] = "";

    for (int i = 0; i < 3; i++) {
        auto_answer struct answer made = {0};
        test_send(test, "POST", "/snapshots", &made,
                  "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
        assert_int_equal(made.status, 201);
        assert_true(strncmp(answer_string(&made, "id"), last, 9) >= 0);
        snprintf(last, sizeof last, "%s", answer_string(&made, "id"));
    }
}

static void the_same_request_again_answers_200_also_after_a_restart_without_its_source(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer again = {0};
    auto_answer struct answer got = {0};
    auto_answer struct answer other = {0};

    test_create(test, "a", &memory, 2);
    test_restart(test);
    disk_remove(memory.text);
    test_send(test, "POST", "/snapshots", &again,
              "{\"architecture\":\"x86_64\",\"vp_count\":\"2\",\"openvmm_version\":\"0.0.0\","
              "\"page_size\":4096,\"memory_file_path\":\"%s\",\"id\":\"a\",\"capture\":\"link\"}",
              memory.text);
    assert_int_equal(again.status, 200);
    assert_null(answer_header(&again, "Location"));
    test_get(test, "/snapshots/a", &got);
    assert_same_json(again.json, got.json);
    struct path tag = path_of("%s", answer_header(&got, "ETag"));
    assert_string_equal(answer_header(&again, "ETag"), tag.text);
    test_send(test, "POST", "/snapshots", &other,
              "{\"architecture\":\"x86_64\",\"vp_count\":3,\"openvmm_version\":\"0.0.0\","
              "\"memory_file_path\":\"%s\",\"id\":\"a\"}",
              memory.text);
    assert_problem(&other, 409, "already_exists");
}

static void a_snapshot_that_openvmm_saved_over_is_no_repetition(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer again = {0};
    auto_answer struct answer got = {0};

    test_create(test, "a", &memory, 2);
    disk_write(path_of("%s/snapshots/a/manifest.bin", test->fixture.store.text).text, 0, 0);
    test_send(test, "POST", "/snapshots", &again,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&again, 409, "already_exists");
    test_get(test, "/snapshots/a", &got);
    assert_true(json_is_null(answer_at(&got, "memory.capture")));
    assert_true(json_is_null(answer_at(&got, "state.sha256")));
}

static void snapshots_that_openvmm_wrote_are_listed_with_nulls_for_what_is_not_known(void **state)
{
    struct test *test = *state;
    const char *store = test->fixture.store.text;
    auto_answer struct answer got = {0};
    auto_answer struct answer torn = {0};
    auto_answer struct answer bad = {0};
    auto_answer struct answer list = {0};

    disk_make_dir(path_of("%s/snapshots/whole", store).text);
    disk_write(path_of("%s/snapshots/whole/manifest.bin", store).text, 0, 0);
    disk_write(path_of("%s/snapshots/whole/state.bin", store).text, 0, 0);
    disk_write(path_of("%s/snapshots/whole/memory.bin", store).text, 4096, 1);
    disk_make_dir(path_of("%s/snapshots/torn", store).text);
    disk_write(path_of("%s/snapshots/torn/manifest.bin", store).text, 0, 0);
    disk_make_dir(path_of("%s/snapshots/bad", store).text);
    disk_write(path_of("%s/snapshots/bad/manifest.bin", store).text, 3, (char)0xff);
    test_get(test, "/snapshots/whole", &got);
    assert_string_equal(answer_string(&got, "status"), "ready");
    assert_true(json_is_null(answer_at(&got, "memory.capture")));
    assert_true(json_is_null(answer_at(&got, "state.sha256")));
    assert_true(json_is_false(answer_at(&got, "restore.complete")));
    test_get(test, "/snapshots/torn", &torn);
    assert_string_equal(answer_string(&torn, "status"), "incomplete");
    assert_true(json_is_null(answer_at(&torn, "memory")));
    assert_true(json_is_null(answer_at(&torn, "restore")));
    test_get(test, "/snapshots/bad", &bad);
    assert_string_equal(answer_string(&bad, "status"), "damaged");
    assert_string_equal(answer_string(&bad, "problem"),
                        "failed to decode snapshot manifest: decoding failed: "
                        "eof parsing a varint");
    assert_true(json_is_null(answer_at(&bad, "manifest")));
    assert_true(json_is_null(answer_at(&bad, "restore")));
    test_get(test, "/snapshots", &list);
    assert_int_equal(json_array_size(answer_at(&list, "snapshots")), 3);
    assert_same_json(answer_at(&list, "snapshots.0"), bad.json);
    assert_same_json(answer_at(&list, "snapshots.1"), torn.json);
    assert_same_json(answer_at(&list, "snapshots.2"), got.json);
}

static void a_list_is_in_the_order_of_ids_and_its_link_leads_on(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    static const char *const ids[] = {"b", "a.1", "c", "B", "a"};
    static const char *const order[] = {"B", "a", "a.1", "b", "c"};
    char next[512] = "/snapshots?limit=2";
    size_t seen = 0;

    for (size_t i = 0; i < 5; i++)
        test_create(test, ids[i], &memory, 2);
    while (*next) {
        auto_answer struct answer page = {0};
        test_get(test, next, &page);
        assert_int_equal(page.status, 200);
        for (size_t i = 0; i < json_array_size(answer_at(&page, "snapshots")); i++, seen++) {
            json_t *item = json_array_get(answer_at(&page, "snapshots"), i);
            assert_string_equal(json_string_value(json_object_get(item, "id")), order[seen]);
        }
        const char *link = answer_header(&page, "Link");
        assert_int_equal(link != NULL, !json_is_null(answer_at(&page, "next")));
        *next = '\0';
        if (link) {
            assert_memory_equal(link + 1, test->url, strlen(test->url)); /* whole */
            const char *path = link + 1 + strlen(test->url);
            snprintf(next, sizeof next, "%.*s", (int)strcspn(path, ">"), path);
            assert_non_null(strstr(link, "; rel=\"next\""));
            assert_non_null(strstr(next, answer_string(&page, "next")));
        }
    }
    assert_int_equal(seen, 5);
}

static void a_list_with_live_tells_counts_and_no_writer(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer list = {0};
    auto_answer struct answer one = {0};

    test_create(test, "a", &memory, 2);
    test_create(test, "b", &memory, 2);
    test_get(test, "/snapshots?limit=1&include=live", &list);
    assert_non_null(strstr(answer_header(&list, "Link"), "?limit=1&include=live&cursor="));
    assert_int_equal(json_integer_value(answer_at(&list, "snapshots.0.live.link_count")), 3);
    assert_null(json_object_get(answer_at(&list, "snapshots.0.live"), "writer"));
    test_get(test, "/snapshots/a?include=live", &one);
    assert_string_equal(answer_string(&one, "live.writer"), "none");
    assert_true(json_is_true(answer_at(&one, "live.shared")));
    assert_null(answer_header(&one, "ETag"));
    assert_string_equal(answer_header(&one, "Cache-Control"), "no-store");
}

static void check_writer(struct test *test, void (*use)(const char *path), const char *writer)
{
    struct path memory = path_of("%s/snapshots/a/memory.bin", test->fixture.store.text);
    struct file_user vm;
    auto_answer struct answer got = {0};

    file_user_start(&vm, memory.text, use);
    test_get(test, "/snapshots/a?include=live", &got);
    file_user_stop(&vm);
    assert_string_equal(answer_string(&got, "live.writer"), writer);
}

static void live_tells_who_can_write_the_memory_and_what_it_takes_on_disk(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 8192, 7);
    auto_answer struct answer got = {0};

    if (!test->fixture.service->abilities.lease) {
        print_message("skipped: leases are not to be had here\n");
        return;
    }
    test_create(test, "a", &memory, 2);
    check_writer(test, open_writable, "present");
    check_writer(test, map_writable, "present");
    check_writer(test, open_readable, "none");
    disk_remove(memory.text);
    test_get(test, "/snapshots/a?include=live", &got);
    assert_int_equal(json_integer_value(answer_at(&got, "live.allocated_bytes")), 8192);
    assert_int_equal(json_integer_value(answer_at(&got, "live.link_count")), 1);
    assert_true(json_is_false(answer_at(&got, "live.shared")));
}

static void what_is_not_a_page_is_refused(void **state)
{
    static const struct {
        const char *path, *parameter;
    } bad[] = {
        {"/snapshots?limit=0",         "?limit"  },
        {"/snapshots?limit=1001",      "?limit"  },
        {"/snapshots?limit=x",         "?limit"  },
        {"/snapshots?cursor=zz",       "?cursor" },
        {"/snapshots?include=dead",    "?include"},
        {"/snapshots?colour=1",        "?colour" },
        {"/snapshots?limit=1&limit=1", "?limit"  },
        {"/snapshots/a?limit=1",       "?limit"  },
        {"/snapshots/a/manifest?x",    "?x"      },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        test_get(*state, bad[i].path, &answer);
        assert_problem(&answer, 422, "invalid_argument");
        assert_blames(&answer, bad[i].parameter);
    }
}

static void put_creates_then_replaces(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path other = test_memory(test, "n", 8192, 8);

    for (int round = 0; round < 2; round++) {
        auto_answer struct answer put = {0};
        auto_answer struct answer got = {0};
        test_send(test, "PUT", "/snapshots/a", &put,
                  "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
                  round ? other.text : memory.text);
        assert_int_equal(put.status, round ? 200 : 201);
        test_get(test, "/snapshots/a", &got);
        assert_int_equal(json_integer_value(answer_at(&got, "memory.size_bytes")),
                         round ? 8192 : 4096);
    }
    fixture_settle(&test->fixture); /* the old one is removed after the answer */
    assert_int_equal(disk_stat(memory.text).st_nlink, 1);
}

static void put_refuses_another_id_in_its_body_and_an_id_that_is_none(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer other = {0};
    auto_answer struct answer none = {0};

    test_send(test, "PUT", "/snapshots/a", &other,
              "{\"id\":\"b\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&other, 422, "invalid_argument");
    assert_blames(&other, "/id");
    test_send(test, "PUT", "/snapshots/.a", &none,
              "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&none, 422, "invalid_argument");
    assert_blames(&none, "?id");
}

static long conditional(struct test *test, const char *method, const char *header,
                        const struct path *memory)
{
    auto_answer struct answer answer = {0};
    auto_text struct text body = {0};

    text_appendf(&body, "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory->text);
    test_call(test,
              &(struct call){
                  .method = method,
                  .path = "/snapshots/a",
                  .headers = {JSON_BODY, header},
                  .body = *method == 'P' ? body.data : NULL
    },
              &answer);
    if (answer.status == 412)
        assert_problem(&answer, 412, "precondition_failed");
    return answer.status;
}

static void if_match_guards_put_and_delete(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer got = {0};
    char match[96];

    assert_int_equal(conditional(test, "PUT", "If-Match: *", &memory), 412);
    assert_int_equal(conditional(test, "PUT", "If-None-Match: *", &memory), 201);
    assert_int_equal(conditional(test, "PUT", "If-None-Match: *", &memory), 412);
    assert_int_equal(conditional(test, "PUT", "If-Match: \"x\"", &memory), 412);
    test_get(test, "/snapshots/a", &got);
    snprintf(match, sizeof match, "If-Match: \"x\", %s", answer_header(&got, "ETag"));
    assert_int_equal(conditional(test, "PUT", match, &memory), 200);
    assert_int_equal(conditional(test, "DELETE", match, &memory), 412); /* replaced since */
    assert_int_equal(conditional(test, "DELETE", "If-Match: *", &memory), 204);
}

static void delete_removes_only_what_is_ours(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path disk = path_of("%s/snapshots/a/disk.vhdx", test->fixture.store.text);
    auto_answer struct answer refused = {0};
    auto_answer struct answer done = {0};
    auto_answer struct answer again = {0};

    test_create(test, "a", &memory, 2);
    disk_write(disk.text, 10, 1);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &refused);
    assert_problem(&refused, 409, "foreign_files");
    assert_non_null(strstr(answer_string(&refused, "detail"), "disk.vhdx"));
    disk_remove(disk.text);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &done);
    assert_int_equal(done.status, 204);
    assert_int_equal(done.body.len, 0);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &again);
    assert_problem(&again, 404, "not_found");
    assert_true(disk_holds(memory.text, 4096, 7));
}

static void the_last_name_of_memory_in_use_is_not_removed_without_force(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer refused = {0};
    auto_answer struct answer replaced = {0};
    auto_answer struct answer forced = {0};

    test_create(test, "a", &memory, 2);
    int vm = open(memory.text, O_RDWR | O_CLOEXEC);
    disk_remove(memory.text);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &refused);
    assert_problem(&refused, 409, "in_use");
    struct path other = test_memory(test, "n", 4096, 8);
    test_send(test, "PUT", "/snapshots/a", &replaced,
              "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", other.text);
    assert_problem(&replaced, 409, "in_use");
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a?force=1"}, &forced);
    assert_int_equal(forced.status, 204);
    close(vm);
}

static void a_copy_of_memory_in_use_can_be_refused(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer refused = {0};
    auto_answer struct answer made = {0};

    int vm = open(memory.text, O_RDWR | O_CLOEXEC);
    test_send(test, "POST", "/snapshots", &refused,
              "{\"id\":\"a\",\"capture\":\"copy\",\"allow_writer\":false,"
              "\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
              memory.text);
    assert_problem(&refused, 409, "in_use");
    close(vm);
    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"capture\":\"copy\",\"allow_writer\":false,"
              "\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
              memory.text);
    assert_int_equal(made.status, 201);
    assert_null(json_object_get(made.json, "warnings"));
    assert_string_equal(answer_string(&made, "memory.capture"), "copy");
}

static void memory_in_the_snapshots_own_directory_is_joined_by_the_rest(void **state)
{
    struct test *test = *state;
    struct path home = path_of("%s/snapshots/a", test->fixture.store.text);
    struct path memory = path_of("%s/memory.bin", home.text);
    auto_answer struct answer copied = {0};
    auto_answer struct answer made = {0};
    auto_answer struct answer again = {0};
    auto_answer struct answer put = {0};

    disk_make_dir(home.text);
    disk_write(memory.text, 4096, 7);
    ino_t inode = disk_stat(memory.text).st_ino;
    test_send(test, "POST", "/snapshots", &copied,
              "{\"id\":\"a\",\"capture\":\"copy\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS
              "}",
              memory.text);
    assert_problem(&copied, 422, "invalid_argument");
    assert_blames(&copied, "/capture");
    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_int_equal(made.status, 201);
    assert_string_equal(answer_string(&made, "status"), "ready");
    assert_null(json_object_get(made.json, "warnings"));
    test_send(test, "POST", "/snapshots", &again,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\",\"labels\":{\"a\":\"b\"}," REQUIRED_MEMBERS
              "}",
              memory.text);
    assert_problem(&again, 409, "already_exists");
    test_send(test, "PUT", "/snapshots/a", &put,
              "{\"memory_file_path\":\"%s\",\"labels\":{\"a\":\"b\"}," REQUIRED_MEMBERS "}",
              memory.text);
    assert_int_equal(put.status, 200);
    assert_int_equal(disk_stat(memory.text).st_ino, inode);
    assert_int_equal(disk_count(home.text), 4);
}

static void what_the_client_has_is_not_sent_again(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer got = {0};
    auto_answer struct answer same = {0};
    auto_answer struct answer any = {0};
    auto_answer struct answer live = {0};
    char condition[96];

    test_create(test, "a", &memory, 2);
    test_get(test, "/snapshots/a", &got);
    snprintf(condition, sizeof condition, "If-None-Match: W/%s", answer_header(&got, "ETag"));
    test_call(test, &(struct call){.path = "/snapshots/a", .headers = {condition}}, &same);
    assert_int_equal(same.status, 304);
    assert_int_equal(same.body.len, 0);
    assert_string_equal(answer_header(&same, "ETag"), strchr(condition, '"'));
    test_call(test, &(struct call){.path = "/snapshots/a", .headers = {"If-None-Match: *"}}, &any);
    assert_int_equal(any.status, 304);
    test_call(test, &(struct call){.path = "/snapshots/a?include=live", .headers = {condition}},
              &live);
    assert_int_equal(live.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_create_answers_what_a_get_answers_and_where),
        WITH_SERVER(an_id_is_made_up_where_none_is_given_and_ids_sort_by_time),
        WITH_SERVER(the_same_request_again_answers_200_also_after_a_restart_without_its_source),
        WITH_SERVER(a_snapshot_that_openvmm_saved_over_is_no_repetition),
        WITH_SERVER(snapshots_that_openvmm_wrote_are_listed_with_nulls_for_what_is_not_known),
        WITH_SERVER(a_list_is_in_the_order_of_ids_and_its_link_leads_on),
        WITH_SERVER(a_list_with_live_tells_counts_and_no_writer),
        WITH_SERVER(live_tells_who_can_write_the_memory_and_what_it_takes_on_disk),
        WITH_SERVER(what_is_not_a_page_is_refused),
        WITH_SERVER(put_creates_then_replaces),
        WITH_SERVER(put_refuses_another_id_in_its_body_and_an_id_that_is_none),
        WITH_SERVER(if_match_guards_put_and_delete),
        WITH_SERVER(delete_removes_only_what_is_ours),
        WITH_SERVER(the_last_name_of_memory_in_use_is_not_removed_without_force),
        WITH_SERVER(a_copy_of_memory_in_use_can_be_refused),
        WITH_SERVER(memory_in_the_snapshots_own_directory_is_joined_by_the_rest),
        WITH_SERVER(what_the_client_has_is_not_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
