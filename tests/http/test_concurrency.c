/* Requests that wait for a disk delay nobody else. Linked with --wrap for fsync and fdatasync,
 * which are held until a test lets them go. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/test.h"

#define CREATES 32

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool holding;
    unsigned held; /* threads that wait in a flush */
} flushes = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void wait_while_holding(void)
{
    pthread_mutex_lock(&flushes.mutex);
    flushes.held++;
    pthread_cond_broadcast(&flushes.changed);
    while (flushes.holding)
        pthread_cond_wait(&flushes.changed, &flushes.mutex);
    flushes.held--;
    pthread_mutex_unlock(&flushes.mutex);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    wait_while_holding();
    return __real_fsync(fd);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    wait_while_holding();
    return __real_fdatasync(fd);
}

static void hold_flushes(bool hold)
{
    pthread_mutex_lock(&flushes.mutex);
    flushes.holding = hold;
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
struct client {
    pthread_t thread;
    struct test *test;
    struct path id, memory;
    struct answer answer;
};

static void *create(void *context)
{
    struct client *client = context;

    test_send(client->test, "POST", "/snapshots", &client->answer,
              "{\"id\":\"%s\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", client->id.text,
              client->memory.text);
    return NULL;
}

static void start(struct client *client, struct test *test, const char *id, struct path memory)
{
    *client = (struct client){.test = test, .id = path_of("%s", id), .memory = memory};
    must(pthread_create(&client->thread, NULL, create, client) == 0, "thread");
}

static long join(struct client *client)
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

static void creates_that_flush_delay_no_reader(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct client clients[CREATES];

    clock_replace(test_later);
    test_create(test, "warm", &memory, 2);
    test_create(test, "cold", &memory, 2);
    assert_int_equal(get(test, "/snapshots/warm/manifest"), 200);
    hold_flushes(true);
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
    hold_flushes(false);
    for (int i = 0; i < CREATES; i++)
        assert_int_equal(join(&clients[i]), 201);
    clock_replace(NULL);
}

static void an_id_has_one_writer_at_a_time(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct client first;
    auto_answer struct answer second = {0};
    auto_answer struct answer removed = {0};

    hold_flushes(true);
    start(&first, test, "a", memory);
    wait_until_held(1);
    test_send(test, "POST", "/snapshots", &second,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    assert_problem(&second, 409, "busy");
    assert_non_null(answer_header(&second, "Retry-After"));
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &removed);
    assert_problem(&removed, 409, "busy");
    hold_flushes(false);
    assert_int_equal(join(&first), 201);
}

static void a_client_that_leaves_does_not_undo_its_create(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_text struct text body = {0};
    auto_text struct text request = {0};

    text_appendf(&body, "{\"id\":\"a\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
                 memory.text);
    text_appendf(&request,
                 "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n" JSON_BODY
                 "\r\nContent-Length: %zu\r\n\r\n%s",
                 body.len, body.data);
    hold_flushes(true);
    int fd = raw_open(test);
    raw_sends(fd, request.data);
    wait_until_held(1);
    close(fd);
    hold_flushes(false);
    test_restart(test); /* waits for requests that are running */
    assert_int_equal(get(test, "/snapshots/a"), 200);
}

static void a_stop_waits_for_what_is_running(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct client client;

    hold_flushes(true);
    start(&client, test, "a", memory);
    wait_until_held(1);
    hold_flushes(false);
    test_restart(test);
    assert_int_equal(join(&client), 201);
    assert_int_equal(get(test, "/snapshots/a"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(creates_that_flush_delay_no_reader),
        WITH_SERVER(an_id_has_one_writer_at_a_time),
        WITH_SERVER(a_client_that_leaves_does_not_undo_its_create),
        WITH_SERVER(a_stop_waits_for_what_is_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
