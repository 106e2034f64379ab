/* What a create refuses; afterwards memory root and store are as they were. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/test.h"

static void describe(struct test *test, struct text *out)
{
    disk_describe(test->fixture.home.text, out);
}

/* Whatever the request, the disk is what it was. */
static void refuse(struct test *test, const struct call *call, struct answer *out)
{
    auto_text struct text before = {0};
    auto_text struct text after = {0};

    describe(test, &before);
    test_call(test, call, out);
    describe(test, &after);
    if (strcmp(before.data, after.data) != 0)
        fail_msg("the disk was\n%s, and is\n%s", before.data, after.data);
}

static void refuse_body(struct test *test, const char *body, struct answer *out)
{
    refuse(test,
           &(struct call){.path = "/snapshots", .headers = {JSON_BODY}, .body = body}, out);
}

static void refuse_path(struct test *test, const char *path, long status, const char *code)
{
    auto_answer struct answer answer = {0};
    auto_text struct text body = {0};

    text_appendf(&body, "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", path);
    refuse_body(test, body.data, &answer);
    assert_problem(&answer, status, code);
    assert_blames(&answer, "/memory_file_path");
}

static void paths_that_lead_out_of_the_roots_are_forbidden_and_say_no_more(void **state)
{
    struct test *test = *state;
    const char *root = test->fixture.root.text;
    struct path secret = path_of("%s/secret", test->fixture.home.text);

    disk_write(secret.text, 4096, 1);
    must(symlink("../secret", path_of("%s/out", root).text) == 0, "symlink");
    must(symlink(secret.text, path_of("%s/absolute", root).text) == 0, "symlink");
    must(symlink("../nothing", path_of("%s/nowhere", root).text) == 0, "symlink");
    must(symlink("loop", path_of("%s/loop", root).text) == 0, "symlink");
    refuse_path(test, secret.text, 403, "forbidden");
    refuse_path(test, "/etc/passwd", 403, "forbidden");
    refuse_path(test, path_of("%s/../secret", root).text, 403, "forbidden");
    refuse_path(test, path_of("%s/../nothing", root).text, 403, "forbidden");
    refuse_path(test, path_of("%s/out", root).text, 403, "forbidden");
    refuse_path(test, path_of("%s/absolute", root).text, 403, "forbidden");
    refuse_path(test, path_of("%s/nowhere", root).text, 403, "forbidden");
    refuse_path(test, path_of("%s/loop", root).text, 403, "forbidden");
    refuse_path(test, path_of("%sx/m", root).text, 403, "forbidden"); /* whole components */
    refuse_path(test, path_of("%s/snapshots/b/memory.bin", test->fixture.store.text).text, 403,
                "forbidden");
}

static void paths_that_are_no_regular_file_are_invalid(void **state)
{
    struct test *test = *state;
    const char *root = test->fixture.root.text;

    disk_make_dir(path_of("%s/dir", root).text);
    disk_write(path_of("%s/empty", root).text, 0, 0);
    must(mkfifo(path_of("%s/fifo", root).text, 0600) == 0, "fifo");
    refuse_path(test, path_of("%s/fifo", root).text, 422, "invalid_argument");
    refuse_path(test, path_of("%s/dir", root).text, 422, "invalid_argument");
    refuse_path(test, root, 422, "invalid_argument");
    refuse_path(test, path_of("%s/none", root).text, 422, "invalid_argument");
    refuse_path(test, path_of("%s/empty", root).text, 422, "invalid_argument");
    refuse_path(test, path_of("%s/empty/x", root).text, 422, "invalid_argument");
    refuse_path(test, path_of("%s/a\\nb", root).text, 422, "invalid_argument");
    refuse_path(test, path_of("%s/a\\u0000b", root).text, 422, "invalid_argument");
    refuse_path(test, "", 422, "invalid_argument");
    refuse_path(test, "relative", 422, "invalid_argument");
    if (mknod(path_of("%s/device", root).text, S_IFCHR | 0600, makedev(1, 3)) == 0)
        refuse_path(test, path_of("%s/device", root).text, 422, "invalid_argument");
    else
        print_message("skipped: a device cannot be made here\n");
}

static void a_symlink_that_stays_inside_is_followed(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path link = path_of("%s/dir/link", test->fixture.root.text);

    disk_make_dir(path_of("%s/dir", test->fixture.root.text).text);
    must(symlink("../m", link.text) == 0, "symlink");
    test_create(test, "a", &link, 2);
    assert_int_equal(disk_stat(memory.text).st_nlink, 2);
}

static void members_that_are_wrong_are_all_named(void **state)
{
    /* clang-format off */
    static const struct {
        const char *members, *pointers[4];
    } bad[] = {
        {"\"vp_count\":0,\"colour\":1,\"capture\":\"steal\"", {"/vp_count", "/colour", "/capture"}},
        {"\"vp_count\":\"two\"", {"/vp_count"}},
        {"\"vp_count\":1.5", {"/vp_count"}},
        {"\"vp_count\":4294967296", {"/vp_count"}},
        {"\"vp_count\":1,\"id\":\"\"", {"/id"}},
        {"\"vp_count\":1,\"id\":\".\"", {"/id"}},
        {"\"vp_count\":1,\"id\":\"..\"", {"/id"}},
        {"\"vp_count\":1,\"id\":\"a/b\"", {"/id"}},
        {"\"vp_count\":1,\"id\":\"a\\nb\"", {"/id"}},
        {"\"vp_count\":1,\"id\":\"a\\u0000\"", {"/id"}},
        {"\"vp_count\":1,\"id\":null", {"/id"}},
        {"\"vp_count\":1,\"page_size\":5000", {"/page_size"}},
        {"\"vp_count\":1,\"page_size\":131072", {"/page_size"}},
        {"\"vp_count\":1,\"created_at\":\"yesterday\"", {"/created_at"}},
        {"\"vp_count\":1,\"labels\":{\"a/b\":\"\",\"c\":1}", {"/labels/a~1b", "/labels/c"}},
        {"\"vp_count\":1,\"vmm_args\":\"x\"", {"/vmm_args"}},
        {"\"vp_count\":1,\"allow_writer\":1", {"/allow_writer"}},
        {"\"vp_count\":1,\"memory_size_bytes\":4095", {"/memory_size_bytes"}},
        {"\"vp_count\":1,\"state_base64\":\"a\"", {"/state_base64"}},
        {"\"vp_count\":1,\"state_base64\":\"\",\"state_file_path\":\"/x\"", {"/state_base64"}},
        {"\"vp_count\":1,\"version\":1", {"/version"}},
        {"\"page_size\":4096", {"/vp_count"}},
    };
    /* clang-format on */
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        auto_text struct text body = {0};
        text_appendf(&body,
                     "{\"memory_file_path\":\"%s\",\"openvmm_version\":\"\","
                     "\"architecture\":\"x86_64\",%s}",
                     memory.text, bad[i].members);
        refuse_body(test, body.data, &answer);
        assert_problem(&answer, 422, "invalid_argument");
        for (size_t j = 0; bad[i].pointers[j]; j++)
            assert_blames(&answer, bad[i].pointers[j]);
    }
}

static void an_id_of_a_mebibyte_is_refused(void **state)
{
    auto_answer struct answer fits = {0};
    auto_answer struct answer too_large = {0};
    auto_text struct text body = {0};

    text_appends(&body, "{\"id\":\"");
    text_reserve(&body, 1 << 20);
    memset(body.data + body.len, 'a', (1 << 20) - 100);
    body.len += (1 << 20) - 100;
    text_appends(&body, "\"}");
    refuse_body(*state, body.data, &fits);
    assert_problem(&fits, 422, "invalid_argument");
    assert_blames(&fits, "/id");
    body.len -= 2;
    for (int i = 0; i < 120; i++)
        text_appends(&body, "a");
    text_appends(&body, "\"}");
    /* Not sent before it is asked for: what is left unread when a connection is closed can cost the
     * client the answer. */
    refuse(*state,
           &(struct call){
               .path = "/snapshots",
               .headers = {JSON_BODY, "Expect: 100-continue"},
               .body = body.data
    },
           &too_large);
    assert_problem(&too_large, 413, "payload_too_large");
}

static void json_that_is_none_is_malformed(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "{\"vp_count\":1,}",
        "{\"vp_count\":1,\"vp_count\":2}",
        "{\"labels\":{\"a\":\"1\",\"a\":\"2\"}}",
        "{\"id\":\"\xff\"}",
        "{\"id\":\"\xc0\x80\"}",
        "{\"id\":\"\\ud800\"}",
        "{} {}",
    };
    auto_text struct text deep = {0};
    auto_answer struct answer nested = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        refuse_body(*state, bad[i], &answer);
        assert_problem(&answer, 400, "malformed_json");
    }
    for (int i = 0; i < 100000; i++)
        text_appends(&deep, "[");
    refuse_body(*state, deep.data, &nested);
    assert_problem(&nested, 400, "malformed_json");
}

static void a_body_of_another_media_type_is_refused(void **state)
{
    static const char *const types[] = {"Content-Type: text/plain", "Content-Type:",
                                        "Content-Type: application/jsonx",
                                        "Content-Type: application/x-www-form-urlencoded"};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        auto_answer struct answer answer = {0};
        refuse(*state,
               &(struct call){.path = "/snapshots", .headers = {types[i]}, .body = "{}"}, &answer);
        assert_problem(&answer, 415, "unsupported_media_type");
    }
}

static void state_beyond_the_cap_is_refused_whichever_way_it_comes(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path file = test_memory(test, "state", 0, 0);
    auto_answer struct answer by_path = {0};
    auto_text struct text body = {0};

    must(truncate(file.text, (8 << 20) + 1) == 0, "truncate");
    text_appendf(&body,
                 "{\"memory_file_path\":\"%s\",\"state_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
                 memory.text, file.text);
    refuse_body(test, body.data, &by_path);
    assert_problem(&by_path, 413, "payload_too_large");
    assert_blames(&by_path, "/state_file_path");
}

static void a_body_that_is_too_large_is_refused_before_it_is_read(void **state)
{
    struct test *test = *state;
    auto_text struct text answer = {0};

    /* Not one byte of the body is ever sent. */
    raw_exchange(test,
                 "POST /snapshots HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n",
                 &answer);
    assert_memory_equal(answer.data, "HTTP/1.1 413 ", 13);
    assert_non_null(strstr(answer.data, "payload_too_large"));
    assert_null(strstr(answer.data, "100 Continue"));
}

static void a_chunked_body_that_is_too_large_is_refused_as_it_comes(void **state)
{
    auto_answer struct answer answer = {0};
    auto_text struct text body = {0};

    text_reserve(&body, 3 << 20);
    memset(body.data, ' ', 3 << 20);
    refuse(*state,
           &(struct call){.path = "/snapshots",
                          .headers = {JSON_BODY},
                          .body = body.data,
                          .body_len = 3 << 20,
                          .chunked = true},
           &answer);
    assert_problem(&answer, 413, "payload_too_large");
}

/* Nothing comes of a request whose client left; a later one finds the id free. */
static void a_body_that_is_cut_off_comes_to_nothing(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    for (int i = 0; i < 20; i++) {
        auto_fd int fd = raw_open(test);
        const struct linger reset = {.l_onoff = 1}; /* the server is told at once */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        raw_sends(fd, "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n"
                      "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"
                      "{\"id\":\"a\",");
    }
    test_create(test, "a", &memory, 2);
    assert_int_equal(disk_count(path_of("%s/snapshots", test->fixture.store.text).text), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(paths_that_lead_out_of_the_roots_are_forbidden_and_say_no_more),
        WITH_SERVER(paths_that_are_no_regular_file_are_invalid),
        WITH_SERVER(a_symlink_that_stays_inside_is_followed),
        WITH_SERVER(members_that_are_wrong_are_all_named),
        WITH_SERVER(an_id_of_a_mebibyte_is_refused),
        WITH_SERVER(json_that_is_none_is_malformed),
        WITH_SERVER(a_body_of_another_media_type_is_refused),
        WITH_SERVER(state_beyond_the_cap_is_refused_whichever_way_it_comes),
        WITH_SERVER(a_body_that_is_too_large_is_refused_before_it_is_read),
        WITH_SERVER(a_chunked_body_that_is_too_large_is_refused_as_it_comes),
        WITH_SERVER(a_body_that_is_cut_off_comes_to_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
