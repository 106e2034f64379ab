/* Requests that wait for a disk delay nobody else. Linked with --wrap for fsync and fdatasync,
 * which are held until a test lets them go. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/test.h"

#define CREATES 32

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned room; /* for threads that wait in a flush; others pass */
    unsigned held; /* threads that do */
} flushes = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void wait_while_held(void)
{
    pthread_mutex_lock(&flushes.mutex);
    if (flushes.held < flushes.room) {
        flushes.held++;
        pthread_cond_broadcast(&flushes.changed);
        while (flushes.room > 0)
            pthread_cond_wait(&flushes.changed, &flushes.mutex);
        flushes.held--;
    }
    pthread_mutex_unlock(&flushes.mutex);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    wait_while_held();
    return __real_fsync(fd);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    wait_while_held();
    return __real_fdatasync(fd);
}

/* The next `room` threads that flush; 0 lets all of them go. */
static void hold_flushes(unsigned room)
{
    pthread_mutex_lock(&flushes.mutex);
    flushes.room = room;
    pthread_cond_broadcast(&flushes.changed);
    pthread_mutex_unlock(&flushes.mutex);
}

static void wait_until_held(unsigned count)
{
    pthread_mutex_lock(&flushes.mutex);
    while (flushes.held < count)
        pthread_cond_wait(&flushes.changed, &flushes.mutex);
    pthread_mutex_unlock(&flushes.mutex);
}

/* A client in a thread of its own. */
struct caller {
    pthread_t thread;
    struct test *test;
    struct path id, memory;
    struct answer answer;
};

static void *create(void *context)
{
    struct caller *client = context;

    test_send(client->test, "POST", "/snapshots", &client->answer,
              "{\"id\":\"%s\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", client->id.text,
              client->memory.text);
    return NULL;
}

static void start(struct caller *client, struct test *test, const char *id, struct path memory)
{
    *client = (struct caller){.test = test, .id = path_of("%s", id), .memory = memory};
    must(pthread_create(&client->thread, NULL, create, client) == 0, "thread");
}

static long join(struct caller *client)
{
    pthread_join(client->thread, NULL);
    long status = client->answer.status;
    answer_clear(&client->answer);
    return status;
}

static long get(struct test *test, const char *path)
{
    auto_answer struct answer answer = {0};

    test_get(test, path, &answer);
    return answer.status;
}

static long validate(struct test *test, const char *body)
{
    auto_answer struct answer answer = {0};

    test_send(test, "POST", "/snapshots/warm/validate", &answer, "%s", body);
    return answer.status;
}

static void send_create(int fd, const struct path *memory, const char *more)
{
    auto_text struct text body = {0};
    auto_text struct text request = {0};

    text_appendf(&body, "{\"memory_file_path\":\"%s\"%s," REQUIRED_MEMBERS "}", memory->text, more);
    text_appendf(&request,
                 "POST /snapshots HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" JSON_BODY
                 "\r\nContent-Length: %zu\r\n\r\n%s",
                 body.len, body.data);
    raw_send(fd, request.data, request.len);
}

static void creates_that_flush_delay_no_reader(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct caller clients[CREATES];
    auto_answer struct answer metrics = {0};

    clock_replace(test_later);
    test_create(test, "warm", &memory, 2);
    test_create(test, "cold", &memory, 2);
    assert_int_equal(get(test, "/snapshots/warm/manifest"), 200);
    hold_flushes(CREATES);
    for (int i = 0; i < CREATES; i++)
        start(&clients[i], test, path_of("c%d", i).text, memory);
    wait_until_held(CREATES); /* all of them wait for the disk; none is let go before the end */
    assert_int_equal(get(test, "/snapshots/warm/manifest"), 200);
    assert_int_equal(get(test, "/snapshots/cold/manifest"), 200);
    assert_int_equal(validate(test, "{\"vp_count\":2}"), 200);
    assert_int_equal(validate(test, "{\"state_units\":[]}"), 200);
    assert_int_equal(get(test, "/snapshots/warm"), 200);
    assert_int_equal(get(test, "/snapshots"), 200);
    assert_int_equal(get(test, "/snapshots/warm/state"), 200);
    assert_int_equal(get(test, "/healthz"), 200);
    assert_int_equal(get(test, "/snapshots/c0"), 404); /* what is being made is not listed */
    test_get(test, "/metrics", &metrics);
    assert_non_null(strstr(metrics.body.data, "_lane_busy_threads{lane=\"publish\"} 32\n"));
    hold_flushes(0);
    for (int i = 0; i < CREATES; i++)
        assert_int_equal(join(&clients[i]), 201);
    clock_replace(NULL);
}

static void an_id_has_one_writer_at_a_time(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct caller first;
    auto_answer struct answer second = {0};
    auto_answer struct answer removed = {0};

    hold_flushes(1);
    start(&first, test, "a", memory);
    wait_until_held(1);
    test_send(test, "POST", "/snapshots", &second,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&second, 409, "busy");
    assert_non_null(answer_header(&second, "Retry-After"));
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &removed);
    assert_problem(&removed, 409, "busy");
    hold_flushes(0);
    assert_int_equal(join(&first), 201);
}

static void a_client_that_leaves_does_not_undo_its_create(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    hold_flushes(1);
    int fd = raw_open(test);
    send_create(fd, &memory, ",\"id\":\"a\"");
    wait_until_held(1);
    close(fd);
    hold_flushes(0);
    test_restart(test); /* waits for requests that are running */
    assert_int_equal(get(test, "/snapshots/a"), 200);
}

static void a_stop_waits_for_what_is_running(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct caller client;

    hold_flushes(1);
    start(&client, test, "a", memory);
    wait_until_held(1);
    hold_flushes(0);
    test_restart(test);
    assert_int_equal(join(&client), 201);
    assert_int_equal(get(test, "/snapshots/a"), 200);
}

#define BULK_THREADS 2
#define BULK_QUEUE   256

static void send_copy(int fd, const struct path *memory)
{
    send_create(fd, memory, ",\"capture\":\"copy\"");
}

static void copies_do_not_delay_links(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    int copies[BULK_THREADS + 1]; /* one of them waits in the queue */

    hold_flushes(BULK_THREADS);
    for (int i = 0; i < BULK_THREADS + 1; i++) {
        copies[i] = raw_open(test);
        send_copy(copies[i], &memory);
    }
    wait_until_held(BULK_THREADS); /* the whole lane */
    for (int i = 0; i < CREATES; i++)
        test_create(test, path_of("l%d", i).text, &memory, 2);
    hold_flushes(0);
    for (int i = 0; i < BULK_THREADS + 1; i++) {
        auto_text struct text answer = {0};
        raw_drain(copies[i], &answer);
        assert_memory_equal(answer.data, "HTTP/1.1 201 ", 13);
        close(copies[i]);
    }
}

/* Which of these connections is answered first. */
static int wait_for_any(const int *fds, int count)
{
    auto_free struct pollfd *polled = calloc((size_t)count, sizeof *polled);

    must(polled, "memory");
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    must(poll(polled, (nfds_t)count, -1) > 0, "poll");
    for (int i = 0; i < count; i++)
        if (polled[i].revents)
            return i;
    return -1;
}

static void what_no_queue_has_room_for_is_told_to_come_back(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    int copies[BULK_THREADS + BULK_QUEUE + 1]; /* one too many */
    const int count = (int)(sizeof copies / sizeof copies[0]);

    hold_flushes(BULK_THREADS);
    for (int i = 0; i < count; i++) {
        copies[i] = raw_open(test);
        send_copy(copies[i], &memory);
        if (i == BULK_THREADS - 1)
            wait_until_held(BULK_THREADS);
    }
    int refused = wait_for_any(copies, count); /* all others wait for the lane, and it for us */
    hold_flushes(0);
    for (int i = 0; i < count; i++) {
        auto_text struct text answer = {0};
        raw_drain(copies[i], &answer);
        if (strncmp(text_str(&answer), i == refused ? "HTTP/1.1 503 " : "HTTP/1.1 201 ", 13) != 0)
            fail_msg("%d of %d: %s", i, refused, text_str(&answer));
        if (i == refused)
            assert_non_null(strstr(answer.data, "Retry-After: "));
        if (i == refused)
            assert_non_null(strstr(answer.data, "\"code\":\"overloaded\""));
        close(copies[i]);
    }
}

#define CONNECTIONS 64

#define HEALTH(more) "GET /healthz HTTP/1.1\r\nHost: localhost\r\n" more "\r\n"

/* Opens connections that stay, each after an answer. */
static void fill(struct test *test, int *fds, int count)
{
    char start[13];

    for (int i = 0; i < count; i++) {
        fds[i] = raw_open(test);
        raw_sends(fds[i], HEALTH(""));
        raw_take(fds[i], start, sizeof start);
        assert_memory_equal(start, "HTTP/1.1 200 ", sizeof start);
    }
}

/* One more connection: what its first request is answered, to its end. */
static void assert_turned_away(struct test *test, const char *status, const char *code)
{
    auto_text struct text answer = {0};
    auto_fd int fd = raw_open(test);

    raw_sends(fd, HEALTH(""));
    raw_drain(fd, &answer);
    assert_memory_equal(answer.data + 9, status, 3);
    assert_non_null(strstr(answer.data, code));
    assert_non_null(strstr(answer.data, "Retry-After: "));
}

static void connections_beyond_the_most_are_told_to_come_back(void **state)
{
    struct test *test = *state;
    int fds[CONNECTIONS];

    test->settings.connections_max = CONNECTIONS;
    test_restart(test);
    fill(test, fds, CONNECTIONS);
    for (int i = 0; i < 3; i++)
        assert_turned_away(test, "503", "\"code\":\"overloaded\"");
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    test_restart(test); /* all of them are over by then */
    assert_int_equal(get(test, "/healthz"), 200);
}

static void connections_far_beyond_the_most_are_turned_away_at_once(void **state)
{
    struct test *test = *state;
    int fds[CONNECTIONS + 256]; /* those that are served, a refusal if need be */
    const int count = (int)(sizeof fds / sizeof fds[0]);
    auto_text struct text answer = {0};

    test->settings.connections_max = CONNECTIONS;
    test_restart(test);
    for (int i = 0; i < count; i++)
        fds[i] = raw_open(test);
    auto_fd int last = raw_open(test);
    raw_drain(last, &answer);
    assert_memory_equal(answer.data, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(answer.data, "Retry-After: "));
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static void one_client_may_not_take_all_connections(void **state)
{
    struct test *test = *state;
    int fds[4];

    test->settings.address_connections_max = 4;
    test_restart(test);
    fill(test, fds, 4);
    assert_turned_away(test, "429", "\"code\":\"too_many_requests\"");
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void one_client_may_not_send_more_than_so_many_requests_a_second(void **state)
{
    struct test *test = *state;
    int refused = 0;

    test->settings.client_rate_max = 10;
    test_restart(test);
    for (int i = 0; i < 100 && !refused; i++) {
        auto_answer struct answer answer = {0};
        test_get(test, "/snapshots", &answer);
        if (answer.status == 200)
            continue;
        assert_problem(&answer, 429, "too_many_requests");
        assert_string_equal(answer_header(&answer, "Retry-After"), "1");
        refused = i;
    }
    assert_in_range(refused, 10, 99);
    assert_int_equal(get(test, "/healthz"), 200); /* which is not counted */
}

/* Connects, asks, and leaves without an answer, over and over. */
static void *churn(void *context)
{
    struct test *test = context;

    for (int i = 0; i < 250; i++) {
        int fd = raw_open(test);
        raw_sends(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        close(fd);
    }
    return NULL;
}

static void more_clients_than_it_can_count_do_it_no_harm(void **state)
{
    struct test *test = *state;
    pthread_t threads[4];

    test->settings.connections_max = CONNECTIONS;
    test_restart(test);
    for (int i = 0; i < 4; i++)
        must(pthread_create(&threads[i], NULL, churn, test) == 0, "thread");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    long status = get(test, "/healthz");
    assert_true(status == 200 || status == 503); /* not all of them need be over yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(creates_that_flush_delay_no_reader),
        WITH_SERVER(copies_do_not_delay_links),
        WITH_SERVER(what_no_queue_has_room_for_is_told_to_come_back),
        WITH_SERVER(an_id_has_one_writer_at_a_time),
        WITH_SERVER(connections_beyond_the_most_are_told_to_come_back),
        WITH_SERVER(connections_far_beyond_the_most_are_turned_away_at_once),
        WITH_SERVER(one_client_may_not_take_all_connections),
        WITH_SERVER(one_client_may_not_send_more_than_so_many_requests_a_second),
        WITH_SERVER(more_clients_than_it_can_count_do_it_no_harm),
        WITH_SERVER(a_client_that_leaves_does_not_undo_its_create),
        WITH_SERVER(a_stop_waits_for_what_is_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
