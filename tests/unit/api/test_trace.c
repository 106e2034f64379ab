#include <string.h>

#include "api/trace.h"
#include "tests/check.h"

#define ID     "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void check_taken(const char *traceparent)
{
    struct trace trace = {0};

    assert_true(trace_parse(traceparent, &trace));
    assert_string_equal(trace.id, ID);
    assert_string_equal(trace.parent_id, PARENT);
}

static void ids_are_taken_over(void **state)
{
    (void)state;
    check_taken("00-" ID "-" PARENT "-01");
    check_taken("00-" ID "-" PARENT "-00");
    check_taken("00-" ID "-" PARENT "-ff");
}

static void a_later_version_may_be_longer(void **state)
{
    (void)state;
    check_taken("cc-" ID "-" PARENT "-01");
    check_taken("01-" ID "-" PARENT "-01-what-may-come");
    check_taken("fe-" ID "-" PARENT "-01-");
}

static void what_is_malformed_is_no_trace(void **state)
{
    static const char *const malformed[] = {
        "",
        "00",
        "00-" ID "-" PARENT "-0",
        "00-" ID "-" PARENT "-",
        "00-" ID "-" PARENT "-01-",
        "00-" ID "-" PARENT "-01-more",
        "00-" ID "-" PARENT "-01 ",
        " 00-" ID "-" PARENT "-01",
        "01-" ID "-" PARENT "-01more",
        "ff-" ID "-" PARENT "-01",
        "0-" ID "-" PARENT "-001",
        "0x-" ID "-" PARENT "-01",
        "00-" ID "-" PARENT "-0x",
        "00-" ID "-" PARENT "_01",
        "00_" ID "-" PARENT "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" ID "-B7AD6B7169203331-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" ID "-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033310-01",
        "00-" ID "0-7ad6b7169203331-01",
        "00-" ID "-" PARENT "-01,"
        "00-" ID "-" PARENT "-01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct trace trace = {0};
        if (trace_parse(malformed[i], &trace) || *trace.id || *trace.parent_id)
            fail_msg("%s is taken", malformed[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_taken_over),
        cmocka_unit_test(a_later_version_may_be_longer),
        cmocka_unit_test(what_is_malformed_is_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
