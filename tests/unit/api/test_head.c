#include <string.h>

#include "api/head.h"
#include "tests/check.h"

#define SPAN(literal) ((struct span){literal, sizeof(literal) - 1})

/* What a lenient library makes of a head: a NUL for each delimiter, whatever was passed over. */
static bool is_followed(const char *memory, size_t len)
{
    struct head head;
    const char *at = memory;
    const char *parts[3];

    for (int i = 0; i < 3; i++) {
        while (*at == '\0' || *at == ' ')
            at++;
        parts[i] = at;
        at += strlen(at);
    }
    head_begin(&head, span_of(parts[0]), span_of(parts[1]), span_of(parts[2]), parts[1]);
    while (at < memory + len) {
        while (at < memory + len && *at == '\0')
            at++;
        const char *name = at;
        at += strlen(at);
        if (at >= memory + len)
            break;
        const char *value = ++at;
        value += strspn(value, " \t");
        at = value + strlen(value);
        head_add(&head, span_of(name), span_of(value));
    }
    head_end(&head, memory + len);
    return !head.fault;
}

#define IS_FOLLOWED(literal) is_followed(literal, sizeof(literal) - 1)

static void a_head_that_was_sent_as_it_should_be_lies_close_together(void **state)
{
    (void)state;
    assert_true(IS_FOLLOWED("GET\0/\0HTTP/1.1\0\0\0\0"));
    assert_true(IS_FOLLOWED("GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0\0"));
    assert_true(IS_FOLLOWED("GET\0/\0HTTP/1.1\0\0Host\0 \t a\0\0X\0y\0\0\0\0"));
}

static void what_was_passed_over_leaves_a_gap(void **state)
{
    (void)state;
    assert_false(IS_FOLLOWED("GET\0 /\0HTTP/1.1\0\0Host\0 a\0\0\0\0"));           /* a blank */
    assert_false(IS_FOLLOWED("GET\0/\0\0HTTP/1.1\0\0Host\0 a\0\0\0\0"));          /* a NUL */
    assert_false(IS_FOLLOWED("GET\0/\0HTTP/1.1\0Host\0 a\0\0\0\0"));              /* a bare LF */
    assert_false(IS_FOLLOWED("GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0"));              /* at the end */
    assert_false(IS_FOLLOWED("GET\0/\0HTTP/1.1\0\0Host\0 a\0X\0 y\0\0\0\0"));     /* in between */
    assert_false(IS_FOLLOWED("GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0X\0 y\0\0\0\0")); /* a NUL */
}

static void a_field_that_was_moved_is_found(void **state)
{
    static const char memory[] = "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0\0";
    static const char elsewhere[] = "Host";
    struct head head;

    (void)state;
    head_begin(&head, span_of(memory), span_of(memory + 4), span_of(memory + 6), memory + 4);
    head_add(&head, span_of(elsewhere), span_of(memory + 22));
    assert_non_null(head.fault);
}

static void a_strict_library_is_not_followed(void **state)
{
    struct head head;

    (void)state;
    head_begin(&head, SPAN("GET"), SPAN("/"), SPAN("HTTP/1.1"), NULL);
    head_add(&head, SPAN("Host"), SPAN("a"));
    head_end(&head, NULL);
    assert_null(head.fault);
}

static void names_are_tokens_and_values_have_no_controls(void **state)
{
    static const struct {
        struct span name, value;
    } bad[] = {
        {{"", 0},      {"a", 1}   },
        {{"X Y", 3},   {"a", 1}   },
        {{"X ", 2},    {"a", 1}   },
        {{"X\0", 2},   {"a", 1}   },
        {{"X\xe4", 2}, {"a", 1}   },
        {{"X", 1},     {"a\rb", 3}},
        {{"X", 1},     {"a\nb", 3}},
        {{"X", 1},     {"a\0b", 3}},
        {{"X", 1},     {"\x7f", 1}},
    };
    struct head head;

    (void)state;
    head_begin(&head, SPAN("GET"), SPAN("/"), SPAN("HTTP/1.1"), NULL);
    head_add(&head, SPAN("X-1"), SPAN("a\tb \xe4"));
    head_add(&head, SPAN("X"), SPAN(""));
    assert_null(head.fault);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        head.fault = NULL;
        head_add(&head, bad[i].name, bad[i].value);
        assert_non_null(head.fault);
    }
}

static void first_lines_are_a_token_and_a_target_without_blanks(void **state)
{
    static const struct {
        struct span method, target;
    } bad[] = {
        {{"", 0},    {"/", 1}    },
        {{"G(T", 3}, {"/", 1}    },
        {{"GET", 3}, {"", 0}     },
        {{"GET", 3}, {"/ ", 2}   },
        {{"GET", 3}, {"/\t", 2}  },
        {{"GET", 3}, {"/#a", 3}  },
        {{"GET", 3}, {"/\x7f", 2}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct head head;
        head_begin(&head, bad[i].method, bad[i].target, SPAN("HTTP/1.1"), NULL);
        assert_non_null(head.fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_that_was_sent_as_it_should_be_lies_close_together),
        cmocka_unit_test(what_was_passed_over_leaves_a_gap),
        cmocka_unit_test(a_field_that_was_moved_is_found),
        cmocka_unit_test(a_strict_library_is_not_followed),
        cmocka_unit_test(names_are_tokens_and_values_have_no_controls),
        cmocka_unit_test(first_lines_are_a_token_and_a_target_without_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
