#include <string.h>

#include "api/network.h"
#include "tests/check.h"

static void check_address(const char *text, const char *expected)
{
    struct in6_addr address;
    char out[INET6_ADDRSTRLEN];

    assert_true(address_parse(text, strlen(text), &address));
    address_format(&address, out);
    assert_string_equal(out, expected);
}

static void addresses_are_written_as_usual(void **state)
{
    (void)state;
    check_address("192.0.2.1", "192.0.2.1");
    check_address("::ffff:192.0.2.1", "192.0.2.1");
    check_address("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
    check_address("::", "::");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1 ",
        "[::1]", "fe80::1%1", "localhost", "1::2::3", "0x7f.1",
        "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0001"};
    struct in6_addr address;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (address_parse(texts[i], strlen(texts[i]), &address))
            fail_msg("%s is taken", texts[i]);
    assert_false(address_parse("::1\0", 4, &address));
}

static bool has(const char *network_text, const char *address_text)
{
    struct network network;
    struct in6_addr address;

    assert_true(network_parse(network_text, &network));
    assert_true(address_parse(address_text, strlen(address_text), &address));
    return network_has(&network, &address);
}

static void a_network_has_what_shares_its_bits(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.255.255"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("172.16.0.0/12", "172.31.255.255"));
    assert_false(has("172.16.0.0/12", "172.32.0.0"));
    assert_true(has("192.0.2.1", "192.0.2.1"));
    assert_true(has("192.0.2.1/32", "192.0.2.1"));
    assert_false(has("192.0.2.1", "192.0.2.0"));
    assert_true(has("0.0.0.0/0", "255.255.255.255"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::1", "::1"));
    assert_true(has("::/0", "2001:db8::1"));
}

static void ipv4_and_ipv6_are_apart(void **state)
{
    (void)state;
    assert_false(has("::/0", "192.0.2.1"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("192.0.2.0/24", "::ffff:192.0.2.1"));
    assert_true(has("::ffff:192.0.2.0/24", "192.0.2.1"));
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
        "10.0.0.0/x", "10.0.0/8", "10.0.0.1/8", "::/129", "::1/127", "10.0.0.0/ 8",
        "example", "10.0.0.0/8x", "10.0.0.0/99999999999999999999"};
    struct network network;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (network_parse(texts[i], &network))
            fail_msg("%s is taken", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_as_usual),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_network_has_what_shares_its_bits),
        cmocka_unit_test(ipv4_and_ipv6_are_apart),
        cmocka_unit_test(what_is_no_network_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
