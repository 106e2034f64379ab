#include <string.h>

#include "api/router.h"
#include "tests/check.h"

static const struct route routes[] = {
    {GET,    "/",                              NULL, NULL, "dashboard"},
    {GET,    "/snapshots",                     NULL, NULL, "list"     },
    {POST,   "/snapshots",                     NULL, NULL, "create"   },
    {GET,    "/snapshots/{id}",                NULL, NULL, "get"      },
    {PUT,    "/snapshots/{id}",                NULL, NULL, "put"      },
    {DELETE, "/snapshots/{id}",                NULL, NULL, "delete"   },
    {GET,    "/snapshots/{id}/manifest",       NULL, NULL, "manifest" },
    {POST,   "/snapshots/{id}/validate",       NULL, NULL, "validate" },
    {GET,    "/snapshots/{id}/chunks/{chunk}", NULL, NULL, "chunk"    },
    {GET,    "/healthz",                       NULL, NULL, "health"   },
};

static bool match(enum method method, const char *target, struct route_match *out,
                  struct error *err)
{
    *err = (struct error){0};
    return router_match(routes, sizeof routes / sizeof *routes, method, target, out, err);
}

static void check_route(enum method method, const char *target, const char *operation,
                        const char *param)
{
    struct route_match found;
    struct error err;

    assert_succeeds(match(method, target, &found, &err));
    assert_non_null(found.route);
    assert_string_equal(found.route->operation, operation);
    assert_ptr_equal(found.pattern, found.route->pattern);
    assert_int_equal(found.param_count, param ? 1 : 0);
    if (param)
        assert_string_equal(found.params[0], param);
}

static void check_failure(enum method method, const char *target, enum error_code code)
{
    struct route_match found;
    struct error err;

    if (match(method, target, &found, &err) || err.code != code)
        fail_msg("%s %s is not %s but %s", method_name(method), target, error_slug(code),
                 error_slug(err.code));
}

static void methods_have_their_names_and_no_others(void **state)
{
    (void)state;
    for (enum method method = GET; method < METHOD_OTHER; method++)
        assert_int_equal(method_parse(method_name(method)), method);
    assert_int_equal(method_parse("get"), METHOD_OTHER);
    assert_int_equal(method_parse("OTHER"), METHOD_OTHER);
    assert_int_equal(method_parse(""), METHOD_OTHER);
    assert_int_equal(method_parse("GETS"), METHOD_OTHER);
}

static void each_row_is_found_by_method_and_path(void **state)
{
    (void)state;
    check_route(GET, "/", "dashboard", NULL);
    check_route(GET, "/snapshots", "list", NULL);
    check_route(POST, "/snapshots", "create", NULL);
    check_route(GET, "/snapshots/a", "get", "a");
    check_route(PUT, "/snapshots/a", "put", "a");
    check_route(DELETE, "/snapshots/a", "delete", "a");
    check_route(GET, "/snapshots/a/manifest", "manifest", "a");
    check_route(POST, "/snapshots/a/validate", "validate", "a");
    check_route(GET, "/healthz", "health", NULL);
}

static void head_is_answered_by_the_row_of_get(void **state)
{
    (void)state;
    check_route(HEAD, "/snapshots/a/manifest", "manifest", "a");
    check_failure(HEAD, "/snapshots/a/validate", ERR_METHOD_NOT_ALLOWED);
}

static void two_parameters_come_in_their_order(void **state)
{
    struct route_match found;
    struct error err;

    (void)state;
    assert_succeeds(match(GET, "/snapshots/one/chunks/two", &found, &err));
    assert_int_equal(found.param_count, 2);
    assert_string_equal(found.params[0], "one");
    assert_string_equal(found.params[1], "two");
}

static void segments_are_decoded_after_they_are_split(void **state)
{
    (void)state;
    check_route(GET, "/snapshots/a%20b/manifest", "manifest", "a b");
    check_route(GET, "/snapshots/%C3%A9", "get", "\u00e9");
    check_route(GET, "/snapshots/\u00e9", "get", "\u00e9");
    check_route(GET, "/snapshots/%61", "get", "a");
    check_route(GET, "/snapshots/a+b", "get", "a+b");
    check_route(GET, "/sn%61pshots/a", "get", "a");
    check_route(GET, "/snapshots/%3F%23%25", "get", "?#%");
}

static void what_does_not_decode_to_text_is_a_bad_request(void **state)
{
    static const char *const targets[] = {
        "/snapshots/a%2Fmanifest",
        "/snapshots/a%2fb",
        "/snapshots/%00",
        "/snapshots/a%00b",
        "/snapshots/%",
        "/snapshots/%4",
        "/snapshots/%4g",
        "/snapshots/%g4",
        "/snapshots/%/manifest",
        "/snapshots/%4/manifest",
        "/snapshots/%c3",
        "/snapshots/\xc3",
        "/snapshots/%C0%AF",
        "/snapshots/%ED%A0%80",
        "/snapshots/a b",
        "/snapshots/a\tb",
        "/snapshots/a\x7f",
        "/snapshots/a#b",
        "/nowhere/%zz",
        "/snapshots/%c3/%a9/x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        check_failure(GET, targets[i], ERR_BAD_REQUEST);
}

static void dot_segments_are_segments_like_others(void **state)
{
    (void)state;
    check_route(GET, "/snapshots/..", "get", "..");
    check_route(GET, "/snapshots/%2e%2e", "get", "..");
    check_route(GET, "/snapshots/./manifest", "manifest", ".");
    check_failure(GET, "/x/../healthz", ERR_NOT_FOUND);
}

static void empty_segments_and_trailing_slashes_name_nothing(void **state)
{
    static const char *const targets[] = {
        "//",
        "/snapshots/",
        "//snapshots",
        "/snapshots//",
        "/snapshots//manifest",
        "/snapshots/a/",
        "/snapshots/a/manifest/",
        "/healthz/",
        "/healthz//",
        "/snapshots/?x=1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        check_failure(GET, targets[i], ERR_NOT_FOUND);
}

static void paths_that_only_resemble_a_pattern_are_not_found(void **state)
{
    static const char *const targets[] = {
        "/snapshot",
        "/snapshotss",
        "/Snapshots",
        "/snapshots/a/manifes",
        "/healthz/a",
        "/snapshots/a/b/c/d/e",
        "/{id}",
        "/snapshots/a/manifests",
        "/a/b/c/d/e/f/g/h/i/j/k",
    };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        check_failure(GET, targets[i], ERR_NOT_FOUND);
}

/* `count` times `piece` behind "/snapshots/". */
static const char *repeat(char *out, const char *piece, size_t count)
{
    char *end = stpcpy(out, "/snapshots/");

    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, piece);
    return out;
}

static void a_parameter_holds_as_many_bytes_as_an_id(void **state)
{
    const size_t longer = (size_t)2 * ID_MAX;
    char target[8 * ID_MAX];
    char id[ID_MAX + 1];

    (void)state;
    memset(id, 'a', ID_MAX);
    id[ID_MAX] = '\0';
    check_route(GET, repeat(target, "a", ID_MAX), "get", id);
    check_route(GET, repeat(target, "%61", ID_MAX), "get", id);
    check_failure(GET, repeat(target, "a", ID_MAX + 1), ERR_NOT_FOUND);
    check_failure(GET, repeat(target, "%61", ID_MAX + 1), ERR_NOT_FOUND);
    check_failure(GET, repeat(target, "a%61", ID_MAX / 2 + 1), ERR_NOT_FOUND);
    check_failure(GET, repeat(target, "a", longer), ERR_NOT_FOUND);
    check_failure(GET, repeat(target, "%61", longer), ERR_NOT_FOUND);
}

static void the_query_is_left_raw(void **state)
{
    struct route_match found;
    struct error err;

    (void)state;
    assert_succeeds(match(GET, "/snapshots?limit=1&x=%zz?/", &found, &err));
    assert_string_equal(found.query, "limit=1&x=%zz?/");
    assert_succeeds(match(GET, "/snapshots?", &found, &err));
    assert_string_equal(found.query, "");
    assert_succeeds(match(GET, "/snapshots", &found, &err));
    assert_string_equal(found.query, "");
    check_route(GET, "/?a", "dashboard", NULL);
}

/* Of a target like http://host?x */
static void no_path_is_the_root(void **state)
{
    (void)state;
    check_route(GET, "", "dashboard", NULL);
    check_route(GET, "?x", "dashboard", NULL);
}

static void the_start_of_a_path_is_its_first_segment(void **state)
{
    const size_t count = sizeof routes / sizeof *routes;

    (void)state;
    assert_true(router_has_start(routes, count, "/snapshots"));
    assert_true(router_has_start(routes, count, "/snapshots/x/y"));
    assert_true(router_has_start(routes, count, "/healthz"));
    assert_false(router_has_start(routes, count, "/snapshot"));
    assert_false(router_has_start(routes, count, "/snapshotsx"));
    assert_false(router_has_start(routes, count, "/vms/snapshots"));
}

static void what_does_not_begin_like_a_path_is_a_bad_request(void **state)
{
    static const char *const targets[] = {
        "snapshots",
        "*",
        "ftp://host/snapshots",
        "http:///snapshots",
        "http://",
        "http:/x",
        "http://user@host/snapshots",
        "host:80",
        "http://host/snapshots",
        "#",
        "**",
    };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        check_failure(GET, targets[i], ERR_BAD_REQUEST);
    check_failure(OPTIONS, "**", ERR_BAD_REQUEST);
}

static void check_allow(enum method method, const char *target, const char *pattern,
                        const char *expected)
{
    struct route_match found;
    struct error err;
    char allow[ALLOW_SIZE];

    if (method == OPTIONS)
        assert_succeeds(match(method, target, &found, &err));
    else
        assert_fails(match(method, target, &found, &err), ERR_METHOD_NOT_ALLOWED);
    assert_null(found.route);
    assert_string_equal(found.pattern, pattern);
    router_allow(found.allowed, allow);
    assert_string_equal(allow, expected);
}

static void a_method_that_no_row_takes_lists_those_that_are(void **state)
{
    (void)state;
    check_allow(PATCH, "/snapshots", "/snapshots", "GET, HEAD, POST, OPTIONS");
    check_allow(POST, "/snapshots/a", "/snapshots/{id}", "GET, HEAD, PUT, DELETE, OPTIONS");
    check_allow(METHOD_OTHER, "/healthz", "/healthz", "GET, HEAD, OPTIONS");
    check_allow(GET, "/snapshots/a/validate", "/snapshots/{id}/validate", "POST, OPTIONS");
}

static void options_lists_them_too(void **state)
{
    (void)state;
    check_allow(OPTIONS, "/snapshots/a%20b", "/snapshots/{id}", "GET, HEAD, PUT, DELETE, OPTIONS");
    check_allow(OPTIONS, "*", "*", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    check_failure(OPTIONS, "/nowhere", ERR_NOT_FOUND);
}

static void allow_has_room_for_every_method(void **state)
{
    char allow[ALLOW_SIZE];

    (void)state;
    router_allow(~0u, allow);
    assert_string_equal(allow, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    router_allow(0, allow);
    assert_string_equal(allow, "");
}

static void nothing_is_written_where_nothing_is_found(void **state)
{
    struct route_match found = {.param_count = 7};
    struct error err;

    (void)state;
    assert_fails(match(GET, "/snapshots/a/b", &found, &err), ERR_NOT_FOUND);
    assert_fails(match(GET, "/snapshots/%", &found, &err), ERR_BAD_REQUEST);
    assert_int_equal(found.param_count, 7);
    assert_null(found.pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_have_their_names_and_no_others),
        cmocka_unit_test(each_row_is_found_by_method_and_path),
        cmocka_unit_test(head_is_answered_by_the_row_of_get),
        cmocka_unit_test(two_parameters_come_in_their_order),
        cmocka_unit_test(segments_are_decoded_after_they_are_split),
        cmocka_unit_test(what_does_not_decode_to_text_is_a_bad_request),
        cmocka_unit_test(dot_segments_are_segments_like_others),
        cmocka_unit_test(empty_segments_and_trailing_slashes_name_nothing),
        cmocka_unit_test(paths_that_only_resemble_a_pattern_are_not_found),
        cmocka_unit_test(a_parameter_holds_as_many_bytes_as_an_id),
        cmocka_unit_test(the_query_is_left_raw),
        cmocka_unit_test(no_path_is_the_root),
        cmocka_unit_test(the_start_of_a_path_is_its_first_segment),
        cmocka_unit_test(what_does_not_begin_like_a_path_is_a_bad_request),
        cmocka_unit_test(a_method_that_no_row_takes_lists_those_that_are),
        cmocka_unit_test(options_lists_them_too),
        cmocka_unit_test(allow_has_room_for_every_method),
        cmocka_unit_test(nothing_is_written_where_nothing_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
