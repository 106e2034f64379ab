/* A real server on a port of its own, in this process, and clients of it: libcurl, and bare sockets
 * for what curl would not send. What cannot be set up ends the program. Every exchange is recorded
 * (tests/record.h), to be checked against openapi.yaml. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>

#include "api/listen.h"
#include "api/server.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

struct test {
    struct fixture fixture; /* its root is the memory root */
    struct server_settings settings;
    struct auth_settings auth; /* of settings.http.auth, which is opened with the server */
    struct server *server;     /* NULL while it is stopped */
    char url[LISTEN_ADDRESS_SIZE];
};

/* For cmocka: *state is a test whose server is up. */
int test_setup(void **state);
int test_teardown(void **state);

/* Takes server and service down; what they had begun is finished then. */
void test_stop(struct test *test);

/* The same, and starts others on the same store, with what the settings say by now. */
void test_restart(struct test *test);

/* A file "NAME" in the memory root, of `size` bytes that are all `byte`. */
struct path test_memory(struct test *test, const char *name, size_t size, char byte);

/* A file of these bytes, over whatever was there, or in it. */
void test_write(const char *path, const void *data, size_t len);

/* Ten seconds from now: by a clock that says this, files are old enough to be kept in memory. */
struct timespec test_later(void);

struct answer {
    long status;
    struct text head; /* header lines, as they came */
    struct text body;
    json_t *json; /* of the body, if it is JSON */
};
void answer_clear(struct answer *answer);
static inline void answer_clear_p(struct answer *answer)
{
    answer_clear(answer);
}
#define auto_answer AUTO(answer_clear)

struct call {
    const char *method; /* NULL means GET, or POST if there is a body */
    const char *path;   /* sent as it is */
    const char *headers[8];
    const char *body; /* NULL for none */
    size_t body_len;  /* 0 means strlen(body) */
    bool chunked;     /* the body's length is not told beforehand */
};

/* Returns what came; `out` is a zeroed answer. */
void test_call(struct test *test, const struct call *call, struct answer *out);

/* The same over a handle of the caller's, fresh or reset, which keeps its connections; from any
 * thread. Anything but CURLE_OK says why no answer came, or not the whole of it. */
CURLcode test_perform(CURL *curl, const char *server, const struct call *call, struct answer *out);

/* POST or PUT of a JSON document, formatted. */
void test_send(struct test *test, const char *method, const char *path, struct answer *out,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void test_get(struct test *test, const char *path, struct answer *out);

/* The value of a metric's series, "name{labels}", by now; -1 if it is not there. */
double test_series(struct test *test, const char *series);

/* Creates a snapshot by the required members alone, and fails the test if it is not made. */
void test_create(struct test *test, const char *id, const struct path *memory, unsigned vp_count);

/* The value of a header; NULL if it was not sent. Good until the next call. */
const char *answer_header(const struct answer *answer, const char *name);

/* "a.b.0.c" in the JSON; fails the test if it is not there. */
json_t *answer_at(const struct answer *answer, const char *path);
const char *answer_string(const struct answer *answer, const char *path);

/* A problem document of this status and code, whole and in agreement with its headers. */
void assert_problem(const struct answer *answer, long status, const char *code);

/* It also blames this member: "/vp_count", or "?limit" for a query parameter. */
void assert_blames(const struct answer *answer, const char *where);

/* A connection: sends these bytes as they are. raw_try() gives -1 if nobody listens. */
int raw_try(const struct test *test);
int raw_open(struct test *test);
int raw_open_unix(const char *path);
void raw_send(int fd, const void *data, size_t len);
void raw_sends(int fd, const char *text);

/* Waits for just so many bytes of the answer. */
void raw_take(int fd, void *buffer, size_t len);

/* Appends what comes until the other side closes. */
void raw_drain(int fd, struct text *out);

/* One exchange on a connection of its own: the answer's whole text. */
void raw_exchange(struct test *test, const char *request, struct text *out);

/* A row of cmocka's table: a test that has a server to itself. */
#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

#define REQUIRED_MEMBERS "\"openvmm_version\":\"0.0.0\",\"vp_count\":2,\"architecture\":\"x86_64\""
#define JSON_BODY        "Content-Type: application/json"
