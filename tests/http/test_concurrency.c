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

static void connections_beyond_the_most_wait_for_others_to_end(void **state)
{
    struct test *test = *state;
    auto_text struct text answer = {0};
    int fds[CONNECTIONS];
    char start[13];

    test->settings.connections_max = CONNECTIONS;
    test_restart(test);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = raw_open(test);
        raw_sends(fds[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw_take(fds[i], start, sizeof start);
        assert_memory_equal(start, "HTTP/1.1 200 ", sizeof start);
    }
    auto_fd int last = raw_open(test);
    raw_sends(last, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_int_equal(poll(&(struct pollfd){.fd = last, .events = POLLIN}, 1, 0), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    raw_drain(last, &answer);
    assert_memory_equal(answer.data, "HTTP/1.1 200 ", 13);
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
    assert_int_equal(get(test, "/healthz"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(creates_that_flush_delay_no_reader),
        WITH_SERVER(copies_do_not_delay_links),
        WITH_SERVER(what_no_queue_has_room_for_is_told_to_come_back),
        WITH_SERVER(an_id_has_one_writer_at_a_time),
        WITH_SERVER(connections_beyond_the_most_wait_for_others_to_end),
        WITH_SERVER(more_clients_than_it_can_count_do_it_no_harm),
        WITH_SERVER(a_client_that_leaves_does_not_undo_its_create),
        WITH_SERVER(a_stop_waits_for_what_is_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
