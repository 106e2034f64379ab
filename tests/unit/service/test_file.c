#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/file.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

static struct path named(void **state, const char *name)
{
    const struct fixture *fixture = *state;

    return path_of("%s/%s", fixture->home.text, name);
}

static void a_file_is_created_once(void **state)
{
    struct error err = {0};
    struct path path = named(state, "new");
    auto_fd int fd = file_create(AT_FDCWD, path.text, &err);

    assert_true(fd >= 0);
    assert_succeeds(file_write_all(fd, "abc", 3, "new", &err));
    assert_succeeds(file_flush(fd, "new", &err));
    assert_int_equal(file_create(AT_FDCWD, path.text, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(disk_stat(path.text).st_mode & 07777, FILE_MODE);
}

static void a_link_is_not_followed(void **state)
{
    struct error err = {0};
    struct path link = named(state, "link");

    disk_write(named(state, "target").text, 1, 'x');
    must(symlink("target", link.text) == 0, "symlink");
    assert_int_equal(file_open(AT_FDCWD, link.text, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    assert_int_equal(file_create(AT_FDCWD, link.text, &err), -1);
}

static void what_is_no_file_is_damaged_and_not_waited_for(void **state)
{
    struct error err = {0};

    must(mkfifo(named(state, "fifo").text, 0600) == 0, "mkfifo");
    assert_int_equal(file_open(AT_FDCWD, named(state, "fifo").text, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    assert_int_equal(file_open(AT_FDCWD, named(state, "").text, NULL, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGED);
    assert_int_equal(file_open(AT_FDCWD, named(state, "none").text, NULL, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void why_a_file_does_not_open_is_told_by_the_code(void **state)
{
    static const struct {
        int errnum;
        enum error_code code;
    } cases[] = {
        {EACCES, ERR_PERMISSION},
        {EPERM,  ERR_PERMISSION},
        {ENXIO,  ERR_DAMAGED   },
        {EIO,    ERR_IO        },
        {EMFILE, ERR_IO        },
    };

    disk_write(named(state, "file").text, 1, 'x');
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        fault_arm_error("openat", 1, cases[i].errnum);
        assert_int_equal(file_open(AT_FDCWD, named(state, "file").text, NULL, &err), -1);
        fault_disarm();
        assert_int_equal(err.code, cases[i].code);
    }
}

static void a_file_is_read_up_to_its_maximum(void **state)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    struct stat stat;
    struct path path = named(state, "file");

    assert_true(text_appends(&bytes, "what was there before"));
    disk_write(path.text, 5000, 'x');
    assert_succeeds(file_read(AT_FDCWD, path.text, 5000, &bytes, &stat, &err));
    assert_int_equal(bytes.len, 5000);
    assert_int_equal(stat.st_size, 5000);
    assert_fails(file_read(AT_FDCWD, path.text, 4999, &bytes, &stat, &err), ERR_DAMAGED);
    disk_write(path.text, 0, 'x');
    assert_succeeds(file_read(AT_FDCWD, path.text, 0, &bytes, NULL, &err));
    assert_string_equal(text_str(&bytes), "");
}

static void a_read_that_is_interrupted_or_comes_short_goes_on(void **state)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    struct path path = named(state, "file");
    struct fault_plan fault = {.kinds = FAULT_LOOK, .effect = FAULT_SHORT, .nth = 1};

    disk_write(path.text, 5000, 'x');
    fault_arm_error("read", 1, EINTR);
    assert_succeeds(file_read(AT_FDCWD, path.text, 5000, &bytes, NULL, &err));
    assert_non_null(fault_disarm().struck);
    fault_arm(&fault);
    assert_succeeds(file_read(AT_FDCWD, path.text, 5000, &bytes, NULL, &err));
    assert_non_null(fault_disarm().struck);
    assert_int_equal(bytes.len, 5000);
    fault_arm_error("read", 1, EIO);
    assert_fails(file_read(AT_FDCWD, path.text, 5000, &bytes, NULL, &err), ERR_IO);
    fault_disarm();
}

static void bytes_are_read_where_they_lie(void **state)
{
    struct error err = {0};
    struct path path = named(state, "file");
    char buffer[3];

    disk_write(path.text, 10, 'x');
    auto_fd int fd = file_open(AT_FDCWD, path.text, NULL, &err);
    assert_succeeds(file_read_at(fd, 7, buffer, 3, &err));
    assert_memory_equal(buffer, "xxx", 3);
    assert_fails(file_read_at(fd, 8, buffer, 3, &err), ERR_IO);
    assert_non_null(strstr(err.message, "ends at byte 10"));
    assert_succeeds(file_read_at(fd, 100, buffer, 0, &err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_created_once),
        TEST(a_link_is_not_followed),
        TEST(what_is_no_file_is_damaged_and_not_waited_for),
        TEST(why_a_file_does_not_open_is_told_by_the_code),
        TEST(a_file_is_read_up_to_its_maximum),
        TEST(a_read_that_is_interrupted_or_comes_short_goes_on),
        TEST(bytes_are_read_where_they_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
