#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
    auto_listeners struct listeners listeners = {0};
    struct error err;

    (void)state;
    assert_succeeds(listen_open(&listeners, "127.0.0.1:0", NULL, &err));
    assert_memory_equal(listeners.items[0].address, "http://127.0.0.1:", 17);
    assert_int_not_equal(strtoul(listeners.items[0].address + 17, NULL, 10), 0);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"", "8080", "example.com:80", "127.0.0.1",
                                      "::1:80x", "[::1:80", "127.0.0.1:99999x", "unix:relative",
                                      "unix:", "127.0.0.1:"};
    auto_listeners struct listeners listeners = {0};
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(listen_open(&listeners, bad[i], NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.message, "isten")); /* which setting, or what it was for */
    }
    assert_int_equal(listeners.count, 0);
}

static void an_address_in_use_is_an_error(void **state)
{
    auto_listeners struct listeners listeners = {0};
    struct error err;

    (void)state;
    assert_succeeds(listen_open(&listeners, "127.0.0.1:0", NULL, &err));
    assert_fails(
        listen_open(&listeners, listeners.items[0].address + strlen("http://"), NULL, &err),
        ERR_INVALID);
    assert_non_null(strstr(err.message, "Address already in use"));
}

static void there_is_a_most_of_sockets(void **state)
{
    auto_listeners struct listeners listeners = {0};
    struct error err;

    (void)state;
    for (int i = 0; i < LISTENERS_MAX; i++)
        assert_succeeds(listen_open(&listeners, "127.0.0.1:0", NULL, &err));
    assert_fails(listen_open(&listeners, "127.0.0.1:0", NULL, &err), ERR_INVALID);
}

static void a_unix_socket_has_the_mode_and_group_that_were_asked_for(void **state)
{
    const struct listen_access access = {0660, getgid()};
    auto_listeners struct listeners listeners = {0};
    char dir[] = "/tmp/vmsnapd-listen-XXXXXX";
    char address[64];
    struct stat found;
    struct error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(address, sizeof address, "unix:%s/s", dir);
    assert_succeeds(listen_open(&listeners, address, &access, &err));
    assert_string_equal(listeners.items[0].address, address);
    assert_int_equal(stat(address + strlen("unix:"), &found), 0);
    assert_int_equal(found.st_mode & 07777, 0660);
    assert_int_equal(found.st_gid, getgid());
    unlink(address + strlen("unix:"));
    rmdir(dir);
}

static void a_passed_socket_must_listen(void **state)
{
    auto_listeners struct listeners listeners = {0};
    struct error err;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_fails(listen_adopt(&listeners, fd, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "no listening stream socket"));
    assert_int_equal(close(fd), -1); /* it was closed */
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(listen(fd, 1), 0); /* on any address */
    assert_true(listen_is_open_fd(fd));
    assert_succeeds(listen_adopt(&listeners, fd, &err));
    assert_memory_equal(listeners.items[0].address, "http://[::]:", 12);
    assert_int_equal(accept(fd, NULL, NULL), -1); /* does not block */
    assert_int_equal(errno, EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_open_to_others_unless_they_are_loopback),
        cmocka_unit_test(port_0_is_told_as_what_it_became),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(an_address_in_use_is_an_error),
        cmocka_unit_test(there_is_a_most_of_sockets),
        cmocka_unit_test(a_unix_socket_has_the_mode_and_group_that_were_asked_for),
        cmocka_unit_test(a_passed_socket_must_listen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
