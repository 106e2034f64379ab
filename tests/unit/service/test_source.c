#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/source.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define FIELD "/memory_file_path"

/* home/root and home/root/inner are roots, home/outside is none. */
struct tree {
    struct fixture fixture;
    struct path root, inner;
    struct roots *roots;
};

static struct path at(void **state, const char *name)
{
    const struct tree *tree = *state;

    return path_of("%s/%s", tree->fixture.home.text, name);
}

static int set_up(void **state)
{
    struct error err = {0};
    struct tree *tree = calloc(1, sizeof *tree);

    must(tree, "out of memory");
    *state = tree;
    fixture_make(&tree->fixture, NULL);
    tree->root = at(state, "root");
    tree->inner = at(state, "root/inner");
    disk_make_dir(tree->root.text);
    disk_make_dir(tree->inner.text);
    disk_make_dir(at(state, "outside").text);
    disk_write(at(state, "root/file").text, 1, 'r');
    disk_write(at(state, "root/inner/file").text, 2, 'i');
    disk_write(at(state, "outside/file").text, 3, 'o');
    tree->roots = roots_open((char *[]){tree->root.text, tree->inner.text}, 2, &err);
    must(tree->roots, err.message);
    return 0;
}

static int tear_down(void **state)
{
    struct tree *tree = *state;

    roots_close(tree->roots);
    fixture_remove(&tree->fixture);
    free(tree);
    return 0;
}

static struct source *open_path(void **state, const char *path, struct error *err)
{
    const struct tree *tree = *state;

    *err = (struct error){0};
    return source_open(tree->roots, path, FIELD, err);
}

static void assert_opens(void **state, const char *path, off_t size)
{
    struct error err;
    auto_source struct source *source = open_path(state, path, &err);

    must(source, err.message);
    assert_int_equal(source->stat.st_size, size);
    assert_string_equal(source->path, path);
    assert_int_equal(fcntl(source->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(source->fd, F_GETFD), FD_CLOEXEC);
}

static void assert_refused(void **state, const char *path, enum error_code code)
{
    struct error err;
    auto_source struct source *source = open_path(state, path, &err);

    assert_null(source);
    if (err.code != code)
        fail_msg("%s: %s", path, err.message);
    assert_string_equal(err.field, FIELD);
    assert_non_null(strstr(err.message, path));
}

static void a_file_beneath_a_root_opens(void **state)
{
    assert_opens(state, at(state, "root/file").text, 1);
    assert_opens(state, at(state, "root/inner/file").text, 2);
    assert_opens(state, at(state, "root//inner/./file").text, 2);
    assert_opens(state, at(state, "root/./inner/../file").text, 1);
}

static void a_file_outside_is_forbidden_whether_it_is_there_or_not(void **state)
{
    assert_refused(state, at(state, "outside/file").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "outside/none").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/../outside/file").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/../outside/none").text, ERR_FORBIDDEN);
    assert_refused(state, "/etc/passwd", ERR_FORBIDDEN);
    assert_refused(state, "/", ERR_FORBIDDEN);
}

static void roots_are_compared_by_whole_components(void **state)
{
    disk_make_dir(at(state, "root2").text);
    disk_write(at(state, "root2/file").text, 1, 'x');
    assert_refused(state, at(state, "root2/file").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "roo").text, ERR_FORBIDDEN);
}

static void relative_links_that_stay_inside_are_followed(void **state)
{
    must(symlink("inner/file", at(state, "root/link").text) == 0, "symlink");
    must(symlink("inner", at(state, "root/dir").text) == 0, "symlink");
    assert_opens(state, at(state, "root/link").text, 2);
    assert_opens(state, at(state, "root/dir/file").text, 2);
}

static void links_that_lead_out_are_forbidden(void **state)
{
    must(symlink("../outside/file", at(state, "root/relative").text) == 0, "symlink");
    must(symlink(at(state, "outside/file").text, at(state, "root/absolute").text) == 0, "symlink");
    must(symlink(at(state, "root/file").text, at(state, "root/back").text) == 0, "symlink");
    must(symlink("../outside", at(state, "root/dir").text) == 0, "symlink");
    must(symlink("loop", at(state, "root/loop").text) == 0, "symlink");
    must(symlink("../file", at(state, "root/inner/up").text) == 0, "symlink");
    assert_refused(state, at(state, "root/relative").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/absolute").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/back").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/dir/file").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/loop").text, ERR_FORBIDDEN);
    /* The nearest root counts. */
    assert_refused(state, at(state, "root/inner/up").text, ERR_FORBIDDEN);
    assert_refused(state, at(state, "root/inner/../file").text, ERR_FORBIDDEN);
}

static void magic_links_are_forbidden(void **state)
{
    struct error err = {0};
    struct roots *roots = roots_open((char *[]){(char[]){"/proc"}}, 1, &err);
    auto_fd int fd = open(at(state, "outside/file").text, O_RDONLY | O_CLOEXEC);
    struct path path = path_of("/proc/self/fd/%d", fd);

    assert_non_null(roots);
    assert_fails(source_open(roots, path.text, FIELD, &err), ERR_FORBIDDEN);
    roots_close(roots);
}

static void what_is_missing_is_invalid(void **state)
{
    char longest[400];

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_refused(state, at(state, "root/none").text, ERR_INVALID);
    assert_refused(state, at(state, "root/file/more").text, ERR_INVALID);
    assert_refused(state, path_of("%s/%s", at(state, "root").text, longest).text, ERR_INVALID);
}

static void what_is_no_regular_file_is_invalid_and_not_touched(void **state)
{
    must(mkfifo(at(state, "root/fifo").text, 0600) == 0, "mkfifo"); /* opening it would hang */
    assert_refused(state, at(state, "root/fifo").text, ERR_INVALID);
    assert_refused(state, at(state, "root/inner").text, ERR_INVALID);
    assert_refused(state, at(state, "root").text, ERR_INVALID);
    assert_refused(state, at(state, "root/").text, ERR_INVALID);
}

static void a_lookup_that_a_rename_disturbs_is_repeated(void **state)
{
    fault_arm_error("syscall", 1, EAGAIN);
    assert_opens(state, at(state, "root/file").text, 1);
    assert_string_equal(fault_disarm().struck, "syscall");
}

static void a_failing_disk_is_no_fault_of_the_request(void **state)
{
    fault_arm_error("syscall", 1, EIO);
    assert_refused(state, at(state, "root/file").text, ERR_IO);
    fault_arm_error("open", 1, EIO);
    assert_refused(state, at(state, "root/file").text, ERR_IO);
    fault_disarm();
}

static void a_missing_root_is_named(void **state)
{
    struct error err = {0};
    struct path none = at(state, "none");
    struct path file = at(state, "root/file");
    char relative[] = "vms";

    assert_fails(roots_open((char *[]){none.text}, 1, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, none.text));
    assert_fails(roots_open((char *[]){file.text}, 1, &err), ERR_INVALID);
    assert_fails(roots_open((char *[]){relative}, 1, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "absolute"));
}

static void without_roots_everything_is_forbidden(void **state)
{
    struct error err = {0};
    struct roots *roots = roots_open(NULL, 0, &err);

    assert_non_null(roots);
    assert_fails(source_open(roots, at(state, "root/file").text, FIELD, &err), ERR_FORBIDDEN);
    roots_close(roots);
}

/* It is the directory that is the root, not its name. */
static void a_root_is_resolved_once(void **state)
{
    must(rename(at(state, "root").text, at(state, "moved").text) == 0, "rename");
    must(symlink("outside", at(state, "root").text) == 0, "symlink");
    assert_opens(state, at(state, "root/file").text, 1);
}

static void where_a_source_lies_is_known_however_it_was_named(void **state)
{
    struct error err;

    must(symlink("inner/file", at(state, "root/link").text) == 0, "symlink");
    auto_source struct source *source = open_path(state, at(state, "root/link").text, &err);
    assert_true(source_is_at(source, at(state, "root/inner/file").text));
    assert_false(source_is_at(source, at(state, "root/link").text));
    assert_false(source_is_at(source, at(state, "root/inner/fil").text));
    assert_false(source_is_at(source, at(state, "root/inner/file2").text));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_file_beneath_a_root_opens),
        TEST(a_file_outside_is_forbidden_whether_it_is_there_or_not),
        TEST(roots_are_compared_by_whole_components),
        TEST(relative_links_that_stay_inside_are_followed),
        TEST(links_that_lead_out_are_forbidden),
        TEST(magic_links_are_forbidden),
        TEST(what_is_missing_is_invalid),
        TEST(what_is_no_regular_file_is_invalid_and_not_touched),
        TEST(a_lookup_that_a_rename_disturbs_is_repeated),
        TEST(a_failing_disk_is_no_fault_of_the_request),
        TEST(a_missing_root_is_named),
        TEST(without_roots_everything_is_forbidden),
        TEST(a_root_is_resolved_once),
        TEST(where_a_source_lies_is_known_however_it_was_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
