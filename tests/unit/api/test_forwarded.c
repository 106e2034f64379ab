#include <stdio.h>
#include <string.h>

#include "api/forwarded.h"
#include "tests/check.h"

/* The trusted proxies of these tests are 127.0.0.1 and 10.0.0.0/8. */
static const struct peer proxy = {.address = "127.0.0.1"};
static const struct peer stranger = {.address = "192.0.2.66"};

static struct trust trust_in(const char *first, const char *second)
{
    struct trust trust = {0};
    struct error err;

    assert_succeeds(trust_add(&trust, first, &err));
    assert_succeeds(trust_add(&trust, second, &err));
    return trust;
}

/* "ADDRESS SCHEME HOST PREFIX" */
static void check_from(const struct peer *peer, const struct forwarded *headers,
                       const char *expected)
{
    const struct trust trust = trust_in("127.0.0.1", "10.0.0.0/8");
    struct client client;
    char found[1024];

    forwarded_read(headers, peer, &trust, &client);
    snprintf(found, sizeof found, "%s %s %.*s %.*s", client.address, client.scheme,
             (int)client.host.len, client.host.at, (int)client.prefix.len, client.prefix.at);
    assert_string_equal(found, expected);
}

#define CHECK(expected, ...) check_from(&proxy, &(struct forwarded){__VA_ARGS__}, expected)

static void a_stranger_is_passed_over(void **state)
{
    const struct forwarded all = {.for_ = "1.2.3.4", .proto = "https", .host = "h", .prefix = "/p"};
    const struct trust nobody = {0};
    struct client client;

    (void)state;
    check_from(&stranger, &all, "192.0.2.66 http  ");
    check_from(&stranger, &(struct forwarded){.forwarded = "for=1.2.3.4;proto=https;host=h"},
               "192.0.2.66 http  ");
    forwarded_read(&all, &proxy, &nobody, &client);
    assert_string_equal(client.address, "127.0.0.1");
    assert_int_equal(client.prefix.len, 0);
}

static void a_trusted_proxy_is_believed(void **state)
{
    (void)state;
    CHECK("127.0.0.1 http  ", 0);
    CHECK("1.2.3.4 https vms.example:8443 /a/b", .for_ = "1.2.3.4", .proto = "https",
          .host = "vms.example:8443", .prefix = "/a/b");
    CHECK("2001:db8::1 http [::1]:80 ", .for_ = "2001:DB8::1", .proto = "HTTP", .host = "[::1]:80");
    CHECK("1.2.3.4 https vms.example:8443 /a",
          .forwarded = "for=1.2.3.4;proto=https;host=\"vms.example:8443\"", .prefix = "/a");
}

static void peers_of_unix_sockets_are_trusted_by_that_word(void **state)
{
    const struct peer peer = {.address = "unix", .is_unix = true};
    const struct trust without = trust_in("0.0.0.0/0", "::/0");
    const struct trust with = trust_in("unix", "10.0.0.0/8");
    struct client client;

    (void)state;
    forwarded_read(&(struct forwarded){.for_ = "1.2.3.4"}, &peer, &without, &client);
    assert_string_equal(client.address, "unix");
    forwarded_read(&(struct forwarded){.for_ = "1.2.3.4"}, &peer, &with, &client);
    assert_string_equal(client.address, "1.2.3.4");
    forwarded_read(&(struct forwarded){.for_ = "1.2.3.4"}, &proxy, &with, &client);
    assert_string_equal(client.address, "127.0.0.1");
}

static void the_client_is_the_first_that_is_no_trusted_proxy(void **state)
{
    (void)state;
    CHECK("1.2.3.4 http  ", .for_ = "6.6.6.6, 1.2.3.4");
    CHECK("1.2.3.4 http  ", .for_ = "6.6.6.6, 1.2.3.4,10.0.0.1 ,\t10.0.0.2");
    CHECK("10.0.0.1 http  ", .for_ = "10.0.0.1, 10.0.0.2"); /* all of them are */
    CHECK("1.2.3.4 http  ", .for_ = ",, 1.2.3.4 ,,");
    CHECK("1.2.3.4 http  ", .forwarded = "for=6.6.6.6, for=1.2.3.4, for=10.0.0.2");
}

static void of_an_address_only_the_address_counts(void **state)
{
    (void)state;
    CHECK("1.2.3.4 http  ", .for_ = "1.2.3.4:5678");
    CHECK("2001:db8::1 http  ", .for_ = "[2001:db8::1]:5678");
    CHECK("2001:db8::1 http  ", .for_ = "[2001:db8::1]");
    CHECK("1.2.3.4 http  ", .for_ = "::ffff:1.2.3.4");
    CHECK("2001:db8::1 http  ", .forwarded = "for=\"[2001:db8::1]:5678\"");
    CHECK("1.2.3.4 http  ", .forwarded = "FOR=\"1.2.3.4:5678\"");
}

/* What is nearer was told by a proxy that is trusted, and stands. */
static void the_walk_ends_where_it_is_malformed(void **state)
{
    static const char *const nodes[] = {
        "unknown", "_hidden", "1.2.3", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456",
        "[::1", "[::1]x", "[::1]:", "[x]", "\"1.2.3.4\"", "1.2.3.4 5.6.7.8",
        "fe80::1%eth0", "\"", "a;b=c"};

    (void)state;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char list[128];
        snprintf(list, sizeof list, "6.6.6.6, %s, 10.0.0.1", nodes[i]);
        CHECK("10.0.0.1 http  ", .for_ = list);
        snprintf(list, sizeof list, "%s", nodes[i]);
        CHECK("127.0.0.1 http  ", .for_ = list);
    }
    CHECK("127.0.0.1 http  ", .for_ = "");
}

static void an_element_of_forwarded_counts_whole_or_not(void **state)
{
    static const char *const elements[] = {
        "for=1.2.3.4;for=1.2.3.4", "for=1.2.3.4;proto", "for=1.2.3.4;proto=", "for=1.2.3.4,for",
        "for=[::1]", "for =1.2.3.4", "for=1.2.3.4;a=\"", "=1.2.3.4",
        "1.2.3.4", ";", "for=1.2.3.4 x",
        "proto=http;proto=https;for=1.2.3.4"};

    (void)state;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        CHECK("127.0.0.1 http  ", .forwarded = elements[i]);
    CHECK("1.2.3.4 http  ", .forwarded = "for=1.2.3.4; by=_x;secret=\"a,b;c\"");
    CHECK("1.2.3.4 http  ", .forwarded = "by=_x;for=1.2.3.4;");
}

/* A client that opens a quote cannot make a part of what the proxy adds its own. */
static void an_open_quote_hides_nothing_and_forges_nothing(void **state)
{
    (void)state;
    CHECK("1.2.3.4 http  ", .forwarded = "for=6.6.6.6;x=\", for=1.2.3.4");
    CHECK("127.0.0.1 http  ", .forwarded = "for=6.6.6.6;x=\", for=\"[2001:db8::1]\"");
    CHECK("1.2.3.4 http  ", .forwarded = "for=6.6.6.6;x=\", for=\"10.0.0.1\", for=1.2.3.4");
    CHECK("1.2.3.4 http  ", .for_ = "6.6.6.6\", 1.2.3.4");
}

static void the_farthest_proxy_that_is_trusted_knows_scheme_and_host(void **state)
{
    (void)state;
    CHECK("1.2.3.4 https out ", .forwarded = "for=6.6.6.6;proto=http;host=evil, "
                                             "for=1.2.3.4;proto=https;host=out, "
                                             "for=10.0.0.1;proto=http;host=in");
    CHECK("1.2.3.4 http in ", .forwarded = "for=1.2.3.4, for=10.0.0.1;proto=http;host=in");
    CHECK("127.0.0.1 https out ", .forwarded = "for=_hidden;proto=https;host=out");
}

static void where_both_kinds_of_header_came_neither_counts(void **state)
{
    (void)state;
    CHECK("127.0.0.1 http  /p", .forwarded = "for=1.2.3.4;proto=https;host=h", .for_ = "1.2.3.4",
          .prefix = "/p");
    CHECK("127.0.0.1 http  ", .forwarded = "for=1.2.3.4", .proto = "https");
    CHECK("127.0.0.1 http  ", .forwarded = "for=1.2.3.4", .host = "h");
    CHECK("127.0.0.1 http  ", .forwarded = "", .for_ = "1.2.3.4");
}

static void what_does_not_say_whose_it_is_must_be_single(void **state)
{
    (void)state;
    CHECK("1.2.3.4 http  ", .for_ = "1.2.3.4", .proto = "https, http", .host = "a, b",
          .prefix = "/a, /b");
    CHECK("127.0.0.1 https a /a", .proto = " https ", .host = " a\t", .prefix = " /a ");
    CHECK("127.0.0.1 http  ", .proto = "ftp", .host = "", .prefix = "");
}

static bool is_host(const char *host)
{
    return host_is_valid(span_of(host));
}

static void a_host_has_nothing_that_ends_a_header_or_an_address(void **state)
{
    static const char *const bad[] = {
        "", "a b", "a\r\nb", "a>", "a\"", "a/b", "a?b", "a#b", "u@a", "a:",
        "a:b", ":80", "a:80:1", "[::1", "::1", "[a]", "[]", "[::1]a", "a,b", "a;b",
        "a%20", "a\\b", "<a", "\u00e9", "[1.2.3.4]", "a:123456", "[::1]:", "'a'", "a&b", "a=b"};
    char longest[HOST_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_host(bad[i]))
            fail_msg("%s is taken", bad[i]);
    assert_true(is_host("localhost") && is_host("vms.example:65535") && is_host("1.2.3.4"));
    assert_true(is_host("[2001:db8::1]") && is_host("[::ffff:1.2.3.4]:80") && is_host("a_b-c."));
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(is_host(longest));
    assert_true(is_host(longest + 1));
}

static bool is_prefix(const char *prefix)
{
    return prefix_is_valid(span_of(prefix));
}

static void a_prefix_is_plain_segments(void **state)
{
    static const char *const bad[] = {"", "/", "a", "/a/", "//a", "/a//b", "/.",
                                      "/..", "/a/..", "/a b", "/a%20", "/a?b", "/a#b", "/<",
                                      "/a\"", "/a'", "/a\r\n", "http://a", "/a,/b", "/a;b", "/a&b"};
    char longest[PREFIX_MAX + 2] = "/";

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_prefix(bad[i]))
            fail_msg("%s is taken", bad[i]);
    assert_true(is_prefix("/a") && is_prefix("/a/b-c_d.e~f/...x") && is_prefix("/v1.0"));
    memset(longest + 1, 'a', sizeof longest - 2);
    longest[sizeof longest - 1] = '\0';
    assert_false(is_prefix(longest));
    longest[PREFIX_MAX] = '\0';
    assert_true(is_prefix(longest));
}

static void long_chains_are_followed_so_far(void **state)
{
    char list[32 * 16];
    char *end = stpcpy(list, "1.2.3.4, 10.0.0.1");

    (void)state;
    for (size_t i = 0; i < 14; i++)
        end = stpcpy(end, ", 10.0.0.1");
    CHECK("1.2.3.4 http  ", .for_ = list);
    stpcpy(end, ", 10.0.0.1");
    CHECK("10.0.0.1 http  ", .for_ = list);
}

static void what_cannot_be_trusted_is_said_so(void **state)
{
    struct trust trust = {0};
    struct error err;

    (void)state;
    assert_fails(trust_add(&trust, "proxy.example", &err), ERR_INVALID);
    assert_fails(trust_add(&trust, "10.0.0.1/8", &err), ERR_INVALID);
    assert_fails(trust_add(&trust, "", &err), ERR_INVALID);
    for (size_t i = 0; i < TRUSTED_MAX; i++)
        assert_succeeds(trust_add(&trust, "10.0.0.1", &err));
    assert_fails(trust_add(&trust, "10.0.0.1", &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_is_passed_over),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(peers_of_unix_sockets_are_trusted_by_that_word),
        cmocka_unit_test(the_client_is_the_first_that_is_no_trusted_proxy),
        cmocka_unit_test(of_an_address_only_the_address_counts),
        cmocka_unit_test(the_walk_ends_where_it_is_malformed),
        cmocka_unit_test(an_element_of_forwarded_counts_whole_or_not),
        cmocka_unit_test(an_open_quote_hides_nothing_and_forges_nothing),
        cmocka_unit_test(the_farthest_proxy_that_is_trusted_knows_scheme_and_host),
        cmocka_unit_test(where_both_kinds_of_header_came_neither_counts),
        cmocka_unit_test(what_does_not_say_whose_it_is_must_be_single),
        cmocka_unit_test(a_host_has_nothing_that_ends_a_header_or_an_address),
        cmocka_unit_test(a_prefix_is_plain_segments),
        cmocka_unit_test(long_chains_are_followed_so_far),
        cmocka_unit_test(what_cannot_be_trusted_is_said_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
