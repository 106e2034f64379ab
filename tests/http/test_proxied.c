/* Behind a proxy: what it tells of the client is heeded if it is trusted, and shows in what we
 * answer. */
#include <string.h>

#include "tests/test.h"

/* A server that trusts whoever connects, and has two snapshots, so that a list has two pages. */
static void serve(struct test *test, const char *base_path)
{
    static char *names[] = {"vms.example"};
    struct path memory = test_memory(test, "m", 4096, 7);
    struct error err;

    test->settings.http.hosts = names;
    test->settings.http.host_count = 1;
    test->settings.http.base_path = base_path;
    assert_succeeds(trust_add(&test->settings.http.trust, "127.0.0.0/8", &err));
    test_restart(test);
    test_create(test, "a", &memory, 2);
    test_create(test, "b", &memory, 2);
}

#define PAGE_PATH "/snapshots?limit=1&cursor=…>; rel=\"next\""

/* The Link of a page that was asked for with these headers. */
static void check_link(struct test *test, const char *first, const char *second,
                       const char *expected)
{
    auto_answer struct answer page = {0};

    test_call(test, &(struct call){
                        .path = "/snapshots?limit=1", .headers = {first, second}
    },
              &page);
    assert_int_equal(page.status, 200);
    const char *link = answer_header(&page, "Link");
    const char *next = answer_string(&page, "next");
    const char *cursor = strstr(link, next);
    auto_text struct text shown = {0};
    assert_non_null(cursor);
    text_appendf(&shown, "%.*s…%s", (int)(cursor - link), link, cursor + strlen(next));
    assert_string_equal(text_str(&shown), expected);
}

static void links_are_as_the_client_sees_them(void **state)
{
    struct test *test = *state;

    serve(test, NULL);
    check_link(test, "Host: localhost", NULL, "<http://localhost" PAGE_PATH);
    check_link(test, "X-Forwarded-Proto: https", "X-Forwarded-Host: vms.example:8443",
               "<https://vms.example:8443" PAGE_PATH);
    check_link(test, "Forwarded: proto=https;host=vms.example", "X-Forwarded-Prefix: /a/b",
               "<https://vms.example/a/b" PAGE_PATH);
    check_link(test, "Host: backend.invalid", "X-Forwarded-Host: vms.example",
               "<http://vms.example" PAGE_PATH);
}

static void what_nobody_trusted_says_changes_nothing(void **state)
{
    struct test *test = *state;

    serve(test, NULL);
    test->settings.http.trust = (struct trust){0};
    test_restart(test);
    check_link(test, "X-Forwarded-Host: vms.example", "Host: localhost",
               "<http://localhost" PAGE_PATH);
    check_link(test, "Forwarded: proto=https;host=vms.example", "Host: localhost",
               "<http://localhost" PAGE_PATH);
    check_link(test, "X-Forwarded-Prefix: /a", "Host: localhost", "<http://localhost" PAGE_PATH);
}

static void what_is_malformed_is_not_given_back(void **state)
{
    static const char *const headers[] = {
        "X-Forwarded-Host: vms.example>; rel=\"evil\"",
        "X-Forwarded-Host: vms.example, vms.example",
        "X-Forwarded-Host: vms.example%0d%0aX: y",
        "X-Forwarded-Proto: javascript",
        "X-Forwarded-Prefix: /a>; rel=\"evil\"",
        "X-Forwarded-Prefix: //evil.example",
        "X-Forwarded-Prefix: /..",
        "X-Forwarded-Prefix: /%0d%0aX: y",
        "X-Forwarded-Prefix: https://evil.example",
        "Forwarded: host=\"a>; rel=evil\"",
        "Forwarded: host=vms.example;host=vms.example",
    };
    struct test *test = *state;

    serve(test, NULL);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_link(test, headers[i], "Host: localhost", "<http://localhost" PAGE_PATH);
    check_link(test, "X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /a",
               path_of("<%s" PAGE_PATH, test->url).text);
}

static void a_name_that_is_not_ours_is_refused_whoever_tells_it(void **state)
{
    static const char *const headers[] = {"X-Forwarded-Host: evil.example",
                                          "Forwarded: host=evil.example", "Host: evil.example"};
    struct test *test = *state;

    serve(test, NULL);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        auto_answer struct answer answer = {0};
        test_call(test, &(struct call){.path = "/nowhere", .headers = {headers[i]}}, &answer);
        assert_problem(&answer, 421, "misdirected_request");
    }
}

static void check_location(struct test *test, const char *method, const char *path,
                           const char *header, const char *expected)
{
    auto_answer struct answer made = {0};
    struct path body = path_of("{\"id\":\"c\",\"memory_file_path\":\"%s/m\"," REQUIRED_MEMBERS "}",
                               test->fixture.root.text);
    auto_answer struct answer removed = {0};

    test_call(test,
              &(struct call){
                  .method = method,
                  .path = path,
                  .headers = {JSON_BODY, header},
                  .body = body.text
    },
              &made);
    assert_int_equal(made.status, 201);
    assert_string_equal(answer_header(&made, "Location"), expected);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/c"}, &removed);
    assert_int_equal(removed.status, 204);
}

static void locations_have_the_prefix_that_a_proxy_tells(void **state)
{
    struct test *test = *state;

    serve(test, NULL);
    check_location(test, "POST", "/snapshots", NULL, "/snapshots/c");
    check_location(test, "PUT", "/snapshots/c", "X-Forwarded-Prefix: /a", "/a/snapshots/c");
}

static void locations_have_the_base_path(void **state)
{
    struct test *test = *state;

    serve(test, "/vms");
    check_location(test, "POST", "/snapshots", NULL, "/vms/snapshots/c");
    check_location(test, "POST", "/vms/snapshots", NULL, "/vms/snapshots/c");
    check_location(test, "POST", "/snapshots", "X-Forwarded-Prefix: /a", "/a/snapshots/c");
}

static void a_base_path_may_be_on_or_off(void **state)
{
    static const struct {
        const char *path;
        long status;
    } calls[] = {
        {"/healthz",               200},
        {"/vms/healthz",           200},
        {"/vms/vms/healthz",       404},
        {"/vms/snapshots?limit=1", 200},
        {"/vms",                   404},
        {"/vmsx/healthz",          404},
        {"/%76ms/healthz",         404},
        {"/a/healthz",             404},
    };
    struct test *test = *state;

    serve(test, "/vms");
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        auto_answer struct answer answer = {0};
        test_call(test,
                  &(struct call){.path = calls[i].path, .headers = {"X-Forwarded-Prefix: /a"}},
                  &answer);
        assert_int_equal(answer.status, calls[i].status);
    }
    check_link(test, "Host: localhost", NULL, "<http://localhost/vms" PAGE_PATH);
}

static void the_host_of_a_target_is_known_where_its_path_leads_nowhere(void **state)
{
    auto_text struct text answer = {0};

    raw_exchange(*state, "GET http://example.com/nowhere HTTP/1.1\r\nHost: localhost\r\n"
                         "Connection: close\r\n\r\n",
                 &answer);
    assert_memory_equal(answer.data, "HTTP/1.1 421 ", 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(links_are_as_the_client_sees_them),
        WITH_SERVER(what_nobody_trusted_says_changes_nothing),
        WITH_SERVER(what_is_malformed_is_not_given_back),
        WITH_SERVER(a_name_that_is_not_ours_is_refused_whoever_tells_it),
        WITH_SERVER(locations_have_the_prefix_that_a_proxy_tells),
        WITH_SERVER(locations_have_the_base_path),
        WITH_SERVER(a_base_path_may_be_on_or_off),
        WITH_SERVER(the_host_of_a_target_is_known_where_its_path_leads_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
