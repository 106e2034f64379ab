#include "tests/soak/rude.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/soak/model.h"
#include "tests/soak/version.h"

#define HEAD        "Host: localhost\r\n" BEARER OWNER_TOKEN "\r\n"
#define READER_HEAD "Host: localhost\r\n" BEARER READER_TOKEN "\r\n"

/* What it takes to refuse something, and not to wait for the rest of it. */
#define SHORT_MS 200

static void pause_ms(unsigned milliseconds)
{
    poll(NULL, 0, (int)milliseconds);
}

/* Half of them with a reset, the others as one does it. */
static void hang_up(struct caller *caller, int fd)
{
    const struct linger reset = {.l_onoff = 1};

    atomic_fetch_add(&caller->soak->tally.unanswered, 1);
    if (random_below(&caller->random, 2))
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static void add_write(const struct caller *caller, const struct slot *slot, uint64_t version,
                      struct text *out)
{
    auto_version_request struct version_request request = {0};

    version_request(caller->soak, version, NULL, &request);
    text_appendf(out, "PUT /snapshots/%s HTTP/1.1\r\n" HEAD "%s\r\nContent-Length: %zu\r\n\r\n",
                 slot->id, text_str(&request.type), request.body.len);
    text_append(out, request.body.data, request.body.len);
}

void rude_write(struct caller *caller)
{
    struct slot *slot = model_take(caller->soak, &caller->random);
    uint64_t version = random_next(&caller->random) | 1;
    auto_text struct text request = {0};
    int fd = slot ? caller_connect(caller) : -1;

    if (!slot)
        return;
    model_announce(caller->soak, slot, version);
    if (fd >= 0) {
        add_write(caller, slot, version, &request);
        raw_send(fd, request.data, request.len);
        pause_ms(random_below(&caller->random, 3));
        hang_up(caller, fd);
    }
    model_abandon(caller->soak, slot);
}

/* A write of which the end never comes: it must not be carried out, so nobody need know of it. */
static void vanish_in_a_request(struct caller *caller, int fd)
{
    const struct slot *slot = &caller->soak->slots[random_below(&caller->random, SLOTS)];
    auto_text struct text request = {0};

    add_write(caller, slot, random_next(&caller->random) | 1, &request);
    raw_send(fd, request.data, random_below(&caller->random, (unsigned)request.len));
    if (random_below(&caller->random, 4) == 0)
        pause_ms(random_below(&caller->random, 1000));
    hang_up(caller, fd);
}

static void vanish_in_an_answer(struct caller *caller, int fd)
{
    static const char *const paths[] = {"/openapi.yaml", "/snapshots?limit=1000",
                                        "/snapshots/slot-001/state", "/snapshots/slot-002/state"};
    char some[512];
    struct path request =
        path_of("GET %s HTTP/1.1\r\n" HEAD "\r\n", paths[random_below(&caller->random, 4)]);

    raw_sends(fd, request.text);
    recv(fd, some, 1 + random_below(&caller->random, sizeof some), 0);
    hang_up(caller, fd);
}

/* Asks and asks, and takes no answer. */
static void never_read(struct caller *caller, int fd)
{
    caller_wait_at_most(fd, SHORT_MS);
    for (int i = 0; i < 200; i++)
        raw_sends(fd, "GET /openapi.yaml HTTP/1.1\r\n" READER_HEAD "\r\n");
    pause_ms(random_below(&caller->random, 1000));
    hang_up(caller, fd);
}

/* The status line of the first answer; 0 if none came. */
static long read_status(int fd, struct text *answer)
{
    raw_drain(fd, answer);
    return answer->len > 12 && strncmp(answer->data, "HTTP/1.1 ", 9) == 0
        ? strtol(answer->data + 9, NULL, 10)
        : 0;
}

static void speak_slowly(struct caller *caller, int fd)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\nConnection: close\r\n" HEAD "\r\n";
    auto_text struct text answer = {0};

    for (const char *at = request; *at; at++) {
        raw_send(fd, at, 1);
        pause_ms(random_below(&caller->random, 5));
    }
    long status = read_status(fd, &answer);
    caller_count(caller, status, request, text_str(&answer));
    if (status != 200 && status != 429 && !atomic_load(&caller->soak->life.is_ending))
        soak_fail(caller->soak, "byte by byte: %s", text_str(&answer));
    close(fd);
}

static void send_noise(struct caller *caller, int fd)
{
    uint64_t noise[64];
    auto_text struct text answer = {0};

    caller_wait_at_most(fd, SHORT_MS);
    for (size_t i = 0; i < 64; i++)
        noise[i] = random_next(&caller->random);
    raw_send(fd, noise, 1 + random_below(&caller->random, sizeof noise));
    caller_count(caller, read_status(fd, &answer), "noise", text_str(&answer));
    close(fd);
}

/* Requests that two servers could read differently, and other protocols: each is refused, once, and
 * the connection closed. */
static void send_an_ambiguity(struct caller *caller, int fd)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    static const char *const requests[] = {
        "POST /snapshots HTTP/1.1\r\n" HEAD "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
        "POST /snapshots HTTP/1.1\r\n" HEAD
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST /snapshots HTTP/1.1\r\n" HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "GET /snapshots HTTP/1.1\r\n" HEAD "Host: elsewhere\r\n\r\n",
        "GET /snapshots HTTP/1.1\r\n\r\n",
        "POST /snapshots HTTP/1.1\r\n" HEAD JSON_BODY
        "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        hello,
        "\r\n\r\n\r\n",
    };
    const unsigned count = sizeof requests / sizeof requests[0];
    const char *request = requests[random_below(&caller->random, count)];
    auto_text struct text answer = {0};

    caller_wait_at_most(fd, SHORT_MS);
    if (request == hello)
        raw_send(fd, hello, sizeof hello);
    else
        raw_sends(fd, request);
    long status = read_status(fd, &answer);
    caller_count(caller, status, request, text_str(&answer));
    if (status / 100 == 2 || status / 100 == 3)
        soak_fail(caller->soak, "%s was answered %s", request, text_str(&answer));
    close(fd);
}

/* Keeps a connection that says nothing, or only begins to. */
static void idle(struct caller *caller, int fd)
{
    int *place = &caller->idle[random_below(&caller->random, IDLE_MAX)];

    close_p(place);
    *place = fd;
    if (random_below(&caller->random, 2))
        raw_sends(fd, "GET /heal");
}

void rude_act(struct caller *caller)
{
    static void (*const ways[])(struct caller * caller, int fd) = {
        vanish_in_a_request, vanish_in_an_answer, never_read, speak_slowly,
        send_noise, send_an_ambiguity, idle};
    unsigned way = random_below(&caller->random, sizeof ways / sizeof ways[0]);
    int fd = caller_connect(caller);

    if (fd >= 0)
        ways[way](caller, fd);
}
