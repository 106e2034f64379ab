/* Who may do what: tokens, users of unix sockets, and web pages. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "tests/program.h"

#define READER   "vmsnapd_reader"
#define WRITER   "vmsnapd_writer"
#define EXPORTER "vmsnapd_exporter"

static void add_token(struct text *lines, const char *name, const char *scopes, const char *token)
{
    char digest[DIGEST_HEX_SIZE];
    struct error err;

    must(digest_of(token, strlen(token), digest, &err), err.message);
    text_appendf(lines, "%s %s %s\n", name, scopes, digest);
}

static struct path write_tokens(struct test *test)
{
    struct path path = path_of("%s/tokens", test->fixture.home.text);
    auto_text struct text lines = {0};

    add_token(&lines, "reader", "read", READER);
    add_token(&lines, "writer", "write", WRITER);
    add_token(&lines, "exporter", "export", EXPORTER);
    test_write(path.text, lines.data, lines.len);
    return path;
}

static int setup(void **state)
{
    static struct path path;

    test_setup(state);
    struct test *test = *state;
    path = write_tokens(test);
    test->auth = (struct auth_settings){.token_file = path.text};
    test_restart(test);
    return 0;
}

#define WITH_TOKENS(name) cmocka_unit_test_setup_teardown(name, setup, test_teardown)

static long ask(struct test *test, const char *method, const char *path, const char *token,
                struct answer *out)
{
    struct path header = path_of("Authorization: Bearer %s", token ? token : "");

    test_call(test,
              &(struct call){
                  .method = method,
                  .path = path,
                  .headers = {JSON_BODY, token ? header.text : NULL},
                  .body = *method == 'P' ? "{}" : NULL
    },
              out);
    return out->status;
}

static void check_scope(struct test *test, const char *const *call, const char *token,
                        long expected)
{
    auto_answer struct answer answer = {0};

    if (ask(test, call[0], call[1], token, &answer) != expected)
        fail_msg("%s %s with %s: %ld", call[0], call[1], token, answer.status);
    if (expected != 403)
        return;
    assert_problem(&answer, 403, "forbidden");
    assert_string_equal(answer_header(&answer, "WWW-Authenticate"),
                        path_of("Bearer realm=\"vmsnapd\", error=\"insufficient_scope\", "
                                "scope=\"%s\"",
                                call[2])
                            .text);
}

static void each_scope_opens_its_own_routes(void **state)
{
    static const struct {
        const char *call[3];           /* method, path, scope */
        long reader, writer, exporter; /* statuses */
    } calls[] = {
        {{"GET", "/snapshots", "read"},             200, 200, 403},
        {{"GET", "/snapshots/a", "read"},           404, 404, 403},
        {{"GET", "/snapshots/a/manifest", "read"},  404, 404, 403},
        {{"POST", "/snapshots/a/validate", "read"}, 422, 422, 403},
        {{"GET", "/metrics", "read"},               200, 200, 403},
        {{"GET", "/openapi.yaml", "read"},          200, 200, 403},
        {{"POST", "/snapshots", "write"},           403, 422, 403},
        {{"PUT", "/snapshots/a", "write"},          403, 422, 403},
        {{"PATCH", "/snapshots/a", "write"},        403, 404, 403},
        {{"DELETE", "/snapshots/a", "write"},       403, 404, 403},
        {{"GET", "/snapshots/a/state", "export"},   403, 403, 404},
        {{"GET", "/nothing", NULL},                 404, 404, 404},
        {{"DELETE", "/snapshots", NULL},            405, 405, 405},
        {{"GET", "/healthz", NULL},                 200, 200, 200},
        {{"GET", "/readyz", NULL},                  200, 200, 200},
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        check_scope(*state, calls[i].call, READER, calls[i].reader);
        check_scope(*state, calls[i].call, WRITER, calls[i].writer);
        check_scope(*state, calls[i].call, EXPORTER, calls[i].exporter);
    }
}

static void strangers_are_told_nothing(void **state)
{
    static const char *const calls[][2] = {
        {"GET",     "/snapshots"   },
        {"GET",     "/snapshots/a" },
        {"POST",    "/snapshots"   },
        {"PATCH",   "/snapshots"   },
        {"GET",     "/nothing"     },
        {"GET",     "/metrics"     },
        {"GET",     "/openapi.yaml"},
        {"OPTIONS", "/snapshots"   },
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        auto_answer struct answer none = {0};
        auto_answer struct answer wrong = {0};
        ask(*state, calls[i][0], calls[i][1], NULL, &none);
        assert_problem(&none, 401, "unauthorized");
        assert_string_equal(answer_header(&none, "WWW-Authenticate"), "Bearer realm=\"vmsnapd\"");
        assert_null(answer_header(&none, "Allow"));
        ask(*state, calls[i][0], calls[i][1], "vmsnapd_wrong", &wrong);
        assert_problem(&wrong, 401, "unauthorized");
        assert_string_equal(answer_header(&wrong, "WWW-Authenticate"),
                            "Bearer realm=\"vmsnapd\", error=\"invalid_token\"");
    }
}

static void a_token_must_be_sent_as_it_is(void **state)
{
    static const struct {
        const char *header;
        long status;
    } headers[] = {
        {"Authorization: Bearer " READER,            200},
        {"Authorization: bearer  " READER,           200},
        {"Authorization: Bearer " READER "x",        401},
        {"Authorization: Bearer vmsnapd_reade",      401},
        {"Authorization: Bearer",                    401},
        {"Authorization: Basic " READER,             401},
        {"Authorization: " READER,                   401},
        {"Authorization: Bearer " READER "," WRITER, 401},
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        auto_answer struct answer answer = {0};
        test_call(*state,
                  &(struct call){.path = "/snapshots", .headers = {headers[i].header}},
                  &answer);
        if (answer.status != headers[i].status)
            fail_msg("%s: %ld", headers[i].header, answer.status);
    }
}

/* Whoever speaks of another scheme did not send a bad token (RFC 6750, section 3.1). */
static void another_scheme_is_no_token(void **state)
{
    static const char *const headers[] = {"Authorization: Basic YTpi", "Authorization: Bearer",
                                          "Authorization: Bearertoken"};

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        auto_answer struct answer answer = {0};
        test_call(*state, &(struct call){.path = "/snapshots", .headers = {headers[i]}}, &answer);
        assert_problem(&answer, 401, "unauthorized");
        assert_string_equal(answer_header(&answer, "WWW-Authenticate"), "Bearer realm=\"vmsnapd\"");
    }
}

static void two_tokens_are_none(void **state)
{
    auto_answer struct answer answer = {0};

    test_call(*state,
              &(struct call){
                  .path = "/snapshots",
                  .headers = {"Authorization: Bearer " READER,
                              "Authorization: Bearer " READER}
    },
              &answer);
    assert_problem(&answer, 400, "bad_request");
}

/* No body is read for whom it would not be kept. */
static void who_may_not_write_is_told_before_the_body_is_read(void **state)
{
    static const char *const tokens[] = {"", "Authorization: Bearer " READER "\r\n"};

    for (int i = 0; i < 2; i++) {
        auto_text struct text request = {0};
        auto_text struct text answer = {0};
        text_appendf(&request,
                     "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n%s" JSON_BODY
                     "\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
                     tokens[i]);
        raw_exchange(*state, request.data, &answer);
        assert_memory_equal(answer.data, i == 0 ? "HTTP/1.1 401 " : "HTTP/1.1 403 ", 13);
    }
}

/* With tokens a page that rebinds its name has none to send. */
static void any_host_will_do_with_a_token(void **state)
{
    auto_answer struct answer answer = {0};

    test_call(*state,
              &(struct call){
                  .path = "/snapshots",
                  .headers = {"Authorization: Bearer " READER, "Host: vms.example"}
    },
              &answer);
    assert_int_equal(answer.status, 200);
}

/* Of another process: the line that audits a request. */
static void read_audit(struct program *program, const char *const *parts)
{
    char line[1024];

    program_read_until(program, " audit ", line, sizeof line);
    for (; *parts; parts++)
        if (!strstr(line, *parts))
            fail_msg("\"%s\" is not in %s", *parts, line);
    assert_null(strstr(line, "vmsnapd_"));
}

#define AUDITED(program, ...) read_audit(program, (const char *const[]){__VA_ARGS__, NULL})

static void every_write_is_audited(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path file = write_tokens(test);
    struct program program = {0};
    auto_text struct text body = {0};
    struct answer answers[6] = {0};

    text_appendf(&body, "{\"memory_file_path\":\"%s\",\"id\":\"a\"," REQUIRED_MEMBERS "}",
                 memory.text);
    SERVE(test, &program, "127.0.0.1:0", "--token-file", file.text);
    test_call(test,
              &(struct call){
                  .path = "/snapshots",
                  .headers = {JSON_BODY, "Authorization: Bearer " WRITER},
                  .body = body.data
    },
              &answers[0]);
    assert_int_equal(answers[0].status, 201);
    AUDITED(&program, "audit createSnapshot", "who=writer", "snapshot=a", "status=201",
            "client=127.0.0.1", "request_id=");
    test_call(test,
              &(struct call){
                  .method = "PATCH",
                  .path = "/snapshots/a",
                  .headers = {JSON_BODY, "Authorization: Bearer " WRITER},
                  .body = "{\"held\":false}"
    },
              &answers[5]);
    AUDITED(&program, "audit patchSnapshot", "who=writer", "snapshot=a", "status=200");
    ask(test, "GET", "/snapshots/a", READER, &answers[1]);
    ask(test, "DELETE", "/snapshots/a", READER, &answers[2]);
    AUDITED(&program, "audit deleteSnapshot", "who=reader", "snapshot=a", "status=403",
            "code=forbidden");
    ask(test, "DELETE", "/snapshots/a", NULL, &answers[3]);
    AUDITED(&program, "who=anyone", "status=401", "code=unauthorized");
    ask(test, "DELETE", "/snapshots/a", WRITER, &answers[4]);
    AUDITED(&program, "who=writer", "snapshot=a", "status=204");
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
    for (int i = 0; i < 6; i++)
        answer_clear(&answers[i]);
}

static void sighup_reads_the_tokens_again(void **state)
{
    struct test *test = *state;
    struct path file = write_tokens(test);
    struct program program = {0};
    auto_text struct text lines = {0};
    auto_answer struct answer before = {0};
    auto_answer struct answer after = {0};
    auto_answer struct answer kept = {0};
    char line[1024];

    SERVE(test, &program, "127.0.0.1:0", "--token-file", file.text);
    assert_int_equal(ask(test, "GET", "/snapshots", READER, &before), 200);
    add_token(&lines, "other", "read", "other");
    test_write(file.text, lines.data, lines.len);
    kill(program.pid, SIGHUP);
    program_read_until(&program, "reloaded", line, sizeof line);
    assert_int_equal(ask(test, "GET", "/snapshots", READER, &after), 401);
    test_write(file.text, "nonsense", 8);
    kill(program.pid, SIGHUP);
    program_read_until(&program, "not reloaded", line, sizeof line);
    assert_non_null(strstr(line, path_of("%s:1: ", file.text).text));
    assert_int_equal(ask(test, "GET", "/snapshots", "other", &kept), 200);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

static void assert_local(const char *path, const char *head, const char *status)
{
    auto_fd int fd = raw_open_unix(path);
    auto_text struct text answer = {0};

    raw_sends(fd, head);
    raw_drain(fd, &answer);
    if (strncmp(text_str(&answer) + 9, status, 3) != 0)
        fail_msg("%s instead of %s", text_str(&answer), status);
}

#define LOCAL(line) line " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

static void a_unix_sockets_user_may_do_what_was_given(void **state)
{
    struct test *test = *state;
    struct path path = path_of("%s/socket", test->fixture.home.text);
    struct path local = path_of("unix:%s", path.text);
    struct path given = path_of("%u:read", (unsigned)geteuid());
    struct path other = path_of("%u:write", (unsigned)geteuid() + 1);
    struct program program = {0};
    auto_answer struct answer remote = {0};

    SERVE(test, &program, "127.0.0.1:0", "--listen", local.text, "--peer-scope", given.text,
          "--peer-scope", other.text);
    assert_local(path.text, LOCAL("GET /snapshots") "\r\n", "200");
    assert_local(path.text, LOCAL("DELETE /snapshots/a") "\r\n", "403");
    assert_local(path.text, LOCAL("GET /snapshots") "Authorization: Bearer x\r\n\r\n", "401");
    assert_int_equal(ask(test, "GET", "/snapshots", NULL, &remote), 401); /* by TCP */
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

/* A proxy's user is known by the connection, which pages of any name can use. */
static void a_users_requests_must_name_a_host_of_ours(void **state)
{
    static const char rebound[] = "GET /snapshots HTTP/1.1\r\nHost: evil.example\r\n"
                                  "Connection: close\r\n\r\n";
    static const char named[] = "GET /snapshots HTTP/1.1\r\nHost: vms.example\r\n"
                                "Connection: close\r\n\r\n";
    struct test *test = *state;
    struct path path = path_of("%s/socket", test->fixture.home.text);
    struct path local = path_of("unix:%s", path.text);
    struct path given = path_of("%u:read", (unsigned)geteuid());
    struct path file = write_tokens(test);
    struct program program = {0};

    SERVE(test, &program, local.text, "--peer-scope", given.text, "--token-file", file.text,
          "--host", "vms.example");
    assert_local(path.text, rebound, "421");
    assert_local(path.text, named, "200");
    assert_local(path.text, LOCAL("GET /snapshots") "\r\n", "200");
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

/* Also where they need no scope, and where they have none. */
static void a_unix_sockets_user_is_audited(void **state)
{
    struct test *test = *state;
    struct path path = path_of("%s/socket", test->fixture.home.text);
    struct path local = path_of("unix:%s", path.text);
    struct path other = path_of("%u:read", (unsigned)geteuid() + 1);
    struct path who = path_of("who=uid:%u", (unsigned)geteuid());
    struct program open = {0};
    struct program closed = {0};

    SERVE(test, &open, local.text);
    assert_local(path.text, LOCAL("DELETE /snapshots/a") "\r\n", "404");
    AUDITED(&open, "audit deleteSnapshot", who.text, "status=404", "client=unix");
    kill(open.pid, SIGTERM);
    assert_int_equal(program_finish(&open), 0);
    SERVE(test, &closed, local.text, "--peer-scope", other.text);
    assert_local(path.text, LOCAL("DELETE /snapshots/a") "\r\n", "401");
    AUDITED(&closed, "audit deleteSnapshot", who.text, "status=401", "client=unix");
    kill(closed.pid, SIGTERM);
    assert_int_equal(program_finish(&closed), 0);
}

static void a_users_proxy_is_not_taken_for_its_client(void **state)
{
    struct test *test = *state;
    struct path path = path_of("%s/socket", test->fixture.home.text);
    struct path local = path_of("unix:%s", path.text);
    struct program program = {0};

    SERVE(test, &program, local.text, "--trusted-proxy", "unix");
    assert_local(path.text,
                 LOCAL("DELETE /snapshots/a") "X-Forwarded-For: 192.0.2.7\r\n\r\n", "404");
    AUDITED(&program, "audit deleteSnapshot", "who=anyone", "client=192.0.2.7");
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

/* Runs "vmsnapd token" and gives both of its lines: first the one for the file. */
static void make_token(char token[256], char line[256])
{
    struct program program = {0};

    program_run(&program,
                (const char *const[]){"vmsnapd", "token", "ci", "read,export", NULL});
    program_read_until(&program, "", line, 256);
    program_read_until(&program, "", token, 256);
    assert_int_equal(program_finish(&program), 0);
    token[strcspn(token, "\n")] = '\0';
}

static void a_made_token_is_let_in_by_its_line(void **state)
{
    struct test *test = *state;
    struct path file = path_of("%s/tokens", test->fixture.home.text);
    char token[256];
    char line[256];
    struct program program = {0};
    auto_answer struct answer answer = {0};

    make_token(token, line);
    assert_memory_equal(line, "ci read,export ", 15);
    assert_memory_equal(token, "vmsnapd_", 8);
    assert_int_equal(strlen(token), 8 + 43); /* 32 bytes */
    test_write(file.text, line, strlen(line));
    SERVE(test, &program, "127.0.0.1:0", "--token-file", file.text);
    assert_int_equal(ask(test, "GET", "/snapshots", token, &answer), 200);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

/* It would be good for nothing, and look as if it were. */
static void a_token_is_not_told_where_its_line_is_lost(void **state)
{
    static const char command[] = BINARY_DIR "/vmsnapd token ci read >/dev/full";
    struct program program = {.binary = "/bin/sh"};
    auto_text struct text output = {0};
    char line[1024];

    (void)state;
    program_run(&program, (const char *const[]){"sh", "-c", command, NULL});
    while (fgets(line, sizeof line, program.output))
        text_appends(&output, line);
    assert_int_equal(program_finish(&program), 1);
    assert_non_null(strstr(text_str(&output), "cannot write the token's line: No space left"));
    assert_null(strstr(text_str(&output), "vmsnapd_"));
}

#define ORIGIN "https://dashboard.example"

static int setup_origin(void **state)
{
    static char *origins[] = {"http://other.example:3000", ORIGIN};

    setup(state);
    struct test *test = *state;
    test->settings.http.origins = origins;
    test->settings.http.origin_count = 2;
    test_restart(test);
    return 0;
}

#define WITH_ORIGIN(name) cmocka_unit_test_setup_teardown(name, setup_origin, test_teardown)

static void a_page_of_a_known_origin_may_read_every_answer(void **state)
{
    static const char *const tokens[] = {"Authorization: Bearer " READER, NULL};

    for (int i = 0; i < 2; i++) {
        auto_answer struct answer answer = {0};
        test_call(*state,
                  &(struct call){
                      .path = "/snapshots", .headers = {"Origin: " ORIGIN, tokens[i]}
        },
                  &answer);
        assert_int_equal(answer.status, i == 0 ? 200 : 401);
        assert_string_equal(answer_header(&answer, "Access-Control-Allow-Origin"), ORIGIN);
        assert_string_equal(answer_header(&answer, "Vary"), "Origin");
        const char *exposed = answer_header(&answer, "Access-Control-Expose-Headers");
        assert_non_null(strstr(exposed, "ETag"));
        assert_non_null(strstr(exposed, "Location"));
        assert_non_null(strstr(exposed, "Link"));
        assert_non_null(strstr(exposed, "X-Request-Id"));
    }
}

static void other_origins_are_not_let_in(void **state)
{
    static const char *const origins[] = {
        "Origin: https://dashboard.example.evil.example", "Origin: http://dashboard.example",
        "Origin: https://dashboard.example:444", "Origin: null", NULL};

    for (size_t i = 0; i < 5; i++) {
        auto_answer struct answer got = {0};
        auto_answer struct answer asked = {0};
        test_call(*state,
                  &(struct call){
                      .path = "/snapshots",
                      .headers = {"Authorization: Bearer " READER, origins[i]}
        },
                  &got);
        assert_int_equal(got.status, 200);
        assert_null(answer_header(&got, "Access-Control-Allow-Origin"));
        assert_string_equal(answer_header(&got, "Vary"), "Origin");
        test_call(*state,
                  &(struct call){
                      .method = "OPTIONS",
                      .path = "/snapshots",
                      .headers = {"Access-Control-Request-Method: POST", origins[i]}
        },
                  &asked);
        assert_problem(&asked, 401, "unauthorized");
    }
}

static void a_browser_may_ask_beforehand_without_a_token(void **state)
{
    static const char *const paths[] = {"/snapshots", "/snapshots/a", "/nothing"};

    for (int i = 0; i < 3; i++) {
        auto_answer struct answer answer = {0};
        test_call(*state,
                  &(struct call){
                      .method = "OPTIONS",
                      .path = paths[i],
                      .headers = {"Origin: " ORIGIN,
                                  "Access-Control-Request-Method: PUT",
                                  "Access-Control-Request-Headers: authorization"}
        },
                  &answer);
        assert_int_equal(answer.status, 204);
        assert_string_equal(answer_header(&answer, "Access-Control-Allow-Origin"), ORIGIN);
        assert_non_null(strstr(answer_header(&answer, "Access-Control-Allow-Methods"), "PUT"));
        assert_non_null(
            strstr(answer_header(&answer, "Access-Control-Allow-Headers"), "Authorization"));
        assert_non_null(answer_header(&answer, "Access-Control-Max-Age"));
    }
}

static void a_browsers_question_must_be_one_request_to_everybody(void **state)
{
    auto_text struct text answer = {0};

    raw_exchange(*state,
                 "OPTIONS /snapshots HTTP/1.1\r\nHost: localhost\r\nOrigin: " ORIGIN
                 "\r\nAccess-Control-Request-Method: PUT\r\n"
                 "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                 "GET /snapshots HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 &answer);
    assert_memory_equal(text_str(&answer), "HTTP/1.1 400 ", 13);
    assert_null(strstr(answer.data + 1, "HTTP/1.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TOKENS(each_scope_opens_its_own_routes),
        WITH_TOKENS(strangers_are_told_nothing),
        WITH_TOKENS(a_token_must_be_sent_as_it_is),
        WITH_TOKENS(another_scheme_is_no_token),
        WITH_TOKENS(two_tokens_are_none),
        WITH_TOKENS(who_may_not_write_is_told_before_the_body_is_read),
        WITH_TOKENS(any_host_will_do_with_a_token),
        WITH_PROGRAM(every_write_is_audited),
        WITH_PROGRAM(sighup_reads_the_tokens_again),
        WITH_PROGRAM(a_unix_sockets_user_may_do_what_was_given),
        WITH_PROGRAM(a_users_requests_must_name_a_host_of_ours),
        WITH_PROGRAM(a_unix_sockets_user_is_audited),
        WITH_PROGRAM(a_users_proxy_is_not_taken_for_its_client),
        WITH_PROGRAM(a_made_token_is_let_in_by_its_line),
        WITH_PROGRAM(a_token_is_not_told_where_its_line_is_lost),
        WITH_ORIGIN(a_page_of_a_known_origin_may_read_every_answer),
        WITH_ORIGIN(other_origins_are_not_let_in),
        WITH_ORIGIN(a_browser_may_ask_beforehand_without_a_token),
        WITH_ORIGIN(a_browsers_question_must_be_one_request_to_everybody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
