/* PATCH: labels, and what is held. */
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

#define MERGE_PATCH "Content-Type: application/merge-patch+json"
#define ACCEPTED    "application/merge-patch+json, application/json"

static void make_snapshot(struct test *test)
{
    struct path memory = test_memory(test, "m", 4096, 7);

    test_create(test, "a", &memory, 2);
}

/* With a header of its own, or NULL. */
static void patch_if(struct test *test, const char *header, const char *body, struct answer *out)
{
    test_call(test,
              &(struct call){
                  .method = "PATCH",
                  .path = "/snapshots/a",
                  .headers = {MERGE_PATCH, header},
                  .body = body
    },
              out);
}

static void patch(struct test *test, const char *body, struct answer *out)
{
    patch_if(test, NULL, body, out);
}

static void assert_labels(const struct answer *answer, const char *expected)
{
    auto_free char *labels = json_dumps(answer_at(answer, "labels"), JSON_COMPACT | JSON_SORT_KEYS);

    assert_string_equal(labels, expected);
}

static void a_patch_answers_what_a_get_answers_after_it(void **state)
{
    struct test *test = *state;
    auto_answer struct answer patched = {0};
    auto_answer struct answer got = {0};

    make_snapshot(test);
    patch(test, "{\"labels\":{\"vm\":\"web\",\"os\":\"linux\"},\"held\":true}", &patched);
    assert_int_equal(patched.status, 200);
    assert_labels(&patched, "{\"os\":\"linux\",\"vm\":\"web\"}");
    assert_true(json_is_true(answer_at(&patched, "held")));
    test_restart(test);
    test_get(test, "/snapshots/a", &got);
    assert_string_equal(got.body.data, patched.body.data);
    assert_string_equal(answer_header(&got, "ETag"), answer_header(&patched, "ETag"));
}

static void labels_are_merged_by_rfc_7396(void **state)
{
    static const char *const steps[][2] = {
        {"{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}",              "{\"a\":\"1\",\"b\":\"2\"}"},
        {"{}",                                                  "{\"a\":\"1\",\"b\":\"2\"}"},
        {"{\"labels\":{\"a\":null,\"c\":\"3\",\"none\":null}}", "{\"b\":\"2\",\"c\":\"3\"}"},
        {"{\"held\":null}",                                     "{\"b\":\"2\",\"c\":\"3\"}"},
        {"{\"labels\":null}",                                   "{}"                       },
    };

    make_snapshot(*state);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        auto_answer struct answer answer = {0};
        patch(*state, steps[i][0], &answer);
        assert_int_equal(answer.status, 200);
        assert_labels(&answer, steps[i][1]);
    }
}

static void what_is_held_is_refused_to_all_until_it_is_let_go(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer held = {0};
    auto_answer struct answer deleted = {0};
    auto_answer struct answer replaced = {0};
    auto_answer struct answer let_go = {0};
    auto_answer struct answer gone = {0};

    make_snapshot(test);
    patch(test, "{\"held\":true}", &held);
    assert_int_equal(held.status, 200);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a?force=1"}, &deleted);
    assert_problem(&deleted, 409, "held");
    test_send(test, "PUT", "/snapshots/a?force=1", &replaced,
              "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&replaced, 409, "held");
    patch(test, "{\"held\":null}", &let_go);
    assert_true(json_is_false(answer_at(&let_go, "held")));
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &gone);
    assert_int_equal(gone.status, 204);
}

/* As they are now, by themselves and in the list. */
static void assert_listed(struct test *test)
{
    auto_answer struct answer got = {0};
    auto_answer struct answer list = {0};

    test_get(test, "/snapshots/a", &got);
    test_get(test, "/snapshots", &list);
    assert_true(json_equal(answer_at(&list, "snapshots.0"), got.json));
}

static void a_list_shows_a_patch_at_once(void **state)
{
    static const char *const patches[] = {"{\"held\":true}", "{\"labels\":{\"vm\":\"web\"}}",
                                          "{\"labels\":null,\"held\":false}"};
    struct test *test = *state;
    struct path home = fixture_snapshot(&test->fixture, "a", "");

    openvmm_save(home.text, 4096, 7, 2);
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        auto_answer struct answer patched = {0};
        patch(test, patches[i], &patched);
        assert_int_equal(patched.status, 200);
        assert_listed(test);
    }
}

static void conditions_guard_a_patch(void **state)
{
    struct test *test = *state;
    auto_answer struct answer got = {0};
    auto_answer struct answer done = {0};
    auto_answer struct answer late = {0};
    auto_answer struct answer there = {0};
    char match[96];

    make_snapshot(test);
    test_get(test, "/snapshots/a", &got);
    snprintf(match, sizeof match, "If-Match: %s", answer_header(&got, "ETag"));
    patch_if(test, match, "{\"labels\":{\"n\":\"1\"}}", &done);
    assert_int_equal(done.status, 200);
    patch_if(test, match, "{\"labels\":{\"n\":\"2\"}}", &late);
    assert_problem(&late, 412, "precondition_failed");
    patch_if(test, "If-None-Match: *", "{}", &there);
    assert_problem(&there, 412, "precondition_failed");
}

static void only_patches_are_taken_and_which_is_told(void **state)
{
    static const char *const types[] = {"Content-Type: application/json-patch+json",
                                        "Content-Type: text/plain", "Content-Type:"};
    auto_answer struct answer options = {0};
    auto_answer struct answer list = {0};
    auto_answer struct answer json = {0};

    make_snapshot(*state);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        auto_answer struct answer refused = {0};
        test_call(*state,
                  &(struct call){
                      .method = "PATCH",
                      .path = "/snapshots/a",
                      .headers = {types[i]},
                      .body = "{}"},
                  &refused);
        assert_problem(&refused, 415, "unsupported_media_type");
        assert_string_equal(answer_header(&refused, "Accept-Patch"), ACCEPTED);
    }
    test_call(*state, &(struct call){.method = "OPTIONS", .path = "/snapshots/a"}, &options);
    assert_string_equal(answer_header(&options, "Accept-Patch"), ACCEPTED);
    test_call(*state, &(struct call){.method = "OPTIONS", .path = "/snapshots"}, &list);
    assert_null(answer_header(&list, "Accept-Patch"));
    test_send(*state, "PATCH", "/snapshots/a", &json, "{\"held\":true}");
    assert_int_equal(json.status, 200);
}

static void all_that_is_wrong_with_a_patch_is_told_at_once(void **state)
{
    auto_answer struct answer wrong = {0};
    auto_answer struct answer same = {0};

    make_snapshot(*state);
    patch(*state, "{\"labels\":{\"a\":1,\"b b\":null},\"held\":\"yes\",\"vp_count\":3}", &wrong);
    assert_problem(&wrong, 422, "invalid_argument");
    assert_blames(&wrong, "/labels/a");
    assert_blames(&wrong, "/labels/b b");
    assert_blames(&wrong, "/held");
    assert_blames(&wrong, "/vp_count");
    test_get(*state, "/snapshots/a", &same);
    assert_labels(&same, "{}");
}

static void more_than_64_labels_are_too_many(void **state)
{
    auto_answer struct answer full = {0};
    auto_answer struct answer more = {0};
    auto_text struct text body = {0};

    make_snapshot(*state);
    text_appends(&body, "{\"labels\":{");
    for (int i = 0; i < 64; i++)
        text_appendf(&body, "%s\"k%d\":\"\"", i ? "," : "", i);
    text_appends(&body, "}}");
    patch(*state, body.data, &full);
    assert_int_equal(full.status, 200);
    patch(*state, "{\"labels\":{\"one\":\"more\"}}", &more);
    assert_problem(&more, 422, "invalid_argument");
    assert_blames(&more, "/labels");
}

static void what_openvmm_wrote_is_patched_once_it_is_whole(void **state)
{
    struct test *test = *state;
    struct path home = fixture_snapshot(&test->fixture, "a", "");
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer nothing = {0};
    auto_answer struct answer early = {0};
    auto_answer struct answer patched = {0};
    auto_answer struct answer taken = {0};

    patch(test, "{}", &nothing);
    assert_problem(&nothing, 404, "not_found");
    disk_make_dir(home.text);
    patch(test, "{\"held\":true}", &early);
    assert_problem(&early, 409, "busy");
    assert_string_equal(answer_header(&early, "Retry-After"), "1");
    openvmm_save(home.text, 4096, 7, 2);
    patch(test, "{\"labels\":{\"by\":\"hand\"}}", &patched);
    assert_labels(&patched, "{\"by\":\"hand\"}");
    assert_true(json_is_null(answer_at(&patched, "memory.capture")));
    assert_true(json_is_null(answer_at(&patched, "state.sha256")));
    test_send(test, "POST", "/snapshots", &taken,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&taken, 409, "already_exists");
}

static void a_damaged_snapshot_can_be_held(void **state)
{
    struct test *test = *state;
    auto_answer struct answer held = {0};
    auto_answer struct answer deleted = {0};

    make_snapshot(test);
    disk_write(fixture_snapshot(&test->fixture, "a", MANIFEST_FILE).text, 3, '\xff');
    patch(test, "{\"held\":true}", &held);
    assert_int_equal(held.status, 200);
    assert_string_equal(answer_string(&held, "status"), "damaged");
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &deleted);
    assert_problem(&deleted, 409, "held");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_patch_answers_what_a_get_answers_after_it),
        WITH_SERVER(labels_are_merged_by_rfc_7396),
        WITH_SERVER(what_is_held_is_refused_to_all_until_it_is_let_go),
        WITH_SERVER(a_list_shows_a_patch_at_once),
        WITH_SERVER(conditions_guard_a_patch),
        WITH_SERVER(only_patches_are_taken_and_which_is_told),
        WITH_SERVER(all_that_is_wrong_with_a_patch_is_told_at_once),
        WITH_SERVER(more_than_64_labels_are_too_many),
        WITH_SERVER(what_openvmm_wrote_is_patched_once_it_is_whole),
        WITH_SERVER(a_damaged_snapshot_can_be_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
