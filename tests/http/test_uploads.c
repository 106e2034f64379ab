/* Device state in the body: base64, and multipart streamed to disk. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/test.h"

#define BOUNDARY "----x7y"
#define TYPE     "Content-Type: multipart/form-data; boundary=" BOUNDARY

static void add_part(struct text *body, const char *name, const char *data, size_t len)
{
    text_appendf(body, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
                 name);
    text_append(body, data, len);
    text_appends(body, "\r\n");
}

static void end_parts(struct text *body)
{
    text_appends(body, "--" BOUNDARY "--\r\n");
}

static void add_snapshot(struct text *body, const char *id, const char *memory, const char *more)
{
    auto_text struct text json = {0};

    text_appendf(&json, "{\"id\":\"%s\",\"memory_file_path\":\"%s\"%s," REQUIRED_MEMBERS "}", id,
                 memory, more);
    add_part(body, "snapshot", json.data, json.len);
}

static void post(struct test *test, const struct text *body, bool chunked, struct answer *out)
{
    test_call(test,
              &(struct call){.path = "/snapshots",
                             .headers = {TYPE},
                             .body = body->data,
                             .body_len = body->len,
                             .chunked = chunked},
              out);
}

/* Bytes that look like delimiters, and enough of them for many pieces. */
static void make_state(struct text *out)
{
    while (out->len < 1 << 20) {
        text_appends(out, "\r\n------x7\r\n--");
        text_append(out, "\0\xff--\r\n", 6);
        text_appendf(out, "%zu", out->len);
    }
}

static void check_state(struct test *test, const char *id, const struct text *state)
{
    auto_answer struct answer got = {0};

    test_get(test, path_of("/snapshots/%s/state", id).text, &got);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body.len, state->len);
    assert_memory_equal(got.body.data, state->data, state->len);
}

static void state_may_come_before_or_after_the_snapshot_whole_or_in_chunks(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text bytes = {0};

    make_state(&bytes);
    for (int i = 0; i < 4; i++) {
        auto_text struct text body = {0};
        auto_answer struct answer made = {0};
        auto_answer struct answer again = {0};
        struct path id = path_of("s%d", i);
        if (i & 1)
            add_snapshot(&body, id.text, memory.text, "");
        add_part(&body, "state", bytes.data, bytes.len);
        if (!(i & 1))
            add_snapshot(&body, id.text, memory.text, "");
        end_parts(&body);
        post(test, &body, i & 2, &made);
        if (made.status != 201)
            fail_msg("%s", text_str(&made.body));
        assert_int_equal(json_integer_value(answer_at(&made, "state.size_bytes")), bytes.len);
        check_state(test, id.text, &bytes);
        post(test, &body, false, &again); /* known by its digest */
        assert_int_equal(again.status, 200);
    }
}

static void base64_and_a_part_of_the_same_bytes_are_the_same_request(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text body = {0};
    auto_answer struct answer made = {0};
    auto_answer struct answer same = {0};
    auto_answer struct answer other = {0};

    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\","
              "\"state_base64\":\"CgA=\"," REQUIRED_MEMBERS "}",
              memory.text);
    assert_int_equal(made.status, 201);
    assert_int_equal(json_integer_value(answer_at(&made, "state.size_bytes")), 2);
    add_snapshot(&body, "a", memory.text, "");
    add_part(&body, "state", "\n\0", 2);
    end_parts(&body);
    post(test, &body, false, &same);
    assert_int_equal(same.status, 200);
    test_send(test, "POST", "/snapshots", &other,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\","
              "\"state_base64\":\"CgAKAA==\"," REQUIRED_MEMBERS "}",
              memory.text);
    assert_problem(&other, 409, "already_exists");
}

static void put_takes_state_in_its_body_too(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text body = {0};
    auto_answer struct answer put = {0};
    const struct text bytes = {.data = "\n\0", .len = 2};

    test_create(test, "a", &memory, 2);
    add_part(&body, "state", bytes.data, bytes.len);
    add_snapshot(&body, "a", memory.text, "");
    end_parts(&body);
    test_call(test,
              &(struct call){.method = "PUT",
                             .path = "/snapshots/a",
                             .headers = {TYPE},
                             .body = body.data,
                             .body_len = body.len},
              &put);
    assert_int_equal(put.status, 200);
    check_state(test, "a", &bytes);
}

static void refuse(struct test *test, const struct text *body, long status, const char *code)
{
    for (int chunked = 0; chunked < 2; chunked++) {
        auto_answer struct answer answer = {0};
        auto_text struct text before = {0};
        auto_text struct text after = {0};
        disk_describe(test->fixture.home.text, &before);
        post(test, body, chunked, &answer);
        assert_problem(&answer, status, code);
        disk_describe(test->fixture.home.text, &after);
        assert_string_equal(after.data, before.data);
    }
}

static void bodies_that_are_not_right_leave_nothing_behind(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text cut = {0};
    auto_text struct text twice = {0};
    auto_text struct text unknown = {0};
    auto_text struct text lonely = {0};
    auto_text struct text both = {0};
    auto_text struct text wrong = {0};

    add_snapshot(&cut, "a", memory.text, "");
    add_part(&cut, "state", "abc", 3);
    refuse(test, &cut, 400, "bad_request");
    add_part(&twice, "state", "abc", 3);
    add_part(&twice, "state", "abc", 3);
    add_snapshot(&twice, "a", memory.text, "");
    end_parts(&twice);
    refuse(test, &twice, 422, "invalid_argument");
    add_part(&unknown, "colour", "abc", 3);
    end_parts(&unknown);
    refuse(test, &unknown, 422, "invalid_argument");
    add_part(&lonely, "state", "abc", 3);
    end_parts(&lonely);
    refuse(test, &lonely, 422, "invalid_argument");
    add_part(&both, "state", "abc", 3);
    add_snapshot(&both, "a", memory.text, ",\"state_base64\":\"\"");
    end_parts(&both);
    refuse(test, &both, 422, "invalid_argument");
    add_part(&wrong, "state", "abc", 3);
    add_snapshot(&wrong, "a", "/etc/passwd", "");
    end_parts(&wrong);
    refuse(test, &wrong, 403, "forbidden");
}

static void state_beyond_the_cap_is_refused_and_not_kept(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text bytes = {0};
    auto_text struct text body = {0};

    text_reserve(&bytes, (8 << 20) + 1);
    memset(bytes.data, 0, (8 << 20) + 1);
    add_part(&body, "state", bytes.data, (8 << 20) + 1);
    add_snapshot(&body, "a", memory.text, "");
    end_parts(&body);
    refuse(test, &body, 413, "payload_too_large");
}

static void state_up_to_the_cap_is_taken(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text body = {0};
    auto_answer struct answer made = {0};

    test->fixture.settings.state_max_bytes = 3;
    test_restart(test);
    add_part(&body, "state", "abc", 3);
    add_snapshot(&body, "a", memory.text, "");
    end_parts(&body);
    post(test, &body, true, &made);
    assert_int_equal(made.status, 201);
    assert_int_equal(json_integer_value(answer_at(&made, "state.size_bytes")), 3);
}

static void check_blame(struct test *test, const char *member, const char *pointer)
{
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text body = {0};
    auto_answer struct answer answer = {0};

    add_part(&body, "state", "abc", 3);
    add_snapshot(&body, "a", memory.text, member);
    end_parts(&body);
    post(test, &body, false, &answer);
    assert_problem(&answer, 422, "invalid_argument");
    assert_blames(&answer, pointer);
}

static void what_is_wrong_in_the_snapshot_part_is_told_as_in_a_json_body(void **state)
{
    auto_text struct text spaces = {0};
    auto_text struct text body = {0};

    check_blame(*state, ",\"colour\":1", "/colour");
    check_blame(*state, ",\"state_file_path\":\"/x\"", "/state_file_path");
    check_blame(*state, ",\"state_base64\":\"\"", "/state_base64");
    check_blame(*state, ",\"memory_size_bytes\":4095", "/memory_size_bytes");
    text_reserve(&spaces, (1 << 20) + 1);
    memset(spaces.data, ' ', (1 << 20) + 1);
    add_part(&body, "snapshot", spaces.data, (1 << 20) + 1);
    end_parts(&body);
    refuse(*state, &body, 413, "payload_too_large");
}

/* Enough of a body that some of it went to disk; then the client is gone. */
static void an_upload_that_is_cut_off_leaves_nothing_behind(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text bytes = {0};
    auto_text struct text body = {0};
    auto_text struct text request = {0};

    make_state(&bytes);
    add_snapshot(&body, "a", memory.text, "");
    add_part(&body, "state", bytes.data, bytes.len);
    text_appendf(&request,
                 "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n" TYPE
                 "\r\nContent-Length: %zu\r\n\r\n",
                 body.len + 100);
    text_append(&request, body.data, body.len);
    for (int i = 0; i < 4; i++) {
        int fd = raw_open(test);
        const struct linger reset = {.l_onoff = 1}; /* the server is told at once */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        raw_send(fd, request.data, request.len);
        if (i & 1)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    test_stop(test); /* everything that was begun is over */
    assert_int_equal(disk_count(path_of("%s/snapshots", test->fixture.store.text).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", test->fixture.store.text).text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(state_may_come_before_or_after_the_snapshot_whole_or_in_chunks),
        WITH_SERVER(base64_and_a_part_of_the_same_bytes_are_the_same_request),
        WITH_SERVER(put_takes_state_in_its_body_too),
        WITH_SERVER(bodies_that_are_not_right_leave_nothing_behind),
        WITH_SERVER(state_beyond_the_cap_is_refused_and_not_kept),
        WITH_SERVER(state_up_to_the_cap_is_taken),
        WITH_SERVER(what_is_wrong_in_the_snapshot_part_is_told_as_in_a_json_body),
        WITH_SERVER(an_upload_that_is_cut_off_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
