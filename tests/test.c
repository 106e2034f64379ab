#include "tests/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "service/file.h"
#include "tests/record.h"

static void start(struct test *test)
{
    struct error err;
    struct listeners listeners = {0};

    test->settings.http.auth = auth_open(&test->auth, &err);
    must(test->settings.http.auth, err.message);
    must(listen_open(&listeners, "127.0.0.1:0", NULL, &err), err.message);
    snprintf(test->url, sizeof test->url, "%s", listeners.items[0].address);
    test->server = server_start(test->fixture.service, &test->settings, &listeners, &err);
    must(test->server, err.message);
    record_base_path(test->settings.http.base_path);
}

int test_setup(void **state)
{
    struct test *test = calloc(1, sizeof *test);

    if (!test || curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        abort();
    fixture_make(&test->fixture, NULL);
    test->fixture.settings.state_max_bytes = (uint64_t)8 << 20;
    test->settings = (struct server_settings){
        .event_threads = 2,
        .connections_max = 1024,
        .http.head_max = 5120,
        .head_timeout_s = 10,
        .body_timeout_s = 10,
        .idle_timeout_s = 60,
    };
    fixture_open(&test->fixture);
    start(test);
    *state = test;
    return 0;
}

int test_teardown(void **state)
{
    struct test *test = *state;

    test_stop(test);
    fixture_remove(&test->fixture);
    free(test);
    curl_global_cleanup();
    return 0;
}

void test_stop(struct test *test)
{
    if (test->server) {
        server_drain(test->server);
        poll(&(struct pollfd){.fd = server_quiet_fd(test->server), .events = POLLIN}, 1, 30000);
    }
    server_stop(TAKE(test->server));
    auth_close(TAKE(test->settings.http.auth));
    fixture_close(&test->fixture);
}

void test_restart(struct test *test)
{
    test_stop(test);
    fixture_open(&test->fixture);
    start(test);
}

struct path test_memory(struct test *test, const char *name, size_t size, char byte)
{
    struct path path = path_of("%s/%s", test->fixture.root.text, name);

    disk_write(path.text, size, byte);
    return path;
}

void test_write(const char *path, const void *data, size_t len)
{
    struct error err = {0};
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);

    must(fd >= 0 && file_write_all(fd, data, len, path, &err), path);
}

struct timespec test_later(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += 10;
    return now;
}

void answer_clear(struct answer *answer)
{
    json_decref(answer->json);
    text_clear(&answer->head);
    text_clear(&answer->body);
    *answer = (struct answer){0};
}

static size_t take(char *data, size_t size, size_t count, void *text)
{
    return text_append(text, data, size * count) ? size * count : 0;
}

/* What is left of a body that is sent piece by piece. */
struct rest {
    const char *at;
    size_t len;
};

static size_t give(char *buffer, size_t size, size_t count, void *context)
{
    struct rest *rest = context;
    size_t len = rest->len < size * count ? rest->len : size * count;

    if (len > 1000)
        len = 1000; /* odd pieces: the server must not depend on how they are cut */
    memcpy(buffer, rest->at, len);
    rest->at += len;
    rest->len -= len;
    return len;
}

static size_t body_len(const struct call *call)
{
    return !call->body ? 0 : call->body_len ? call->body_len
                                            : strlen(call->body);
}

static void add_body(CURL *curl, const struct call *call, struct rest *rest)
{
    if (!call->body)
        return;
    *rest = (struct rest){call->body, body_len(call)};
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    if (call->chunked) {
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(curl, CURLOPT_READDATA, rest);
        return;
    }
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)rest->len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, rest->at);
}

/* The head of the request, as it goes out. */
static int note_head(CURL *curl, curl_infotype kind, char *data, size_t size, void *text)
{
    (void)curl;
    must(kind != CURLINFO_HEADER_OUT || text_append(text, data, size), "memory");
    return 0;
}

static struct curl_slist *list_headers(const struct call *call)
{
    struct curl_slist *list = NULL;
    bool expects = false;

    for (size_t i = 0; i < 8 && call->headers[i]; i++) {
        list = curl_slist_append(list, call->headers[i]);
        expects = expects || strncasecmp(call->headers[i], "Expect:", 7) == 0;
    }
    if (!expects)
        list = curl_slist_append(list, "Expect:"); /* curl would send one with large bodies */
    return call->chunked ? curl_slist_append(list, "Transfer-Encoding: chunked") : list;
}

static void record(struct text *sent, const struct call *call, const struct answer *answer)
{
    auto_text struct text received = {0};

    must(text_append(sent, call->body, body_len(call))
             && text_append(&received, answer->head.data, answer->head.len)
             && text_append(&received, answer->body.data, answer->body.len),
         "memory");
    record_exchange(sent, &received);
}

CURLcode test_perform(CURL *curl, const char *server, const struct call *call, struct answer *out)
{
    struct rest rest;
    auto_text struct text url = {0};
    auto_text struct text sent = {0};
    struct curl_slist *headers = list_headers(call);

    must(text_appendf(&url, "%s%s", server, call->path), "memory");
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, note_head);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, &sent);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &out->head);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out->body);
    add_body(curl, call, &rest);
    if (call->method && strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (call->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
    if (code == CURLE_OK)
        record(&sent, call, out);
    if (out->body.len > 0)
        out->json = json_loadb(out->body.data, out->body.len, JSON_ALLOW_NUL, NULL);
    return code;
}

void test_call(struct test *test, const struct call *call, struct answer *out)
{
    CURL *curl = curl_easy_init();

    must(curl, "curl");
    CURLcode code = test_perform(curl, test->url, call, out);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        fail_msg("%s: %s", call->path, curl_easy_strerror(code));
}

void test_send(struct test *test, const char *method, const char *path, struct answer *out,
               const char *fmt, ...)
{
    auto_free char *body = NULL;
    va_list args;

    va_start(args, fmt);
    must(vasprintf(&body, fmt, args) >= 0, "memory");
    va_end(args);
    test_call(test,
              &(struct call){.method = method,
                             .path = path,
                             .headers = {"Content-Type: application/json"},
                             .body = body},
              out);
}

void test_get(struct test *test, const char *path, struct answer *out)
{
    test_call(test, &(struct call){.path = path}, out);
}

double test_series(struct test *test, const char *series)
{
    auto_answer struct answer answer = {0};
    auto_text struct text begin = {0};

    test_get(test, "/metrics", &answer);
    assert_int_equal(answer.status, 200);
    must(text_appendf(&begin, "\n%s ", series), "memory");
    const char *line = strstr(answer.body.data, begin.data);
    return line ? strtod(line + begin.len, NULL) : -1;
}

void test_create(struct test *test, const char *id, const struct path *memory, unsigned vp_count)
{
    auto_answer struct answer answer = {0};

    test_send(test, "POST", "/snapshots", &answer,
              "{\"id\":\"%s\",\"memory_file_path\":\"%s\",\"openvmm_version\":\"0.0.0\","
              "\"vp_count\":%u,\"architecture\":\"x86_64\"}",
              id, memory->text, vp_count);
    if (answer.status != 201)
        fail_msg("%s", text_str(&answer.body));
}

const char *answer_header(const struct answer *answer, const char *name)
{
    static _Thread_local char value[1024];
    size_t len = strlen(name);

    for (const char *line = text_str(&answer->head); line; line = strstr(line, "\r\n")) {
        line += strspn(line, "\r\n");
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            line += strspn(line, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
            return value;
        }
    }
    return NULL;
}

json_t *answer_at(const struct answer *answer, const char *path)
{
    json_t *value = answer->json;
    char name[64];

    for (const char *at = path; value && *at; at += *at == '.') {
        size_t len = strcspn(at, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, at);
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
        at += len;
    }
    if (!value)
        fail_msg("no %s in %s", path, text_str(&answer->body));
    return value;
}

const char *answer_string(const struct answer *answer, const char *path)
{
    const char *string = json_string_value(answer_at(answer, path));

    if (!string)
        fail_msg("%s is no string in %s", path, text_str(&answer->body));
    return string;
}

void assert_problem(const struct answer *answer, long status, const char *code)
{
    char type[64];

    if (answer->status != status)
        fail_msg("%ld, not %ld: %s", answer->status, status, text_str(&answer->body));
    assert_string_equal(answer_header(answer, "Content-Type"), "application/problem+json");
    assert_string_equal(answer_string(answer, "code"), code);
    snprintf(type, sizeof type, "urn:vmsnapd:problem:%s", code);
    assert_string_equal(answer_string(answer, "type"), type);
    assert_int_equal(json_integer_value(answer_at(answer, "status")), status);
    assert_string_not_equal(answer_string(answer, "title"), "");
    assert_string_not_equal(answer_string(answer, "detail"), "");
    assert_string_equal(answer_string(answer, "request_id"),
                        answer_header(answer, "X-Request-Id"));
}

void assert_blames(const struct answer *answer, const char *where)
{
    json_t *errors = answer_at(answer, "errors");
    bool is_query = *where == '?';

    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *error = json_array_get(errors, i);
        const char *found =
            json_string_value(json_object_get(error, is_query ? "parameter" : "pointer"));
        if (found && strcmp(found, where + is_query) == 0)
            return;
    }
    fail_msg("%s is not blamed: %s", where, text_str(&answer->body));
}

/* -1 if nobody listens. */
static int raw_connect(const void *address, size_t len)
{
    const struct sockaddr *generic = address;
    auto_fd int fd = socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0, "socket");
    if (connect(fd, generic, (socklen_t)len) != 0)
        return -1;
    record_begin(fd);
    return TAKE_FD(fd);
}

int raw_try(const struct test *test)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(strrchr(test->url, ':') + 1, NULL, 10));
    return raw_connect(&address, sizeof address);
}

int raw_open(struct test *test)
{
    int fd = raw_try(test);

    must(fd >= 0, "connect");
    return fd;
}

int raw_open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    must(strlen(path) < sizeof address.sun_path, path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = raw_connect(&address, sizeof address);
    must(fd >= 0, path);
    return fd;
}

void raw_send(int fd, const void *data, size_t len)
{
    const char *at = data;

    record_sent(fd, data, len);
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0)
            return; /* closed already: what came before that is what counts */
        at += sent;
        len -= (size_t)sent;
    }
}

void raw_sends(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

void raw_take(int fd, void *buffer, size_t len)
{
    must(recv(fd, buffer, len, MSG_WAITALL) == (ssize_t)len, "an answer");
    record_received(fd, buffer, len);
}

void raw_drain(int fd, struct text *out)
{
    char buffer[4096];
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        must(text_append(out, buffer, (size_t)got), "memory");
        record_received(fd, buffer, (size_t)got);
    }
    record_end(fd);
}

void raw_exchange(struct test *test, const char *request, struct text *out)
{
    auto_fd int fd = raw_open(test);

    raw_sends(fd, request);
    raw_drain(fd, out);
}
