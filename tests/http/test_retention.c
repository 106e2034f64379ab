/* POST /retention/plan and /retention/apply. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/program.h"
#include "tests/test.h"

/* With memory of its own, and that label. */
static void make_at(struct test *test, const char *id, const char *created_at, const char *vm)
{
    struct path memory = test_memory(test, id, 4096, 7);
    auto_answer struct answer made = {0};

    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"%s\",\"memory_file_path\":\"%s\",\"capture\":\"copy\","
              "\"created_at\":\"%s\",\"labels\":{\"vm\":\"%s\"}," REQUIRED_MEMBERS "}",
              id, memory.text, created_at, vm);
    assert_int_equal(made.status, 201);
}

/* On that day of January 2020. */
static void make(struct test *test, const char *id, int day, const char *vm)
{
    make_at(test, id, path_of("2020-01-%02dT03:04:05Z", day).text, vm);
}

static void make_some(struct test *test)
{
    make(test, "a", 1, "web");
    make(test, "b", 2, "web");
    make(test, "c", 2, "db");
    make(test, "d", 3, "web");
}

static void plan(struct test *test, const char *policy, struct answer *out)
{
    test_send(test, "POST", "/retention/plan", out, "%s", policy);
}

static void apply(struct test *test, const struct answer *planned, struct answer *out)
{
    test_send(test, "POST", "/retention/apply", out, "{\"token\":\"%s\"}",
              answer_string(planned, "token"));
}

static void assert_json(json_t *json, const char *expected)
{
    auto_free char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    assert_string_equal(text, expected);
}

static size_t count_snapshots(struct test *test)
{
    auto_answer struct answer list = {0};

    test_get(test, "/snapshots", &list);
    return json_array_size(answer_at(&list, "snapshots"));
}

static void a_plan_is_shown_and_then_carried_out(void **state)
{
    auto_answer struct answer planned = {0};
    auto_answer struct answer applied = {0};
    auto_answer struct answer gone = {0};
    auto_answer struct answer again = {0};

    make_some(*state);
    plan(*state, "{\"keep_last\":1,\"group_by\":\"vm\"}", &planned);
    assert_int_equal(planned.status, 200);
    assert_string_equal(answer_header(&planned, "Cache-Control"), "no-store");
    assert_json(answer_at(&planned, "decisions"),
                "[{\"action\":\"keep\",\"bytes\":4096,\"group\":\"web\",\"id\":\"d\","
                "\"reasons\":[\"last\"]},"
                "{\"action\":\"keep\",\"bytes\":4096,\"group\":\"db\",\"id\":\"c\","
                "\"reasons\":[\"last\"]},"
                "{\"action\":\"drop\",\"bytes\":4096,\"frees_bytes\":4096,\"group\":\"web\","
                "\"id\":\"b\",\"reasons\":[\"no_rule\"]},"
                "{\"action\":\"drop\",\"bytes\":4096,\"frees_bytes\":4096,\"group\":\"web\","
                "\"id\":\"a\",\"reasons\":[\"no_rule\"]}]");
    assert_int_equal(json_integer_value(answer_at(&planned, "keep_count")), 2);
    assert_int_equal(json_integer_value(answer_at(&planned, "drop_count")), 2);
    assert_int_equal(json_integer_value(answer_at(&planned, "kept_bytes")), 8192);
    assert_int_equal(json_integer_value(answer_at(&planned, "frees_bytes")), 8192);
    assert_int_equal(count_snapshots(*state), 4);

    apply(*state, &planned, &applied);
    assert_int_equal(applied.status, 200);
    assert_json(applied.json, "{\"dropped\":[\"a\",\"b\"],\"failed\":[]}");
    assert_int_equal(count_snapshots(*state), 2);
    assert_float_equal(test_series(*state, "vmsnapd_snapshots_pruned_total"), 2, 0);
    test_get(*state, "/snapshots/a", &gone);
    assert_problem(&gone, 404, "not_found");
    apply(*state, &planned, &again);
    assert_problem(&again, 412, "precondition_failed");
}

static void reasons_name_the_rules_and_what_they_are_the_newest_of(void **state)
{
    auto_answer struct answer planned = {0};

    make_some(*state);
    plan(*state,
         "{\"keep_last\":1,\"keep_hourly\":1,\"keep_daily\":2,\"keep_weekly\":1,"
         "\"keep_monthly\":1,\"keep_yearly\":1,\"keep_within\":\"P9999Y\"}",
         &planned);
    assert_json(answer_at(&planned, "decisions.0.reasons"),
                "[\"last\",\"hourly 2020-01-03T03\",\"daily 2020-01-03\",\"weekly 2020-W01\","
                "\"monthly 2020-01\",\"yearly 2020\",\"within\"]");
    assert_json(answer_at(&planned, "decisions.1.reasons"), "[\"daily 2020-01-02\",\"within\"]");
    assert_json(answer_at(&planned, "decisions.2.reasons"), "[\"within\"]");
}

static void the_oldest_are_dropped_until_the_rest_fits(void **state)
{
    auto_answer struct answer planned = {0};

    make_some(*state);
    plan(*state, "{\"max_bytes\":9000,\"filter\":{\"label\":[\"vm:web\"]}}", &planned);
    assert_json(answer_at(&planned, "decisions.0.reasons"), "[\"fits\"]");
    assert_json(answer_at(&planned, "decisions.1.reasons"), "[\"fits\"]");
    assert_json(answer_at(&planned, "decisions.2.reasons"), "[\"max_bytes\"]");
    assert_int_equal(json_array_size(answer_at(&planned, "decisions")), 3);
}

static void change(struct test *test, const char *method, const char *path, const char *body)
{
    auto_answer struct answer changed = {0};

    const struct call call = {
        .method = method,
        .path = path,
        .headers = {body ? JSON_BODY : NULL},
        .body = body,
    };

    test_call(test, &call, &changed);
    assert_true(changed.status == 200 || changed.status == 204);
}

static void a_plan_is_refused_once_anything_about_its_snapshots_has_changed(void **state)
{
    static const struct {
        const char *method, *path, *body;
    } changes[] = {
        {"PATCH",  "/snapshots/d", "{\"held\":true}"                                         },
        {"PATCH",  "/snapshots/d", "{\"held\":false,\"labels\":{\"vm\":\"web\",\"x\":\"y\"}}"},
        {"PATCH",  "/snapshots/a", "{\"labels\":{\"vm\":\"db\"}}"                            },
        {"DELETE", "/snapshots/d", NULL                                                      },
    };
    struct test *test = *state;

    make_some(test);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        auto_answer struct answer planned = {0};
        auto_answer struct answer applied = {0};
        plan(test, "{\"keep_last\":1}", &planned);
        change(test, changes[i].method, changes[i].path, changes[i].body);
        apply(test, &planned, &applied);
        assert_problem(&applied, 412, "precondition_failed");
    }
    assert_int_equal(count_snapshots(test), 3);
}

static void changes_to_others_do_not_matter(void **state)
{
    struct test *test = *state;
    auto_answer struct answer planned = {0};
    auto_answer struct answer applied = {0};

    make_some(test);
    plan(test, "{\"keep_last\":1,\"filter\":{\"label\":[\"vm:web\"]}}", &planned);
    change(test, "PATCH", "/snapshots/c", "{\"held\":true}");
    make(test, "e", 9, "db");
    apply(test, &planned, &applied);
    assert_json(answer_at(&applied, "dropped"), "[\"a\",\"b\"]");
}

static void a_snapshot_that_appears_on_disk_changes_the_plan(void **state)
{
    struct test *test = *state;
    auto_answer struct answer planned = {0};
    auto_answer struct answer seen = {0};
    auto_answer struct answer applied = {0};

    make_some(test);
    plan(test, "{\"keep_last\":1}", &planned);
    openvmm_save(fixture_snapshot(&test->fixture, "saved", "").text, 4096, 7, 2);
    test_get(test, "/snapshots/saved", &seen);
    assert_int_equal(seen.status, 200);
    apply(test, &planned, &applied);
    assert_problem(&applied, 412, "precondition_failed");
}

static void what_cannot_be_removed_is_told_with_its_code(void **state)
{
    struct test *test = *state;
    auto_answer struct answer planned = {0};
    auto_answer struct answer applied = {0};

    make_some(test);
    disk_write(fixture_snapshot(&test->fixture, "a", "notes.txt").text, 1, 'n');
    plan(test, "{\"keep_last\":2}", &planned);
    apply(test, &planned, &applied);
    assert_int_equal(applied.status, 200);
    assert_json(answer_at(&applied, "dropped"), "[\"b\"]");
    assert_string_equal(answer_string(&applied, "failed.0.id"), "a");
    assert_string_equal(answer_string(&applied, "failed.0.code"), "foreign_files");
    assert_non_null(strstr(answer_string(&applied, "failed.0.detail"), "notes.txt"));
    assert_int_equal(json_array_size(answer_at(&applied, "failed")), 1);
}

static void a_linked_snapshot_whose_source_lives_on_frees_nothing(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 65536, 7);
    auto_answer struct answer shared = {0};
    auto_answer struct answer alone = {0};

    test_create(test, "linked", &memory, 2);
    plan(test, "{\"max_bytes\":0}", &shared);
    assert_int_equal(json_integer_value(answer_at(&shared, "decisions.0.bytes")), 65536);
    assert_int_equal(json_integer_value(answer_at(&shared, "decisions.0.frees_bytes")), 0);
    assert_int_equal(unlink(memory.text), 0);
    plan(test, "{\"max_bytes\":0}", &alone);
    assert_int_equal(json_integer_value(answer_at(&alone, "frees_bytes")), 65536);
}

static void what_is_held_or_not_ready_is_never_dropped(void **state)
{
    struct test *test = *state;
    auto_answer struct answer planned = {0};
    auto_answer struct answer applied = {0};

    make_some(test);
    change(test, "PATCH", "/snapshots/a", "{\"held\":true}");
    make_at(test, "future", "9999-12-31T23:59:59Z", "web");
    disk_make_dir(fixture_snapshot(&test->fixture, "saving", "").text);
    disk_make_dir(fixture_snapshot(&test->fixture, "torn", "").text);
    disk_write(fixture_snapshot(&test->fixture, "torn", "manifest.bin").text, 3, 'x');
    test_restart(test);
    plan(test, "{\"max_bytes\":0}", &planned);
    assert_json(answer_at(&planned, "decisions.0.reasons"), "[\"future\"]");
    assert_json(answer_at(&planned, "decisions.4.reasons"), "[\"held\"]");
    assert_string_equal(answer_string(&planned, "decisions.5.id"), "torn");
    assert_json(answer_at(&planned, "decisions.5.reasons"), "[\"damaged\"]");
    assert_json(answer_at(&planned, "decisions.6.reasons"), "[\"incomplete\"]");
    apply(test, &planned, &applied);
    assert_json(answer_at(&applied, "dropped"), "[\"b\",\"c\",\"d\"]");
    assert_int_equal(count_snapshots(test), 4);
}

static void a_policy_that_says_nothing_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"{}",                                        ""            },
        {"{\"group_by\":\"vm\",\"filter\":{}}",       ""            },
        {"{\"keep_last\":0}",                         "/keep_last"  },
        {"{\"keep_within\":\"1d\"}",                  "/keep_within"},
        {"{\"max_bytes\":1,\"filter\":{\"q\":\"\"}}", "/filter/q"   },
        {"{\"max_bytes\":1,\"keep\":1}",              "/keep"       },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        plan(*state, bad[i][0], &answer);
        assert_problem(&answer, 422, "invalid_argument");
        assert_blames(&answer, bad[i][1]);
    }
}

static void a_token_that_no_plan_gave_is_refused(void **state)
{
    static const char *const bad[] = {"{\"token\":\"\"}", "{\"token\":\"abc\"}",
                                      "{\"token\":\"44136fa355b3678a1146ad16f7e8649ee30\"}"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        test_send(*state, "POST", "/retention/apply", &answer, "%s", bad[i]);
        assert_problem(&answer, 422, "invalid_argument");
        assert_blames(&answer, "/token");
    }
}

static void an_empty_store_has_an_empty_plan(void **state)
{
    auto_answer struct answer planned = {0};
    auto_answer struct answer applied = {0};

    plan(*state, "{\"keep_last\":1}", &planned);
    assert_int_equal(json_array_size(answer_at(&planned, "decisions")), 0);
    apply(*state, &planned, &applied);
    assert_json(applied.json, "{\"dropped\":[],\"failed\":[]}");
}

/* By another process, whose log is read. */
static void a_client_that_leaves_does_not_end_it_and_all_is_logged(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    auto_answer struct answer planned = {0};
    auto_text struct text request = {0};
    char line[1024];

    SERVE(test, &program, "127.0.0.1:0");
    make_some(test);
    plan(test, "{\"keep_last\":1}", &planned);
    const char *token = answer_string(&planned, "token");
    text_appendf(&request,
                 "POST /retention/apply HTTP/1.1\r\nHost: localhost\r\n" JSON_BODY
                 "\r\nContent-Length: %zu\r\n\r\n{\"token\":\"%s\"}",
                 strlen(token) + strlen("{\"token\":\"\"}"), token);
    int fd = raw_open(test);
    raw_sends(fd, request.data);
    close(fd);
    for (int i = 0; i < 3; i++) {
        program_read_until(&program, "pruneSnapshot", line, sizeof line);
        assert_non_null(strstr(line, " audit pruneSnapshot who=anyone snapshot="));
        assert_non_null(strstr(line, "client=127.0.0.1"));
        assert_null(strstr(line, "code="));
    }
    program_read_until(&program, "applyRetention", line, sizeof line);
    assert_int_equal(count_snapshots(test), 1);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_plan_is_shown_and_then_carried_out),
        WITH_SERVER(reasons_name_the_rules_and_what_they_are_the_newest_of),
        WITH_SERVER(the_oldest_are_dropped_until_the_rest_fits),
        WITH_SERVER(a_plan_is_refused_once_anything_about_its_snapshots_has_changed),
        WITH_SERVER(changes_to_others_do_not_matter),
        WITH_SERVER(a_snapshot_that_appears_on_disk_changes_the_plan),
        WITH_SERVER(what_cannot_be_removed_is_told_with_its_code),
        WITH_SERVER(a_linked_snapshot_whose_source_lives_on_frees_nothing),
        WITH_SERVER(what_is_held_or_not_ready_is_never_dropped),
        WITH_SERVER(a_policy_that_says_nothing_is_refused),
        WITH_SERVER(a_token_that_no_plan_gave_is_refused),
        WITH_SERVER(an_empty_store_has_an_empty_plan),
        WITH_PROGRAM(a_client_that_leaves_does_not_end_it_and_all_is_logged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
