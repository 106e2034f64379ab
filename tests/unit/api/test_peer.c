#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "api/peer.h"
#include "tests/check.h"

static const char *address_of(const char *host)
{
    static struct peer peer;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        peer_read(&peer, -1, (const struct sockaddr *)&v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
        peer_read(&peer, -1, (const struct sockaddr *)&v6);
    }
    assert_false(peer.is_unix);
    assert_int_equal(peer.uid, (uid_t)-1);
    return peer.address;
}

static void addresses_are_told_in_their_own_family(void **state)
{
    (void)state;
    assert_string_equal(address_of("192.0.2.1"), "192.0.2.1");
    assert_string_equal(address_of("2001:db8::1"), "2001:db8::1");
    assert_string_equal(address_of("::ffff:192.0.2.1"), "192.0.2.1");
}

static void a_unix_socket_tells_who_connected(void **state)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNIX};
    struct peer peer;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer_read(&peer, ends[0], &nowhere);
    assert_true(peer.is_unix);
    assert_string_equal(peer.address, "unix");
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.pid, getpid());
    close(ends[0]);
    close(ends[1]);
    peer_read(&peer, ends[0], &nowhere); /* nothing to be known any more: not root, for one */
    assert_int_equal(peer.uid, (uid_t)-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_told_in_their_own_family),
        cmocka_unit_test(a_unix_socket_tells_who_connected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
