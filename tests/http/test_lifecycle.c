/* The program's life among others: where it listens, what it tells systemd, how it ends. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/program.h"

static void it_listens_on_several_addresses_at_once(void **state)
{
    struct test *test = *state;
    struct path path = path_of("%s/socket", test->fixture.home.text);
    struct program program = {0};
    auto_answer struct answer first = {0};
    auto_answer struct answer second = {0};
    auto_text struct text third = {0};
    char line[256];

    SERVE(test, &program, "127.0.0.1:0", "--listen", "[::1]:0", "--listen",
          path_of("unix:%s", path.text).text, "--socket-mode", "0666");
    test_get(test, "/readyz", &first);
    assert_int_equal(first.status, 200);
    program_read_until(&program, "address=http://[::1]:", line, sizeof line);
    snprintf(test->url, sizeof test->url, "%s", strstr(line, "http://"));
    test->url[strcspn(test->url, "\n")] = '\0';
    test_get(test, "/readyz", &second);
    assert_int_equal(second.status, 200);
    auto_fd int fd = raw_open_unix(path.text);
    raw_sends(fd, "GET /readyz HTTP/1.0\r\n\r\n");
    raw_drain(fd, &third);
    assert_non_null(strstr(third.data, " 200 "));
    assert_int_equal(disk_stat(path.text).st_mode & 0777, 0666);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

/* A socket to be passed, as a service manager would hold it. */
static int listen_for(struct test *test)
{
    struct listeners listeners = {0};
    struct error err;

    must(listen_open(&listeners, "127.0.0.1:0", NULL, &err), err.message);
    snprintf(test->url, sizeof test->url, "%s", listeners.items[0].address);
    return listeners.items[0].fd;
}

static void start_passed(struct test *test, struct program *program)
{
    struct path url = path_of("%s", test->url);

    program_serve(test, program, (const char *const[]){"--log-level", "info", NULL});
    assert_string_equal(test->url, url.text); /* there, and not at the default address */
}

static void passed_sockets_replace_the_default_address(void **state)
{
    struct test *test = *state;
    struct program program = {.passed = listen_for(test)};
    auto_answer struct answer answer = {0};

    start_passed(test, &program);
    test_get(test, "/readyz", &answer);
    assert_int_equal(answer.status, 200);
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
    close(program.passed);
}

static void a_passed_socket_that_others_reach_needs_consent_too(void **state)
{
    struct test *test = *state;
    struct program program = {.passed = socket(AF_INET, SOCK_STREAM, 0)};
    char line[1024];

    must(listen(program.passed, 1) == 0, "listen"); /* on any address */
    const char *const arguments[] = {"vmsnapd", "--store", test->fixture.store.text, NULL};
    program_run(&program, arguments);
    program_read_until(&program, "--no-auth", line, sizeof line);
    assert_int_equal(program_finish(&program), 1);
    close(program.passed);
}

#define CLIENTS 4

/* Creates, one connection each, until it is told to stop: each must be answered 201. */
struct creator {
    struct test *test;
    struct path memory;
    int number;
    atomic_bool *over;
    unsigned made;
    pthread_t thread;
};

static bool create_one(const struct creator *creator)
{
    auto_text struct text body = {0};
    auto_text struct text request = {0};
    auto_text struct text answer = {0};

    text_appendf(&body, "{\"id\":\"c%d-%u\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
                 creator->number, creator->made, creator->memory.text);
    text_appendf(&request,
                 "POST /snapshots HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" JSON_BODY
                 "\r\nContent-Length: %zu\r\n\r\n%s",
                 body.len, body.data);
    raw_exchange(creator->test, request.data, &answer);
    return strncmp(text_str(&answer), "HTTP/1.1 201 ", 13) == 0;
}

static void *create_many(void *context)
{
    struct creator *creator = context;

    while (!atomic_load(creator->over)) {
        if (!create_one(creator))
            break; /* the test will find that it is not over */
        creator->made++;
    }
    return NULL;
}

static void check_all_there(struct test *test, const struct creator *creator)
{
    for (unsigned i = 0; i < creator->made; i++) {
        auto_answer struct answer got = {0};
        test_get(test, path_of("/snapshots/c%d-%u", creator->number, i).text, &got);
        assert_int_equal(got.status, 200);
    }
}

static void a_restart_under_load_refuses_nobody_and_loses_nothing(void **state)
{
    struct test *test = *state;
    struct program program = {.passed = listen_for(test)};
    struct path memory = test_memory(test, "m", 4096, 7);
    struct creator creators[CLIENTS];
    atomic_bool over = false;

    start_passed(test, &program);
    for (int i = 0; i < CLIENTS; i++) {
        creators[i] = (struct creator){test, memory, i, &over};
        must(pthread_create(&creators[i].thread, NULL, create_many, &creators[i]) == 0, "thread");
    }
    for (int i = 0; i < 5; i++) {
        kill(program.pid, SIGTERM);
        assert_int_equal(program_finish(&program), 0);
        start_passed(test, &program);
    }
    atomic_store(&over, true);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(creators[i].thread, NULL);
        assert_true(creators[i].made > 0);
        assert_true(create_one(&creators[i])); /* none had stopped for a refusal */
        check_all_there(test, &creators[i]);
    }
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
    close(program.passed);
}

/* A create of which only the head has come: it keeps a drain waiting. */
static int begin_create(struct test *test)
{
    int fd = raw_open(test);
    char answer[12];

    raw_sends(fd, "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n");
    raw_sends(fd, JSON_BODY "\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    raw_take(fd, answer, sizeof answer); /* 100 Continue */
    return fd;
}

static void who_has_connected_is_heard_though_it_drains(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    auto_text struct text health = {0};
    auto_text struct text ready = {0};
    char line[256];

    SERVE(test, &program, "127.0.0.1:0");
    auto_fd int first = raw_open(test);
    auto_fd int second = raw_open(test);
    kill(program.pid, SIGTERM);
    program_read_until(&program, "stopping", line, sizeof line);
    raw_sends(first, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_drain(first, &ready); /* to the end: the answer closes the connection */
    assert_memory_equal(ready.data, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(ready.data, "\"code\":\"draining\""));
    assert_non_null(strstr(ready.data, "Retry-After: "));
    raw_sends(second, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_drain(second, &health);
    assert_memory_equal(health.data, "HTTP/1.1 200 ", 13);
    assert_int_equal(program_finish(&program), 0);
}

static void a_second_signal_ends_the_wait(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    char line[256];

    SERVE(test, &program, "127.0.0.1:0", "--min-body-rate", "0", "--drain", "3600");
    auto_fd int fd = begin_create(test);
    assert_true(fd >= 0);
    kill(program.pid, SIGTERM);
    program_read_until(&program, "stopping", line, sizeof line);
    kill(program.pid, SIGINT);
    program_read_until(&program, "at once", line, sizeof line);
    assert_int_equal(program_finish(&program), 0);
}

/* The next message holds `text`. */
static void expect(int fd, const char *text)
{
    char message[512];
    ssize_t len = recv(fd, message, sizeof message - 1, 0);

    must(len > 0, "a message");
    message[len] = '\0';
    if (!strstr(message, text))
        fail_msg("%s instead of %s", message, text);
}

/* Returns the socket on which the program tells how it fares. */
static int serve_notifying(struct test *test, struct program *program)
{
    struct path path = path_of("%s/notify", test->fixture.home.text);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path.text, strlen(path.text) + 1);
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, path.text);
    program->notify_socket = path.text;
    SERVE(test, program, "127.0.0.1:0");
    return fd;
}

static void systemd_is_told_how_it_fares(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    auto_fd int fd = serve_notifying(test, &program);

    expect(fd, "READY=1");
    kill(program.pid, SIGHUP);
    expect(fd, "RELOADING=1\nMONOTONIC_USEC=");
    expect(fd, "READY=1");
    kill(program.pid, SIGTERM);
    expect(fd, "STOPPING=1");
    assert_int_equal(program_finish(&program), 0);
}

static void the_watchdog_hears_from_it_as_long_as_it_answers(void **state)
{
    struct test *test = *state;
    struct program program = {.watchdog_usec = "3000000"};
    auto_fd int fd = serve_notifying(test, &program);

    expect(fd, "READY=1");
    expect(fd, "WATCHDOG=1");
    expect(fd, "WATCHDOG=1");
    kill(program.pid, SIGTERM);
    expect(fd, "STOPPING=1");
    assert_int_equal(program_finish(&program), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PROGRAM(it_listens_on_several_addresses_at_once),
        WITH_PROGRAM(passed_sockets_replace_the_default_address),
        WITH_PROGRAM(a_passed_socket_that_others_reach_needs_consent_too),
        WITH_PROGRAM(a_restart_under_load_refuses_nobody_and_loses_nothing),
        WITH_PROGRAM(who_has_connected_is_heard_though_it_drains),
        WITH_PROGRAM(a_second_signal_ends_the_wait),
        WITH_PROGRAM(systemd_is_told_how_it_fares),
        WITH_PROGRAM(the_watchdog_hears_from_it_as_long_as_it_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
