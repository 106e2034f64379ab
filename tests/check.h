/* cmocka, which wants other headers before it, and what our tests add to it. */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/error.h"

/* Both look at the `struct error err` of the test. */
#define assert_succeeds(call)                       \
    do {                                            \
        if (!(call))                                \
            fail_msg("%s: %s", #call, err.message); \
    } while (0)

#define assert_fails(call, expected)              \
    do {                                          \
        assert_false(call);                       \
        assert_int_equal(err.code, (expected));   \
        assert_string_not_equal(err.message, ""); \
    } while (0)
