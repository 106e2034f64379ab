#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "tests/check.h"

static void check_message(const struct error *err, enum error_code code, const char *message)
{
    assert_int_equal(err->code, code);
    assert_string_equal(err->message, message);
}

static void setting_an_error_replaces_the_last_one(void **state)
{
    struct error err;

    (void)state;
    memset(&err, 0x7f, sizeof err);
    assert_false(error_set(&err, ERR_BUSY, "%s is %d", "x", 5));
    check_message(&err, ERR_BUSY, "x is 5");
    assert_string_equal(err.field, "");
    assert_int_equal(err.errnum, 0);
}

static void an_error_can_be_told_in_terms_of_itself(void **state)
{
    struct error err;

    (void)state;
    error_field(&err, "/a", "first");
    error_set(&err, err.code, "second: %s", err.message);
    check_message(&err, ERR_INVALID, "second: first");
    error_field(&err, "/a", "x");
    error_field(&err, err.field, "%s again", err.message);
    assert_string_equal(err.field, "/a");
    assert_string_equal(err.message, "x again");
    errno = EIO;
    error_errno(&err, "%s", err.message);
    check_message(&err, ERR_IO, "x again: Input/output error");
}

static void a_field_at_fault_is_named(void **state)
{
    char longest[300];
    struct error err;

    (void)state;
    assert_false(error_field(&err, "/vp_count", "must be at least %d", 1));
    check_message(&err, ERR_INVALID, "must be at least 1");
    assert_string_equal(err.field, "/vp_count");
    memset(longest, 'f', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    error_field(&err, longest, "x");
    assert_int_equal(strlen(err.field), sizeof err.field - 1);
}

static void check_errno(int errnum, enum error_code code, const char *message)
{
    struct error err;

    errno = errnum;
    assert_false(error_errno(&err, "cannot write %s", "x"));
    check_message(&err, code, message);
    assert_int_equal(err.errnum, errnum);
}

static void errno_gives_the_code_and_the_reason(void **state)
{
    (void)state;
    check_errno(ENOSPC, ERR_NO_SPACE, "cannot write x: No space left on device");
    check_errno(EDQUOT, ERR_NO_SPACE, "cannot write x: Disk quota exceeded");
    check_errno(ENOMEM, ERR_INTERNAL, "cannot write x: Cannot allocate memory");
    check_errno(EACCES, ERR_IO, "cannot write x: Permission denied");
    check_errno(9999, ERR_IO, "cannot write x: unknown error");
}

static void check_cut(const struct error *err)
{
    size_t len = strlen(err->message);

    assert_int_equal(len, sizeof err->message - 1);
    assert_string_equal(err->message + len - 3, "...");
}

static void what_is_too_long_ends_in_dots(void **state)
{
    char text[2000];
    struct error err;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof err.message - 1] = '\0';
    error_set(&err, ERR_IO, "%s", text);
    assert_string_equal(err.message, text); /* just fits */
    text[sizeof err.message - 1] = 'x';
    text[sizeof err.message] = '\0';
    error_set(&err, ERR_IO, "%s", text);
    check_cut(&err);
    error_field(&err, "/a", "%s", text);
    check_cut(&err);
    text[sizeof err.message - 10] = '\0';
    errno = EIO;
    error_errno(&err, "%s", text); /* it is the reason that does not fit */
    check_cut(&err);
}

static void lack_of_memory_is_internal(void **state)
{
    struct error err;

    (void)state;
    assert_false(error_memory(&err));
    check_message(&err, ERR_INTERNAL, "out of memory");
}

static void every_code_has_a_slug_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(error_slug(ERR_NONE), "none");
    assert_string_equal(error_slug(ERR_EXISTS), "already_exists");
    assert_string_equal(error_slug(ERR_NO_SPACE), "no_space");
    for (int a = ERR_NONE; a < ERR__COUNT; a++)
        for (int b = ERR_NONE; b < a; b++)
            assert_string_not_equal(error_slug((enum error_code)a), error_slug((enum error_code)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_replaces_the_last_one),
        cmocka_unit_test(an_error_can_be_told_in_terms_of_itself),
        cmocka_unit_test(a_field_at_fault_is_named),
        cmocka_unit_test(errno_gives_the_code_and_the_reason),
        cmocka_unit_test(what_is_too_long_ends_in_dots),
        cmocka_unit_test(lack_of_memory_is_internal),
        cmocka_unit_test(every_code_has_a_slug_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
