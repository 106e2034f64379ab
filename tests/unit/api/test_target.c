#include <string.h>

#include "api/target.h"
#include "tests/check.h"

static void check_split(const char *target, const char *authority, const char *path)
{
    struct target parts;
    struct error err;

    assert_succeeds(target_split(target, &parts, &err));
    assert_int_equal(parts.authority.len, strlen(authority));
    assert_memory_equal(parts.authority.at, authority, strlen(authority));
    assert_string_equal(parts.path, path);
}

static void a_path_is_taken_as_it_is(void **state)
{
    (void)state;
    check_split("/", "", "/");
    check_split("/snapshots?limit=1", "", "/snapshots?limit=1");
    check_split("//host/x", "", "//host/x");
    check_split("/http://host/x", "", "/http://host/x");
    check_split("*", "", "*");
}

static void an_absolute_target_gives_its_authority(void **state)
{
    (void)state;
    check_split("http://host/snapshots", "host", "/snapshots");
    check_split("HTTPS://[::1]:8080/snapshots?x=1", "[::1]:8080", "/snapshots?x=1");
    check_split("http://host", "host", "");
    check_split("http://host?x", "host", "?x");
    check_split("http://host#x", "host", "#x");
    check_split("http://host/a@b", "host", "/a@b");
}

static void other_forms_are_bad_requests(void **state)
{
    static const char *const targets[] = {
        "",
        "snapshots",
        "ftp://host/snapshots",
        "http:///snapshots",
        "http://",
        "http:/x",
        "http://user@host/x",
        "http://user:word@host/x",
        "host:80",
        "?x=1",
        "#",
        "**",
    };

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct target parts;
        struct error err = {0};
        assert_fails(target_split(targets[i], &parts, &err), ERR_BAD_REQUEST);
    }
}

static void check_stripped(const char *path, const char *base, const char *expected)
{
    assert_string_equal(target_strip(path, base), expected);
}

static void a_base_path_is_taken_off_where_it_is(void **state)
{
    (void)state;
    check_stripped("/vms/snapshots?x=1", "/vms", "/snapshots?x=1");
    check_stripped("/vms/vms/snapshots", "/vms", "/vms/snapshots");
    check_stripped("/vms/", "/vms", "/");
    check_stripped("/vms", "/vms", "");
    check_stripped("/vms?x", "/vms", "?x");
    check_stripped("/a/b/c", "/a/b", "/c");
}

static void what_only_looks_like_it_is_left(void **state)
{
    static const char *const paths[] = {"/snapshots", "/vmsx/snapshots", "/VMS/snapshots",
                                        "/%76ms/x", "/x/vms/y", "*"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        check_stripped(paths[i], "/vms", paths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_taken_as_it_is),
        cmocka_unit_test(an_absolute_target_gives_its_authority),
        cmocka_unit_test(other_forms_are_bad_requests),
        cmocka_unit_test(a_base_path_is_taken_off_where_it_is),
        cmocka_unit_test(what_only_looks_like_it_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
