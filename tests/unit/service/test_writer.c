#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/writer.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

#define PAGE ((size_t)4096)

static int set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof *fixture);

    must(fixture, "out of memory");
    fixture_make(fixture, NULL);
    disk_write(path_of("%s/" MEMORY_FILE, fixture->home.text).text, PAGE, 'm');
    writer_prepare();
    *state = fixture;
    return 0;
}

static struct path memory_of(void **state)
{
    const struct fixture *fixture = *state;

    return path_of("%s/" MEMORY_FILE, fixture->home.text);
}

static enum writer check(const char *path)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    must(fd >= 0, path);
    return writer_check(fd);
}

static void check_user(void **state, void (*use)(const char *path), enum writer expected)
{
    struct file_user user;
    struct path memory = memory_of(state);

    file_user_start(&user, memory.text, use);
    assert_int_equal(check(memory.text), expected);
    file_user_stop(&user);
    assert_int_equal(check(memory.text), WRITER_NONE);
}

static void a_process_that_has_the_file_open_writable_is_seen(void **state)
{
    check_user(state, open_writable, WRITER_PRESENT);
}

static void a_process_that_only_maps_the_file_is_seen(void **state)
{
    check_user(state, map_writable, WRITER_PRESENT);
}

static void a_process_that_only_reads_the_file_is_no_writer(void **state)
{
    check_user(state, open_readable, WRITER_NONE);
}

static void a_writer_through_another_link_is_seen(void **state)
{
    struct file_user user;
    struct path memory = memory_of(state);
    struct path other = path_of("%s.other", memory.text);

    assert_int_equal(link(memory.text, other.text), 0);
    file_user_start(&user, other.text, map_writable);
    assert_int_equal(check(memory.text), WRITER_PRESENT);
    file_user_stop(&user);
}

/* The lease is not kept: nobody who opens the file afterwards waits for us. */
static void the_check_leaves_no_lease_behind(void **state)
{
    struct path memory = memory_of(state);
    auto_fd int fd = open(memory.text, O_RDONLY | O_CLOEXEC);

    assert_int_equal(writer_check(fd), WRITER_NONE);
    assert_int_equal(fcntl(fd, F_GETLEASE), F_UNLCK);
    auto_fd int writer = open(memory.text, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(writer >= 0);
}

static void a_broken_lease_does_not_kill(void **state)
{
    struct file_user user;
    struct path memory = memory_of(state);
    auto_fd int fd = open(memory.text, O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
    assert_int_equal(open(memory.text, O_WRONLY | O_NONBLOCK), -1); /* breaks it: SIGIO */
    assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    file_user_start(&user, memory.text, open_writable);
    file_user_stop(&user);
}

static int check_as_nobody(void *context)
{
    auto_fd int fd = open(context, O_RDONLY | O_CLOEXEC);

    must(fd >= 0 && setresuid(61002, 61002, 61002) == 0, "another user");
    return (int)writer_check(fd);
}

static void who_may_not_take_a_lease_does_not_guess(void **state)
{
    struct path memory = memory_of(state);

    if (geteuid() != 0) {
        fprintf(stderr, "SKIPPED: only root can become another user\n");
        skip();
    }
    int status = in_child(check_as_nobody, memory.text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WRITER_UNKNOWN);
}

static void what_is_no_file_is_unknown(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(writer_check(ends[0]), WRITER_UNKNOWN);
    close(ends[0]);
    close(ends[1]);
}

static void the_memory_of_a_directory_is_checked_if_it_is_there(void **state)
{
    const struct fixture *fixture = *state;
    struct file_user user;
    auto_fd int dir = open(fixture->home.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(writer_check_memory(dir), WRITER_NONE);
    file_user_start(&user, memory_of(state).text, open_writable);
    assert_int_equal(writer_check_memory(dir), WRITER_PRESENT);
    file_user_stop(&user);
    assert_int_equal(unlink(memory_of(state).text), 0);
    assert_int_equal(writer_check_memory(dir), WRITER_NONE);
    disk_make_dir(memory_of(state).text);
    assert_int_equal(writer_check_memory(dir), WRITER_UNKNOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_process_that_has_the_file_open_writable_is_seen),
        TEST(a_process_that_only_maps_the_file_is_seen),
        TEST(a_process_that_only_reads_the_file_is_no_writer),
        TEST(a_writer_through_another_link_is_seen),
        TEST(the_check_leaves_no_lease_behind),
        TEST(a_broken_lease_does_not_kill),
        TEST(who_may_not_take_a_lease_does_not_guess),
        TEST(what_is_no_file_is_unknown),
        TEST(the_memory_of_a_directory_is_checked_if_it_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
