/* The line that a request leaves in the log of the program. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/program.h"

#define TRACE_ID    "0af7651916cd43dd8448eb211c80319c"
#define PARENT_ID   "b7ad6b7169203331"
#define TRACEPARENT "traceparent: 00-" TRACE_ID "-" PARENT_ID "-01"

/* The next line that is a request's. */
static json_t *read_request(struct program *program)
{
    char line[8192];
    json_error_t wrong;

    program_read_until(program, "\"event\":\"request\"", line, sizeof line);
    json_t *parsed = json_loads(line, JSON_REJECT_DUPLICATES, &wrong);
    if (!parsed)
        fail_msg("%s: %s", wrong.text, line);
    return parsed;
}

static void drop_json(json_t *json)
{
    json_decref(json);
}
OWN(json_t, drop_json)
#define auto_json AUTO(drop_json)

static void assert_text(json_t *line, const char *name, const char *expected)
{
    const char *value = json_string_value(json_object_get(line, name));

    if (!value || !expected ? value != expected : strcmp(value, expected) != 0)
        fail_msg("%s is \"%s\"", name, value ? value : "not there");
}

static void assert_number(json_t *line, const char *name, long long expected)
{
    assert_true(json_is_integer(json_object_get(line, name)));
    assert_int_equal(json_integer_value(json_object_get(line, name)), expected);
}

static void end(struct program *program)
{
    kill(program->pid, SIGTERM);
    assert_int_equal(program_finish(program), 0);
}

static void a_request_is_one_line_that_tells_what_it_was(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct program program = {0};
    auto_answer struct answer answer = {0};

    SERVE(test, &program, "127.0.0.1:0", "--log-format", "json");
    test_create(test, "a", &memory, 2);
    auto_json json_t *create = read_request(&program);
    assert_text(create, "level", "info");
    assert_text(create, "method", "POST");
    assert_text(create, "operation", "createSnapshot");
    assert_number(create, "status", 201);
    assert_true(json_integer_value(json_object_get(create, "bytes_in")) > 60);
    test_call(test,
              &(struct call){
                  .path = "/snapshots/a/manifest",
                  .headers = {"X-Request-Id: mine", TRACEPARENT}
    },
              &answer);
    auto_json json_t *get = read_request(&program);
    assert_text(get, "method", "GET");
    assert_text(get, "path", "/snapshots/a/manifest");
    assert_text(get, "operation", "getManifest");
    assert_number(get, "status", 200);
    assert_number(get, "bytes_in", 0);
    assert_number(get, "bytes_out", (long long)answer.body.len);
    assert_true(json_is_integer(json_object_get(get, "duration_us")));
    assert_text(get, "client", "127.0.0.1");
    assert_text(get, "request_id", "mine");
    assert_text(get, "trace_id", TRACE_ID);
    assert_text(get, "parent_id", PARENT_ID);
    assert_text(get, "aborted", NULL);
    end(&program);
}

static void bodies_are_counted_as_they_were_sent(void **state)
{
    static const struct {
        const char *method, *path;
        long long status, bytes_out;
    } calls[] = {
        {"HEAD",    "/openapi.yaml",      200, 0},
        {"GET",     "/snapshots/a/state", 200, 3},
        {"HEAD",    "/snapshots/a/state", 200, 0},
        {"OPTIONS", "*",                  204, 0},
        {"DELETE",  "/snapshots/a",       204, 0},
    };
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct program program = {0};
    auto_answer struct answer created = {0};

    SERVE(test, &program, "127.0.0.1:0", "--log-format", "json");
    test_send(test, "POST", "/snapshots", &created,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\","
              "\"state_base64\":\"AAAA\"," REQUIRED_MEMBERS "}",
              memory.text);
    json_decref(read_request(&program));
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        auto_text struct text answer = {0};
        raw_exchange(test,
                     path_of("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                             calls[i].method, calls[i].path)
                         .text,
                     &answer);
        auto_json json_t *line = read_request(&program);
        assert_text(line, "method", calls[i].method);
        assert_text(line, "path", calls[i].path);
        assert_number(line, "status", calls[i].status);
        assert_number(line, "bytes_out", calls[i].bytes_out);
    }
    end(&program);
}

/* Whatever a request holds, it is one line, and what it must not tell is not in it. */
static void nothing_that_is_sent_forges_a_line_or_gives_a_secret_away(void **state)
{
    static const struct {
        const char *target, *told;
    } targets[] = {
        {"/snapshots/a?access_token=s3cret",       "/snapshots/a"                          },
        {"/snapshots/a#s3cret",                    "/snapshots/a"                          },
        {"http://me:s3cret@localhost/healthz",     "/healthz"                              },
        {"http://localhost?s3cret",                NULL                                    },
        {"s3cret@localhost:80",                    NULL                                    },
        {"/\"status=200\\",                        "/\"status=200\\"                       },
        {"/\x01\x1b[31m\x7f\xc2\x85\xe2\x80\xa8z", "/\x01\x1b[31m\x7f\xc2\x85\xe2\x80\xa8z"},
        {"/\xff",                                  "/\ufffd"                               },
        {"/%0a%22",                                "/%0a%22"                               },
    };
    struct test *test = *state;
    struct program program = {0};

    SERVE(test, &program, "127.0.0.1:0", "--log-format", "json");
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        auto_text struct text answer = {0};
        raw_exchange(test,
                     path_of("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                             "Authorization: Bearer s3cret\r\nCookie: s3cret\r\n"
                             "X-Request-Id: \"s3cret\r\ntraceparent: 00-s3cret\r\n\r\n",
                             targets[i].target)
                         .text,
                     &answer);
        auto_json json_t *line = read_request(&program);
        assert_text(line, "path", targets[i].told);
        auto_free char *all = json_dumps(line, 0);
        assert_null(strstr(all, "s3cret"));
        assert_text(line, "trace_id", NULL);
    }
    end(&program);
}

static void a_long_path_is_told_in_part(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    char path[2001] = "/";
    auto_answer struct answer answer = {0};

    memset(path + 1, 'x', sizeof path - 2);
    SERVE(test, &program, "127.0.0.1:0", "--log-format", "json");
    test_get(test, path, &answer);
    assert_problem(&answer, 404, "not_found");
    auto_json json_t *line = read_request(&program);
    path[512] = '\0';
    assert_text(line, "path", path);
    assert_number(line, "status", 404);
    end(&program);
}

static void a_client_that_leaves_is_told_of(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    char answer[25];

    SERVE(test, &program, "127.0.0.1:0", "--log-format", "json");
    int fd = raw_open(test);
    raw_sends(fd, "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n" JSON_BODY "\r\n"
                  "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    raw_take(fd, answer, sizeof answer); /* 100 Continue */
    raw_sends(fd, "{");
    close(fd);
    auto_json json_t *line = read_request(&program);
    assert_text(line, "operation", "createSnapshot");
    assert_number(line, "status", 0);
    assert_text(line, "aborted", "true");
    end(&program);
}

/* The library answers it by itself: what is known of it is told all the same. */
static void a_head_that_is_malformed_has_a_line_too(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    auto_text struct text answer = {0};

    SERVE(test, &program, "127.0.0.1:0", "--log-format", "json");
    raw_exchange(test, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", &answer);
    auto_json json_t *line = read_request(&program);
    assert_text(line, "path", "/healthz");
    assert_number(line, "status", 0);
    end(&program);
}

static void requests_can_be_left_out(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    auto_answer struct answer answer = {0};
    char line[1024];

    SERVE(test, &program, "127.0.0.1:0", "--no-access-log");
    test_get(test, "/healthz", &answer);
    assert_int_equal(answer.status, 200);
    kill(program.pid, SIGTERM);
    while (fgets(line, sizeof line, program.output))
        assert_null(strstr(line, "healthz"));
    assert_int_equal(program_finish(&program), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PROGRAM(a_request_is_one_line_that_tells_what_it_was),
        WITH_PROGRAM(bodies_are_counted_as_they_were_sent),
        WITH_PROGRAM(nothing_that_is_sent_forges_a_line_or_gives_a_secret_away),
        WITH_PROGRAM(a_long_path_is_told_in_part),
        WITH_PROGRAM(a_client_that_leaves_is_told_of),
        WITH_PROGRAM(a_head_that_is_malformed_has_a_line_too),
        WITH_PROGRAM(requests_can_be_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
