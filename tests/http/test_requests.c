/* What holds for every resource: methods, request ids, and requests that are refused at the
 * gate. */
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    static const struct {
        const char *method, *path, *allow;
    } wrong[] = {
        {"PATCH",  "/snapshots",            "GET, HEAD, POST, OPTIONS"              },
        {"POST",   "/snapshots/a",          "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"},
        {"PUT",    "/snapshots/a/manifest", "GET, HEAD, OPTIONS"                    },
        {"GET",    "/snapshots/a/validate", "POST, OPTIONS"                         },
        {"DELETE", "/healthz",              "GET, HEAD, OPTIONS"                    },
        {"BREW",   "/openapi.yaml",         "GET, HEAD, OPTIONS"                    },
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        auto_answer struct answer refused = {0};
        auto_answer struct answer told = {0};
        test_call(*state, &(struct call){.method = wrong[i].method, .path = wrong[i].path},
                  &refused);
        assert_problem(&refused, 405, "method_not_allowed");
        assert_string_equal(answer_header(&refused, "Allow"), wrong[i].allow);
        test_call(*state, &(struct call){.method = "OPTIONS", .path = wrong[i].path}, &told);
        assert_int_equal(told.status, 204);
        assert_string_equal(answer_header(&told, "Allow"), wrong[i].allow);
    }
}

static void paths_that_are_none_are_not_found(void **state)
{
    static const char *const paths[] = {"/", "/snapshot", "/snapshots/", "//snapshots",
                                        "/snapshots/a/b", "/snapshots/a/manifest/",
                                        "/SNAPSHOTS"};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        auto_answer struct answer answer = {0};
        test_get(*state, paths[i], &answer);
        assert_problem(&answer, 404, "not_found");
    }
}

static void head_tells_what_get_would_send(void **state)
{
    static const char *const paths[] = {
        "/healthz", "/openapi.yaml", "/snapshots", "/snapshots/a",
        "/snapshots/a/manifest", "/snapshots/a/state/units", "/snapshots/none"};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    test_create(test, "a", &memory, 2);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        auto_answer struct answer get = {0};
        auto_answer struct answer head = {0};
        test_get(test, paths[i], &get);
        test_call(test, &(struct call){.method = "HEAD", .path = paths[i]}, &head);
        assert_int_equal(head.status, get.status);
        assert_int_equal(head.body.len, 0);
        assert_string_equal(answer_header(&head, "Content-Length"),
                            path_of("%zu", get.body.len).text);
    }
}

static void parameters_that_a_route_does_not_take_are_refused(void **state)
{
    static const struct {
        const char *method, *path, *body;
    } calls[] = {
        {"GET",    "/snapshots?x=1",               NULL              },
        {"POST",   "/snapshots?x=1",               "{}"              },
        {"GET",    "/snapshots/a?x=1",             NULL              },
        {"PUT",    "/snapshots/a?x=1",             "{}"              },
        {"DELETE", "/snapshots/a?x=1",             NULL              },
        {"GET",    "/snapshots/a/manifest?x=1",    NULL              },
        {"POST",   "/snapshots/a/validate?x=1",    "{\"vp_count\":2}"},
        {"GET",    "/snapshots/a/state?x=1",       NULL              },
        {"GET",    "/snapshots/a/state/units?x=1", NULL              },
        {"GET",    "/healthz?x=1",                 NULL              },
        {"GET",    "/openapi.yaml?x=1",            NULL              },
        {"GET",    "/snapshots/a?x&include=live",  NULL              },
        {"GET",    "/snapshots/a?%78=%00",         NULL              },
    };
    static const char *const repeated[] = {"include=live&include=live", "include=&include"};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    test_create(test, "a", &memory, 2);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        auto_answer struct answer answer = {0};
        test_call(test,
                  &(struct call){.method = calls[i].method,
                                 .path = calls[i].path,
                                 .headers = {JSON_BODY},
                                 .body = calls[i].body},
                  &answer);
        assert_problem(&answer, 422, "invalid_argument");
        assert_blames(&answer, "?x");
    }
    for (size_t i = 0; i < 2; i++) {
        auto_answer struct answer answer = {0};
        test_get(test, path_of("/snapshots/a?%s", repeated[i]).text, &answer);
        assert_problem(&answer, 422, "invalid_argument");
        assert_blames(&answer, "?include");
    }
}

/* Not one byte of a body is ever sent, nor asked for. */
static void what_is_wrong_with_a_head_is_told_before_the_body_is_read(void **state)
{
    /* clang-format off */
    static const struct {
        const char *status, *line, *headers;
    } heads[] = {
        {"404", "POST /none",                 "Content-Type: application/json\r\nContent-Length: 10\r\n"},
        {"405", "PATCH /snapshots",           "Content-Type: application/json\r\nContent-Length: 10\r\n"},
        {"413", "POST /snapshots/a/validate", "Content-Type: application/json\r\nContent-Length: 65537\r\n"},
        {"413", "PUT /snapshots/a",           "Content-Type: application/json\r\nContent-Length: 1048577\r\n"},
        {"413", "POST /snapshots",            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999\r\n"},
        {"413", "DELETE /snapshots/a",        "Content-Length: 1\r\n"},
        {"415", "POST /snapshots",            "Content-Length: 10\r\n"},
        {"415", "POST /snapshots/a/validate", "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 10\r\n"},
        {"400", "POST /snapshots",            "Content-Type: multipart/form-data\r\nContent-Length: 10\r\n"},
        {"204", "OPTIONS /snapshots",         "Content-Length: 10\r\n"},
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        auto_text struct text request = {0};
        auto_text struct text answer = {0};
        text_appendf(&request,
                     "%s HTTP/1.1\r\nHost: localhost\r\n%sExpect: 100-continue\r\n\r\n",
                     heads[i].line, heads[i].headers);
        raw_exchange(*state, request.data, &answer);
        if (strncmp(text_str(&answer), "HTTP/1.1 ", 9) != 0
            || strncmp(answer.data + 9, heads[i].status, 3) != 0)
            fail_msg("%s: %s", heads[i].line, text_str(&answer));
        assert_non_null(strcasestr(answer.data, "Connection: close"));
    }
}

static void the_contract_and_health_are_served(void **state)
{
    auto_answer struct answer health = {0};
    auto_answer struct answer contract = {0};

    test_get(*state, "/healthz", &health);
    assert_string_equal(answer_string(&health, "status"), "ok");
    test_get(*state, "/openapi.yaml", &contract);
    assert_string_equal(answer_header(&contract, "Content-Type"), "application/yaml");
    assert_memory_equal(contract.body.data, "openapi: 3.1", 12);
}

static void a_safe_request_id_is_taken_over_and_another_is_replaced(void **state)
{
    static const char *const unsafe[] = {
        "X-Request-Id: a b", "X-Request-Id: <script>",
        "X-Request-Id: 01234567890123456789012345678901234567890123456789012345678901234"};
    auto_answer struct answer safe = {0};

    test_call(*state, &(struct call){.path = "/none", .headers = {"X-Request-Id: job-7.a_B"}},
              &safe);
    assert_problem(&safe, 404, "not_found");
    assert_string_equal(answer_header(&safe, "X-Request-Id"), "job-7.a_B");
    for (size_t i = 0; i < 3; i++) {
        auto_answer struct answer answer = {0};
        test_call(*state, &(struct call){.path = "/none", .headers = {unsafe[i]}}, &answer);
        assert_problem(&answer, 404, "not_found");
        assert_null(strstr(unsafe[i], answer_header(&answer, "X-Request-Id")));
    }
}

static void options_of_an_asterisk_tells_what_there_is(void **state)
{
    auto_text struct text answer = {0};

    raw_exchange(*state, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                 &answer);
    assert_memory_equal(answer.data, "HTTP/1.1 204 ", 13);
    assert_non_null(strstr(answer.data, "Allow: "));
}

static void a_name_that_is_not_ours_is_misdirected(void **state)
{
    static const char *const ours[] = {"localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080",
                                       "[::1]", "192.0.2.1"};
    static const char *const others[] = {"example.com", "localhost.example.com", "localhost.", "",
                                         "127.0.0.1.example.com:80", "127.1"};

    for (size_t i = 0; i < 6; i++) {
        auto_answer struct answer good = {0};
        auto_answer struct answer bad = {0};
        test_call(*state,
                  &(struct call){.path = "/healthz",
                                 .headers = {path_of("Host: %s", ours[i]).text}},
                  &good);
        assert_int_equal(good.status, 200);
        if (!*others[i])
            continue;
        test_call(*state,
                  &(struct call){.path = "/healthz",
                                 .headers = {path_of("Host: %s", others[i]).text}},
                  &bad);
        assert_problem(&bad, 421, "misdirected_request");
    }
}

/* GET /healthz with a head of so many bytes. */
static void send_head(struct test *test, size_t len, struct text *answer)
{
    static const char start[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                "X-Filler: ";
    auto_text struct text head = {0};

    text_appends(&head, start);
    while (head.len < len - 4)
        text_append(&head, "c", 1);
    text_appends(&head, "\r\n\r\n");
    raw_exchange(test, head.data, answer);
}

static void a_head_may_be_just_so_long(void **state)
{
    struct test *test = *state;
    const size_t most = test->settings.http.head_max;
    auto_text struct text fits = {0};
    auto_text struct text longer = {0};
    auto_text struct text far_longer = {0};

    send_head(test, most, &fits);
    assert_memory_equal(fits.data, "HTTP/1.1 200 ", 13);
    send_head(test, most + 1, &longer);
    assert_memory_equal(longer.data, "HTTP/1.1 431 ", 13);
    assert_non_null(strstr(longer.data, "\"code\":\"head_too_large\""));
    send_head(test, 3 * most, &far_longer); /* the library's own refusal */
    assert_memory_equal(far_longer.data, "HTTP/1.1 431 ", 13);
}

static void a_name_that_was_given_to_it_is_its_own(void **state)
{
    static char *names[] = {"vms.example"};
    struct test *test = *state;
    auto_answer struct answer good = {0};
    auto_answer struct answer bad = {0};

    test->settings.http.hosts = names;
    test->settings.http.host_count = 1;
    test_restart(test);
    test_call(test, &(struct call){.path = "/healthz", .headers = {"Host: VMS.example:80"}}, &good);
    assert_int_equal(good.status, 200);
    test_call(test, &(struct call){.path = "/healthz", .headers = {"Host: www.vms.example"}}, &bad);
    assert_problem(&bad, 421, "misdirected_request");
}

/* What the library answers by itself is HTML, and said to be so in openapi.yaml. */
static void a_head_that_is_too_large_is_refused(void **state)
{
    auto_text struct text request = {0};
    auto_text struct text answer = {0};

    text_appends(&request, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ");
    for (int i = 0; i < 65536; i++)
        text_appends(&request, "x");
    text_appends(&request, "\r\n\r\n");
    raw_exchange(*state, request.data, &answer);
    if (answer.len > 0) /* it may be cut off before it could read the answer */
        assert_memory_equal(answer.data, "HTTP/1.1 431 ", 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_wrong_method_is_told_the_right_ones),
        WITH_SERVER(paths_that_are_none_are_not_found),
        WITH_SERVER(head_tells_what_get_would_send),
        WITH_SERVER(parameters_that_a_route_does_not_take_are_refused),
        WITH_SERVER(what_is_wrong_with_a_head_is_told_before_the_body_is_read),
        WITH_SERVER(the_contract_and_health_are_served),
        WITH_SERVER(a_safe_request_id_is_taken_over_and_another_is_replaced),
        WITH_SERVER(options_of_an_asterisk_tells_what_there_is),
        WITH_SERVER(a_name_that_is_not_ours_is_misdirected),
        WITH_SERVER(a_head_may_be_just_so_long),
        WITH_SERVER(a_name_that_was_given_to_it_is_its_own),
        WITH_SERVER(a_head_that_is_too_large_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
