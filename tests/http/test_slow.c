/* Clients that send a byte a second, or nothing: cut off in time, and in nobody's way till then. */
#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/test.h"

#define CLIENTS   450
#define ROUNDS    15 /* each a second long: all of them are gone by then */
#define ROUND_NS  UINT64_C(1000000000)
#define UNCUT_YET 3 /* rounds */

#define POST "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n" JSON_BODY "\r\n"

/* What "x" can be sent behind, for as long as one likes. */
static const char *const beginnings[] = {
    "",
    "GET /",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
    POST "Content-Length: 100000\r\n\r\n",
    POST "Transfer-Encoding: chunked\r\n\r\n186a0\r\n",
    POST "Transfer-Encoding: chunked\r\n\r\n2;",
};

struct crowd {
    struct pollfd clients[CLIENTS]; /* −1 for those that are gone */
    int count;
};

static void gather(struct crowd *crowd, struct test *test)
{
    for (crowd->count = 0; crowd->count < CLIENTS; crowd->count++) {
        int fd = raw_open(test);
        crowd->clients[crowd->count] = (struct pollfd){.fd = fd, .events = POLLIN};
        raw_sends(fd, beginnings[(size_t)crowd->count % 6]);
    }
}

static bool is_cut(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);

    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* Until the time has come; whoever is cut off leaves. */
static void watch(struct crowd *crowd, uint64_t until_ns)
{
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        if (now >= until_ns || crowd->count == 0)
            return;
        poll(crowd->clients, CLIENTS, (int)((until_ns - now) / 1000000) + 1);
        for (int i = 0; i < CLIENTS; i++) {
            struct pollfd *client = &crowd->clients[i];
            if (client->fd < 0 || !client->revents || !is_cut(client->fd))
                continue;
            close(client->fd);
            client->fd = -1;
            crowd->count--;
        }
    }
}

static void send_a_byte_each(struct crowd *crowd)
{
    for (int i = 0; i < CLIENTS; i++)
        if (crowd->clients[i].fd >= 0)
            raw_send(crowd->clients[i].fd, "x", 1);
}

static void assert_served(struct test *test)
{
    static const char *const paths[] = {"/healthz", "/snapshots", "/snapshots/a/manifest"};

    for (int i = 0; i < 3; i++) {
        auto_answer struct answer answer = {0};
        test_get(test, paths[i], &answer);
        assert_int_equal(answer.status, 200);
    }
}

static void a_crowd_of_slow_senders_delays_nobody_and_is_gone_in_time(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_free struct crowd *crowd = malloc(sizeof *crowd);

    must(crowd, "memory");
    test->settings.body_rate_min = 1024;
    test_restart(test);
    test_create(test, "a", &memory, 2);
    gather(crowd, test);
    uint64_t start = clock_monotonic_ns();
    for (unsigned round = 1; round <= ROUNDS; round++) {
        watch(crowd, start + round * ROUND_NS);
        send_a_byte_each(crowd);
        if (round > UNCUT_YET)
            continue;
        assert_served(test);
        assert_int_equal(crowd->count, CLIENTS);
    }
    assert_int_equal(crowd->count, 0);
    assert_served(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_crowd_of_slow_senders_delays_nobody_and_is_gone_in_time),
    };
    struct rlimit files;

    must(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
    files.rlim_cur = files.rlim_max; /* for both ends of each connection */
    must(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
