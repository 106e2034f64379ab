/* GET /events: an answer that lasts, over sockets that are read, not read, and left. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/digest.h"
#include "tests/program.h"
#include "tests/record.h"

#define FOLLOW "GET /events HTTP/1.1\r\nHost: localhost\r\n"

#define BEAT_MS 300

/* A stream that is open, and what came of it. */
struct stream {
    int fd;
    struct text text;
    size_t at; /* of the text, what was looked at */
};

/* Nobody waits for ever for what does not come. */
static void limit_wait(int fd)
{
    const struct timeval patience = {.tv_sec = 60};

    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0, "setsockopt");
}

static void stream_open(struct test *test, struct stream *stream, const char *request)
{
    *stream = (struct stream){.fd = raw_open(test)};
    limit_wait(stream->fd);
    raw_sends(stream->fd, request);
}

static void stream_close(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    record_end(stream->fd);
    close(TAKE_FD(stream->fd));
    text_clear(&stream->text);
}

static void stream_close_p(struct stream *stream)
{
    stream_close(stream);
}
#define auto_stream AUTO(stream_close)

/* False if the other side closed. */
static bool read_more(struct stream *stream)
{
    char buffer[4096];
    ssize_t got = recv(stream->fd, buffer, sizeof buffer, 0);

    if (got <= 0)
        return false;
    record_received(stream->fd, buffer, (size_t)got);
    must(text_append(&stream->text, buffer, (size_t)got), "memory");
    return true;
}

/* Until this stands behind what was looked at before. */
static void expect(struct stream *stream, const char *what)
{
    const char *found;

    while (!(found = strstr(text_str(&stream->text) + stream->at, what)))
        if (!read_more(stream))
            fail_msg("no \"%s\" in \"%s\"", what, text_str(&stream->text));
    stream->at = (size_t)(found - stream->text.data) + strlen(what);
}

static void expect_end(struct stream *stream)
{
    while (read_more(stream))
        continue;
}

static void open_quietly(struct test *test, struct stream *stream)
{
    stream_open(test, stream, FOLLOW "\r\n");
    expect(stream, "\r\nid: ");
    expect(stream, "\n\n");
}

static struct event_hub *hub_of(const struct test *test)
{
    return test->fixture.service->events;
}

/* The id of the event that is so many after the latest. */
static struct path id_of(const struct test *test, uint64_t ahead)
{
    const struct event_position now = fixture_now(&test->fixture);

    return path_of("%016" PRIx64 "-%" PRIu64, now.epoch, now.number + ahead);
}

/* Until a block of this id begins. */
static void expect_id(struct stream *stream, const struct path *id)
{
    expect(stream, path_of("id: %s\n", id->text).text);
}

static uint64_t measure(const struct test *test, enum metric metric)
{
    uint64_t value = UINT64_MAX;

    assert_true(metrics_read(test->fixture.service->metrics, metric, 0, &value));
    return value;
}

/* The value of the last `id:` that came. */
static struct path last_id(const struct stream *stream)
{
    const char *found = "";

    for (const char *at = text_str(&stream->text); (at = strstr(at, "\nid: ")); at++)
        found = at + strlen("\nid: ");
    must(*found, "an id");
    return path_of("%.*s", (int)strcspn(found, "\n"), found);
}

static void a_stream_begins_with_a_position_and_tells_what_happens(void **state)
{
    auto_stream struct stream stream = {-1};
    const struct path ids[] = {id_of(*state, 0), id_of(*state, 1), id_of(*state, 2)};

    stream_open(*state, &stream, FOLLOW "Accept: text/event-stream\r\n\r\n");
    expect(&stream, "HTTP/1.1 200 OK\r\n");
    expect(&stream, "\r\nContent-Type: text/event-stream\r\n");
    expect(&stream, "Cache-Control: no-store\r\n");
    expect(&stream, "X-Accel-Buffering: no\r\n");
    expect(&stream, "\r\n\r\n");
    expect_id(&stream, &ids[0]);
    event_publish(hub_of(*state), EVENT_CREATED, "web-42");
    expect(&stream, "\nevent: created\n");
    expect_id(&stream, &ids[1]);
    expect(&stream, "data: {\"id\":\"web-42\",\"at\":\"20");
    expect(&stream, "Z\"}\n\n");
    event_publish(hub_of(*state), EVENT_DELETED, "web-42");
    expect(&stream, "event: deleted\n");
    expect_id(&stream, &ids[2]);
}

static void who_comes_back_is_told_what_it_missed(void **state)
{
    struct test *test = *state;
    auto_stream struct stream first = {-1};
    auto_stream struct stream second = {-1};

    open_quietly(test, &first);
    event_publish(hub_of(test), EVENT_CREATED, "seen");
    expect(&first, "\"seen\"");
    struct path seen = last_id(&first);
    stream_close(&first);
    event_publish(hub_of(test), EVENT_UPDATED, "missed");
    event_publish(hub_of(test), EVENT_DAMAGED, "missed-too");
    stream_open(test, &second, path_of(FOLLOW "Last-Event-ID: %s\r\n\r\n", seen.text).text);
    expect(&second, "event: updated\nid: ");
    expect(&second, "\"missed\"");
    expect(&second, "event: damaged\nid: ");
    assert_null(strstr(second.text.data, "\"seen\""));
    assert_null(strstr(second.text.data, "reset"));
}

static void who_was_away_for_too_long_is_told_so(void **state)
{
    const struct path ids[] = {id_of(*state, 4), id_of(*state, 1000000),
                               path_of("%016x-%d", 0, 9000), path_of("last week")};

    for (size_t i = 0; i < EVENT_HISTORY + 5; i++)
        event_publish(hub_of(*state), EVENT_UPDATED, "x");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        auto_stream struct stream stream = {-1};
        struct path now = id_of(*state, 0);
        stream_open(*state, &stream,
                    path_of(FOLLOW "Last-Event-ID: %s\r\n\r\n", ids[i].text).text);
        expect(&stream, "\nevent: reset\n");
        expect_id(&stream, &now);
        expect(&stream, "data: {}\n\n");
        event_publish(hub_of(*state), EVENT_CREATED, "new");
        expect(&stream, "\"new\"");
        assert_null(strstr(stream.text.data, "updated"));
    }
}

static void an_empty_last_event_id_is_none(void **state)
{
    auto_stream struct stream stream = {-1};
    struct path now = id_of(*state, 0);

    stream_open(*state, &stream, FOLLOW "Last-Event-ID: \r\n\r\n");
    expect_id(&stream, &now);
    assert_null(strstr(stream.text.data, "reset"));
}

static void ask(struct test *test, const char *method, const char *path, const char *body)
{
    const struct call call = {.method = method,
                              .path = path,
                              .body = body,
                              .headers = {"Content-Type: application/json"}};
    auto_answer struct answer answer = {0};

    test_call(test, &call, &answer);
    assert_in_range(answer.status, 200, 299);
}

static void every_change_is_told_once_and_in_order(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path creation =
        path_of("{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}", memory.text);
    struct event_position since = fixture_now(&test->fixture);
    auto_text struct text told = {0};

    for (int i = 0; i < 2; i++) {
        ask(test, "PUT", "/snapshots/a", creation.text);
        ask(test, "PUT", "/snapshots/b", creation.text);
        ask(test, "PATCH", "/snapshots/a", "{\"held\":true}");
        ask(test, "PATCH", "/snapshots/a", "{\"held\":true}"); /* changes nothing */
        ask(test, "GET", "/snapshots/a", NULL);
        ask(test, "PATCH", "/snapshots/a", "{\"held\":false}");
        ask(test, "DELETE", "/snapshots/a", NULL);
        ask(test, "DELETE", "/snapshots/b", NULL);
    }
    fixture_told(&test->fixture, &since, &told);
    static const char once[] = "created a, created b, updated a, updated a, deleted a, deleted b, ";
    assert_string_equal(text_str(&told), path_of("%s%s", once, once).text);
}

/* As if by another process that takes no time to do so: it is never incomplete. */
static void save(const struct test *test, const char *id)
{
    struct path aside = path_of("%s/aside", test->fixture.home.text);

    openvmm_save(aside.text, 4096, 'x', 1);
    must(rename(aside.text, fixture_snapshot(&test->fixture, id, "").text) == 0, id);
}

static void what_openvmm_saves_by_itself_is_told_when_it_is_seen(void **state)
{
    struct test *test = *state;
    struct event_position since = fixture_now(&test->fixture);

    save(test, "its-own");
    fixture_await_told(&test->fixture, &since, "created its-own, ");
    disk_remove(fixture_snapshot(&test->fixture, "its-own", "memory.bin").text);
    ask(test, "GET", "/snapshots/its-own", NULL);
    ask(test, "GET", "/snapshots/its-own", NULL);
    fixture_await_told(&test->fixture, &since, "created its-own, incomplete its-own, ");
}

static void a_restart_loses_nothing_and_tells_what_changed_meanwhile(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_stream struct stream first = {-1};
    auto_stream struct stream second = {-1};

    open_quietly(test, &first);
    struct path seen = last_id(&first);
    test_create(test, "before", &memory, 1);
    test_stop(test);
    save(test, "meanwhile");
    disk_remove(fixture_snapshot(&test->fixture, "before", "").text);
    test_restart(test);
    stream_open(test, &second, path_of(FOLLOW "Last-Event-ID: %s\r\n\r\n", seen.text).text);
    expect(&second, "event: created\n");
    expect(&second, "\"before\"");
    expect(&second, "\"meanwhile\"");
    assert_non_null(strstr(second.text.data, "event: deleted\n"));
    assert_null(strstr(second.text.data, "reset"));
}

static void head_tells_the_same_and_ends(void **state)
{
    auto_answer struct answer answer = {0};

    test_call(*state, &(struct call){.method = "HEAD", .path = "/events"}, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_header(&answer, "Content-Type"), "text/event-stream");
    assert_null(answer_header(&answer, "Content-Length"));
    assert_int_equal(answer.body.len, 0);
    assert_int_equal(measure(*state, METRIC_EVENT_STREAMS), 0);
}

static void nothing_comes_behind_the_answer_to_head(void **state)
{
    auto_text struct text answer = {0};

    raw_exchange(*state, "HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n", &answer);
    const char *end = strstr(text_str(&answer), "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end, "\r\n\r\n");
}

static void what_is_no_stream_is_refused(void **state)
{
    auto_answer struct answer html = {0};
    auto_answer struct answer posted = {0};
    auto_answer struct answer asked = {0};

    test_call(*state, &(struct call){.path = "/events", .headers = {"Accept: text/html"}}, &html);
    assert_problem(&html, 406, "not_acceptable");
    test_send(*state, "POST", "/events", &posted, "{}");
    assert_problem(&posted, 405, "method_not_allowed");
    test_get(*state, "/events?since=1", &asked);
    assert_problem(&asked, 422, "invalid_argument");
    assert_blames(&asked, "?since");
}

static void a_client_of_http_1_0_follows_too(void **state)
{
    auto_stream struct stream stream = {-1};
    struct path last = id_of(*state, 100);

    stream_open(*state, &stream, "GET /events HTTP/1.0\r\n\r\n");
    expect(&stream, "\r\n\r\nid: ");
    assert_null(strstr(stream.text.data, "chunked"));
    for (int i = 0; i < 100; i++)
        event_publish(hub_of(*state), EVENT_CREATED, "a-snapshot-whose-name-is-rather-long");
    expect_id(&stream, &last);
}

/* What the library has left of its memory is little then. */
static void a_head_as_large_as_it_may_be_leaves_room_for_a_stream(void **state)
{
    struct test *test = *state;
    auto_stream struct stream stream = {-1};
    auto_text struct text request = {0};
    char id[ID_MAX + 1];

    text_appends(&request, FOLLOW "X: ");
    while (request.len < test->settings.http.head_max - 4)
        text_appends(&request, "x");
    text_appends(&request, "\r\n\r\n");
    snprintf(id, sizeof id, "%0*d", ID_MAX, 0);
    stream_open(test, &stream, request.data);
    struct path last = id_of(*state, 100);
    expect(&stream, "\nid: ");
    for (int i = 0; i < 100; i++)
        event_publish(hub_of(*state), EVENT_INCOMPLETE, id);
    expect_id(&stream, &last);
    expect(&stream, id);
    expect(&stream, "}\n\n");
}

static int set_up_impatient(void **state)
{
    test_setup(state);
    struct test *test = *state;
    test->settings.idle_timeout_s = 1;
    test->settings.head_timeout_s = 1;
    test->settings.body_timeout_s = 1;
    test->fixture.settings.event_beat_ms = BEAT_MS;
    test_restart(test);
    return 0;
}

static void silence_outlasts_every_timeout_and_is_filled_with_comments(void **state)
{
    auto_stream struct stream stream = {-1};
    uint64_t begun = clock_monotonic_ns();

    open_quietly(*state, &stream);
    for (int i = 0; i < 8; i++)
        expect(&stream, ":\n\n");
    assert_true(clock_monotonic_ns() - begun >= UINT64_C(8) * BEAT_MS * 1000000);
    event_publish(hub_of(*state), EVENT_CREATED, "late");
    expect(&stream, "\"late\"");
}

static void a_client_that_left_is_noticed(void **state)
{
    struct stream streams[10];

    for (size_t i = 0; i < 10; i++)
        open_quietly(*state, &streams[i]);
    assert_int_equal(measure(*state, METRIC_EVENT_STREAMS), 10);
    for (size_t i = 1; i < 10; i++)
        stream_close(&streams[i]);
    while (measure(*state, METRIC_EVENT_STREAMS) > 1)
        expect(&streams[0], ":\n\n"); /* it is told of silence as often as they are */
    event_publish(hub_of(*state), EVENT_CREATED, "a");
    expect(&streams[0], "created");
    stream_close(&streams[0]);
}

/* One that takes as little as the kernel allows, and reads none of it. */
static void open_unread(struct test *test, struct stream *stream)
{
    const int least = 1;

    *stream = (struct stream){.fd = raw_open(test)};
    limit_wait(stream->fd);
    must(setsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) == 0, "setsockopt");
    raw_sends(stream->fd, FOLLOW "\r\n");
}

#define ROUNDS 50
#define ROUND  1000 /* events */

/* Of the answer that a client did not read: what lies in its socket. */
static size_t count_unread(int fd)
{
    char buffer[4096];
    size_t total = 0;
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0)
        total += (size_t)got;
    return total;
}

static void who_never_reads_is_dropped_and_nobody_else(void **state)
{
    auto_stream struct stream slow = {-1};
    auto_stream struct stream quick = {-1};

    open_unread(*state, &slow);
    open_quietly(*state, &quick);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct path last = id_of(*state, ROUND);
        for (unsigned j = 0; j < ROUND; j++)
            event_publish(hub_of(*state), EVENT_UPDATED, "x");
        expect_id(&quick, &last);
    }
    assert_in_range(count_unread(slow.fd), 1, 262144); /* of some 5 MB */
    assert_int_equal(measure(*state, METRIC_EVENT_STREAMS_DROPPED), 1);
    assert_int_equal(measure(*state, METRIC_EVENT_STREAMS), 1);
}

static void the_end_of_the_service_ends_streams_at_once_even_unread_ones(void **state)
{
    struct test *test = *state;
    struct stream streams[20];
    auto_stream struct stream unread = {-1};

    open_unread(test, &unread);
    for (size_t i = 0; i < 20; i++)
        open_quietly(test, &streams[i]);
    for (int i = 0; i < 5000; i++)
        event_publish(hub_of(test), EVENT_UPDATED, "x");
    uint64_t begun = clock_monotonic_ns();
    test_stop(test);
    assert_in_range((clock_monotonic_ns() - begun) / 1000000, 0, 5000); /* ms; and not 30 s */
    for (size_t i = 0; i < 20; i++) {
        expect_end(&streams[i]);
        expect(&streams[i], "\r\n0\r\n\r\n"); /* whole, as chunks have it */
        stream_close(&streams[i]);
    }
}

static void streams_count_as_connections(void **state)
{
    struct test *test = *state;
    struct stream streams[4];
    auto_answer struct answer answer = {0};

    test->settings.connections_max = 4;
    test_restart(test);
    for (size_t i = 0; i < 4; i++)
        open_quietly(test, &streams[i]);
    test_get(test, "/healthz", &answer);
    assert_problem(&answer, 503, "overloaded");
    for (size_t i = 0; i < 4; i++)
        stream_close(&streams[i]);
}

static void write_token(const char *path, const char *token)
{
    auto_free char *line = NULL;
    char digest[DIGEST_HEX_SIZE];
    struct error err = {0};

    must(digest_of(token, strlen(token), digest, &err), err.message);
    must(asprintf(&line, "ci read %s\n", digest) > 0, "memory");
    test_write(path, line, strlen(line));
}

static void new_tokens_end_streams_and_the_log_has_a_line_of_each(void **state)
{
    struct test *test = *state;
    struct path tokens = path_of("%s/tokens", test->fixture.home.text);
    struct program program = {0};
    auto_stream struct stream stream = {-1};
    auto_text struct text refused = {0};
    char line[512];

    write_token(tokens.text, "vmsnapd_old");
    SERVE(test, &program, "127.0.0.1:0", "--token-file", tokens.text);
    stream_open(test, &stream, FOLLOW "Authorization: Bearer vmsnapd_old\r\n\r\n");
    expect(&stream, "\nid: ");
    write_token(tokens.text, "vmsnapd_new");
    kill(program.pid, SIGHUP);
    expect(&stream, "\r\n0\r\n\r\n");
    program_read_until(&program, "operation=followEvents", line, sizeof line);
    assert_non_null(strstr(line, "status=200"));
    assert_non_null(strstr(line, "who=ci"));
    assert_null(strstr(line, "aborted"));
    raw_exchange(test, FOLLOW "Connection: close\r\nAuthorization: Bearer vmsnapd_old\r\n\r\n",
                 &refused);
    assert_non_null(strstr(refused.data, " 401 "));
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

#define IMPATIENT(name) cmocka_unit_test_setup_teardown(name, set_up_impatient, test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_stream_begins_with_a_position_and_tells_what_happens),
        WITH_SERVER(who_comes_back_is_told_what_it_missed),
        WITH_SERVER(who_was_away_for_too_long_is_told_so),
        WITH_SERVER(an_empty_last_event_id_is_none),
        WITH_SERVER(every_change_is_told_once_and_in_order),
        WITH_SERVER(what_openvmm_saves_by_itself_is_told_when_it_is_seen),
        WITH_SERVER(a_restart_loses_nothing_and_tells_what_changed_meanwhile),
        WITH_SERVER(head_tells_the_same_and_ends),
        WITH_SERVER(nothing_comes_behind_the_answer_to_head),
        WITH_SERVER(what_is_no_stream_is_refused),
        WITH_SERVER(a_client_of_http_1_0_follows_too),
        WITH_SERVER(a_head_as_large_as_it_may_be_leaves_room_for_a_stream),
        IMPATIENT(silence_outlasts_every_timeout_and_is_filled_with_comments),
        IMPATIENT(a_client_that_left_is_noticed),
        WITH_SERVER(who_never_reads_is_dropped_and_nobody_else),
        WITH_SERVER(the_end_of_the_service_ends_streams_at_once_even_unread_ones),
        WITH_SERVER(streams_count_as_connections),
        WITH_PROGRAM(new_tokens_end_streams_and_the_log_has_a_line_of_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
