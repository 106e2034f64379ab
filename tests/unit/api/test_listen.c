#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/listen.h"
#include "tests/check.h"

static void addresses_are_open_to_others_unless_they_are_loopback(void **state)
{
    static const char *const open[] = {"0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[2001:db8::1]:80"};
    static const char *const closed[] = {"127.0.0.1:80", "127.8.8.8:1", "[::1]:80", "localhost:80",
                                         "unix:/run/x", "nonsense"};

    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        assert_true(listen_is_open(open[i]));
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++)
        assert_false(listen_is_open(closed[i]));
}

static void port_0_is_told_as_what_it_became(void **state)
{
    char bound[LISTEN_ADDRESS_SIZE];
    struct error err;

    (void)state;
    int fd = listen_open("127.0.0.1:0", bound, &err);
    assert_true(fd >= 0);
    assert_memory_equal(bound, "http://127.0.0.1:", 17);
    assert_int_not_equal(strtoul(bound + 17, NULL, 10), 0);
    close(fd);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"", "8080", "example.com:80", "127.0.0.1",
                                      "::1:80x", "[::1:80", "127.0.0.1:99999x", "unix:relative",
                                      "unix:", "127.0.0.1:"};
    char bound[LISTEN_ADDRESS_SIZE];
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(listen_open(bad[i], bound, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_non_null(strstr(err.message, "isten")); /* which setting, or what it was for */
    }
}

static void an_address_in_use_is_an_error(void **state)
{
    char bound[LISTEN_ADDRESS_SIZE];
    char again[LISTEN_ADDRESS_SIZE];
    struct error err;

    (void)state;
    int fd = listen_open("127.0.0.1:0", bound, &err);
    assert_int_equal(listen_open(bound + strlen("http://"), again, &err), -1);
    assert_non_null(strstr(err.message, "Address already in use"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_open_to_others_unless_they_are_loopback),
        cmocka_unit_test(port_0_is_told_as_what_it_became),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(an_address_in_use_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
