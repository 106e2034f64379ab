/* The program itself: its settings, its end, and what it holds on to. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/program.h"

/* A create of which the last byte is yet to come. */
static int send_most_of_a_create(struct test *test, const struct path *memory)
{
    auto_text struct text body = {0};
    auto_text struct text request = {0};
    int fd = raw_open(test);

    text_appendf(&body, "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
                 memory->text);
    text_appendf(&request,
                 "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n" JSON_BODY
                 "\r\nContent-Length: %zu\r\nExpect: 100-continue\r\n\r\n",
                 body.len);
    raw_sends(fd, request.data);
    char answer[25];
    raw_take(fd, answer, sizeof answer); /* 100 Continue */
    raw_send(fd, body.data, body.len - 1);
    return fd;
}

static void a_running_request_is_finished_before_the_end(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    for (size_t i = 0; i < 2; i++) {
        struct program program = {0};
        auto_text struct text answer = {0};
        char line[256];
        SERVE(test, &program, "127.0.0.1:0");
        auto_fd int fd = send_most_of_a_create(test, &memory);
        kill(program.pid, signals[i]);
        program_read_until(&program, "stopping", line, sizeof line);
        raw_sends(fd, "}");
        raw_drain(fd, &answer);
        assert_memory_equal(answer.data, i == 0 ? "HTTP/1.1 201 " : "HTTP/1.1 200 ", 13);
        assert_int_equal(program_finish(&program), 0);
    }
}

static void a_body_that_does_not_come_is_not_waited_for_for_ever(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct program program = {0};
    auto_text struct text answer = {0};

    SERVE(test, &program, "127.0.0.1:0", "--drain", "0");
    auto_fd int fd = send_most_of_a_create(test, &memory);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
    raw_drain(fd, &answer);
    assert_int_equal(answer.len, 0);
    assert_int_equal(disk_count(path_of("%s/snapshots", test->fixture.store.text).text), 0);
}

static void what_is_set_is_what_is_served(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct program program = {0};
    auto_answer struct answer named = {0};
    auto_answer struct answer copied = {0};
    auto_answer struct answer refused = {0};

    SERVE(test, &program, "127.0.0.1:0", "--host", "vms.example", "--capture", "copy",
          "--max-state", "2");
    test_call(test, &(struct call){.path = "/healthz", .headers = {"Host: vms.example"}}, &named);
    assert_int_equal(named.status, 200);
    test_send(test, "POST", "/snapshots", &copied,
              "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_string_equal(answer_string(&copied, "memory.capture"), "copy");
    test_send(test, "POST", "/snapshots", &refused,
              "{\"memory_file_path\":\"%s\",\"state_base64\":\"AAAA\"," REQUIRED_MEMBERS "}",
              memory.text);
    assert_problem(&refused, 413, "payload_too_large");
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

static void it_listens_on_a_unix_socket_and_takes_over_a_stale_one(void **state)
{
    struct test *test = *state;
    struct path path = path_of("%s/socket", test->fixture.home.text);

    for (int i = 0; i < 2; i++) {
        struct program program = {0};
        auto_text struct text answer = {0};
        SERVE(test, &program, path_of("unix:%s", path.text).text);
        auto_fd int fd = raw_open_unix(path.text);
        raw_sends(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        raw_drain(fd, &answer);
        assert_memory_equal(answer.data, "HTTP/1.1 200 ", 13);
        kill(program.pid, SIGKILL); /* leaves its socket behind */
        assert_int_equal(program_finish(&program), -SIGKILL);
    }
}

static void assert_says(int expected, const char *text, const char *const *arguments)
{
    struct program program = {0};
    auto_text struct text output = {0};
    char line[1024];

    program_run(&program, arguments);
    while (fgets(line, sizeof line, program.output))
        text_appends(&output, line);
    assert_int_equal(program_finish(&program), expected);
    if (!strstr(text_str(&output), text))
        fail_msg("\"%s\" is not in \"%s\"", text, text_str(&output));
}

#define SAYS(expected, text, ...) \
    assert_says(expected, text, (const char *const[]){"vmsnapd", __VA_ARGS__, NULL})

static void a_start_that_cannot_be_says_what_to_do(void **state)
{
    struct test *test = *state;
    const char *store = test->fixture.store.text;

    SAYS(0, "vmsnapd 0.", "--version");
    SAYS(0, "--memory-root DIR", "--help");
    SAYS(1, "see vmsnapd --help", "--colour");
    SAYS(1, "--no-auth", "--listen", "0.0.0.0:0", "--store", store);
    SAYS(1, "--no-auth", "--listen", "[::]:0", "--store", store);
    SAYS(1, "127.0.0.1:8080", "--listen", "everywhere", "--store", store);
    SAYS(1, "make the directory", "--memory-root", "/nowhere/at/all", "--store", store);
    SAYS(1, "must be absolute", "--store", "here");
    SAYS(1, "Not a directory", "--store", "/dev/null/x");
    SAYS(1, "--capture", "--capture", "steal", "--store", store);
    SAYS(1, "--token-file /nowhere", "--token-file", "/nowhere", "--store", store);
    SAYS(1, "contradicts", "--no-auth", "--token-file", "/dev/null", "--store", store);
    SAYS(1, "no such user", "--peer-scope", "nobody-at-all:read", "--store", store);
    SAYS(1, "USER:SCOPES", "--peer-scope", "0:reads", "--store", store);
    SAYS(1, "has scopes already, by 0:read", "--peer-scope", "0:read", "--peer-scope", "root:write",
         "--store", store);
    SAYS(1, "like https://", "--cors-origin", "https://x.example/", "--store", store);
    SAYS(1, "has anyway", "--cors-origin", "https://x.example:443", "--store", store);
    SAYS(1, "no such group", "--socket-group", "nobody-at-all", "--store", store);
    SAYS(1, "NAME SCOPES", "token", "ci");
    SAYS(1, "among read, write and export", "token", "ci", "all");
    SAYS(1, "without a slash", "--base-path", "/vms/", "--store", store);
    SAYS(1, "none of the service's own", "--base-path", "/snapshots/x", "--store", store);
    SAYS(1, "10.0.0.0/8", "--trusted-proxy", "unix", "--trusted-proxy", "10.1.2.3/8", "--store",
         store);
}

static void a_second_process_on_a_store_is_told_who_has_it(void **state)
{
    struct test *test = *state;
    struct program program = {0};

    SERVE(test, &program, "127.0.0.1:0");
    SAYS(1, path_of("pid %d on ", (int)program.pid).text, "--store", test->fixture.store.text,
         "--lock-wait", "0", "--listen", "127.0.0.1:0");
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

static void health_tells_a_service_that_answers_from_none(void **state)
{
    struct test *test = *state;
    struct path local = path_of("unix:%s/socket", test->fixture.home.text);
    struct program program = {0};

    SERVE(test, &program, "127.0.0.1:0");
    const char *address = test->url + strlen("http://");
    SAYS(0, "", "health", "--listen", address);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
    SAYS(1, "Connection refused", "health", "--listen", address);
    SAYS(1, "No such file", "health", "--listen", local.text);
    SERVE(test, &program, local.text);
    SAYS(0, "", "health", "--listen", local.text);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
    SAYS(0, "--memory-root DIR", "health", "--help");
    SAYS(1, "see vmsnapd --help", "health", "--colour");
}

/* What health makes of a service that sends this: its exit status. */
static int judge(const char *answer)
{
    auto_listeners struct listeners listeners = {0};
    struct error err;
    struct program program = {0};

    must(listen_open(&listeners, "127.0.0.1:0", NULL, &err), err.message);
    const char *port = listeners.items[0].address + strlen("http://");
    struct pollfd polled = {.fd = listeners.items[0].fd, .events = POLLIN};
    program_run(&program, (const char *const[]){"vmsnapd", "health", "--listen", port, NULL});
    must(poll(&polled, 1, -1) == 1, "poll");
    auto_fd int fd = accept4(polled.fd, NULL, NULL, SOCK_CLOEXEC);
    raw_sends(fd, answer);
    if (*answer)
        shutdown(fd, SHUT_WR);
    return program_finish(&program);
}

static void health_wants_200_within_seconds(void **state)
{
    (void)state;
    assert_int_equal(judge("HTTP/1.1 200 OK\r\n\r\n"), 0);
    assert_int_equal(judge("HTTP/1.1 503 Service Unavailable\r\n\r\n"), 1);
    assert_int_equal(judge("HTTP/1.1 20"), 1);
    assert_int_equal(judge(""), 1); /* and the connection stays open */
}

#define PIPELINED 100

static void get_many(struct test *test, int rounds)
{
    auto_text struct text request = {0};

    for (int i = 0; i < PIPELINED; i++)
        text_appendf(&request, "GET /snapshots/a%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                     i % 4 ? "/manifest" : "", i == PIPELINED - 1 ? "Connection: close\r\n" : "");
    for (int i = 0; i < rounds; i++) {
        auto_text struct text answer = {0};
        raw_exchange(test, request.data, &answer);
        assert_true(answer.len > (size_t)PIPELINED * 100);
    }
}

static void many_requests_leave_no_descriptor_and_no_memory_behind(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct program program = {0};

    SERVE(test, &program, "127.0.0.1:0", "--no-access-log"); /* which nobody would read */
    struct path descriptors = path_of("/proc/%d/fd", (int)program.pid);
    size_t before = disk_count(descriptors.text);
    test_create(test, "a", &memory, 2);
    get_many(test, 20); /* caches and heaps have found their size */
    long resident = program_resident_kib(&program);
    assert_true(resident > 0);
    get_many(test, 200);
#ifndef SANITIZED /* a sanitizer keeps what is freed */
    assert_in_range(program_resident_kib(&program), 1, resident + 1024);
#endif
    /* A connection is closed soon after its last answer; of what leaks there would be ever more. */
    for (int i = 0; i < 100 && disk_count(descriptors.text) > before + 1; i++)
        get_many(test, 1);
    assert_in_range(disk_count(descriptors.text), 1, before + 1);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PROGRAM(a_running_request_is_finished_before_the_end),
        WITH_PROGRAM(a_body_that_does_not_come_is_not_waited_for_for_ever),
        WITH_PROGRAM(what_is_set_is_what_is_served),
        WITH_PROGRAM(it_listens_on_a_unix_socket_and_takes_over_a_stale_one),
        WITH_PROGRAM(a_start_that_cannot_be_says_what_to_do),
        WITH_PROGRAM(a_second_process_on_a_store_is_told_who_has_it),
        WITH_PROGRAM(health_tells_a_service_that_answers_from_none),
        cmocka_unit_test(health_wants_200_within_seconds),
        WITH_PROGRAM(many_requests_leave_no_descriptor_and_no_memory_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
