#include "api/cors.h"
#include "tests/check.h"

static void an_origin_is_as_browsers_send_it(void **state)
{
    static const char *const good[] = {
        "https://dashboard.example",
        "https://dashboard.example:8443",
        "http://localhost:3000",
        "http://192.0.2.7",
        "http://[2001:db8::1]",
        "http://[::1]:65535",
        "http://xn--bcher-kva.example:443",
        "https://dashboard.example:80",
        "chrome-extension://abcdefghijklmnop",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!cors_is_origin(good[i]))
            fail_msg("%s is refused", good[i]);
}

/* It would be compared with what is sent, and never found. */
static void what_no_browser_sends_is_no_origin(void **state)
{
    static const char *const bad[] = {
        "",
        "*",
        "null",
        "dashboard.example",
        "//dashboard.example",
        "://dashboard.example",
        "https://",
        "https://dashboard.example/",
        "https://dashboard.example/path",
        "https://dashboard.example?query",
        "https://user@dashboard.example",
        "https://*.example",
        "HTTPS://dashboard.example",
        "https://Dashboard.example",
        "https://b\303\274cher.example",
        "https://dashboard.example:",
        "https://dashboard.example:0",
        "https://dashboard.example:08443",
        "https://dashboard.example:65536",
        "https://dashboard.example:https",
        "https://dashboard.example:443",
        "http://dashboard.example:80",
        "http://[::1]:80",
        "http://[::1",
        "http://::1",
        "https://a https://b",
        "https://a\r\nX: y",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cors_is_origin(bad[i]))
            fail_msg("%s is let through", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_as_browsers_send_it),
        cmocka_unit_test(what_no_browser_sends_is_no_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
