#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/store.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

static int set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof *fixture);

    must(fixture, "out of memory");
    fixture_make(fixture, NULL);
    *state = fixture;
    return 0;
}

static const char *store_path(void **state)
{
    const struct fixture *fixture = *state;

    return fixture->store.text;
}

static void opening_makes_the_layout_and_its_parents(void **state)
{
    struct error err = {0};
    struct path path = path_of("%s/a/b/", store_path(state));
    auto_store struct store *store = store_open(path.text, 0, &err);

    assert_non_null(store);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd", path.text).text), 3);
    assert_int_equal(disk_count(path_of("%s/snapshots", path.text).text), 0);
    assert_int_equal(disk_stat(path_of("%s/snapshots", path.text).text).st_mode & 0777, 0750);
    assert_int_equal(disk_stat(path_of("%s/.vmsnapd/lock", path.text).text).st_mode & 0777, 0640);
}

static void a_relative_path_is_refused(void **state)
{
    struct error err = {0};

    (void)state;
    assert_fails(store_open("store", 0, &err), ERR_INVALID);
    assert_fails(store_open("", 0, &err), ERR_INVALID);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    struct error err = {0};
    char path[5000];

    (void)state;
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_fails(store_open(path, 0, &err), ERR_INVALID);
}

static void a_file_in_the_stores_place_is_an_error(void **state)
{
    struct error err = {0};

    disk_write(store_path(state), 1, 'x');
    assert_fails(store_open(store_path(state), 0, &err), ERR_IO);
    assert_non_null(strstr(err.message, store_path(state)));
}

static void a_store_that_may_not_be_written_is_told_with_a_remedy(void **state)
{
    struct error err = {0};

    fault_arm_error("mkdir", 1, EACCES);
    assert_fails(store_open(store_path(state), 0, &err), ERR_PERMISSION);
    fault_disarm();
    assert_non_null(strstr(err.message, "make it writable"));
}

static void a_symbolic_link_to_the_store_is_resolved_once(void **state)
{
    struct error err = {0};
    struct path link = path_of("%s-link", store_path(state));

    disk_make_dir(store_path(state));
    assert_int_equal(symlink(store_path(state), link.text), 0);
    auto_store struct store *store = store_open(link.text, 0, &err);
    assert_string_equal(store->path, store_path(state));
}

static void a_second_owner_is_told_who_the_first_is(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(store_path(state), 0, &err);
    char pid[32];

    assert_non_null(store);
    assert_fails(store_open(store_path(state), 0, &err), ERR_BUSY);
    snprintf(pid, sizeof pid, "pid %d on ", (int)getpid());
    assert_non_null(strstr(err.message, pid));
    assert_non_null(strstr(err.message, "since 20"));
    assert_non_null(strstr(err.message, "--lock-wait"));
}

static void a_closed_store_can_be_opened_again(void **state)
{
    struct error err = {0};

    for (int i = 0; i < 2; i++) {
        auto_store struct store *store = store_open(store_path(state), 0, &err);
        assert_non_null(store);
    }
}

static void unlock(void *lock)
{
    close_p(lock);
}

/* The first owner goes while the second one waits. */
static void a_second_owner_waits_for_the_first(void **state)
{
    struct error err = {0};
    struct store *first = store_open(store_path(state), 0, &err);
    struct fault_plan fault = {.kinds = FAULT_LOOK,
                               .only = "flock",
                               .effect = FAULT_HOOK,
                               .nth = 2,
                               .hook = unlock,
                               .context = &first->lock};

    fault_arm(&fault);
    auto_store struct store *second = store_open(store_path(state), 60, &err);
    assert_non_null(fault_disarm().struck);
    assert_non_null(second);
    first->lock = -1;
    store_close(first);
}

/* Each call that opening makes fails in turn. */
static void an_opening_that_fails_leaves_no_descriptor(void **state)
{
    size_t descriptors = open_descriptors();
    struct fault_plan fault = {.effect = FAULT_ERROR};

    for (fault.kinds = FAULT_DISK; fault.kinds <= FAULT_MEMORY; fault.kinds *= 2) {
        fault.errnum = fault.kinds == FAULT_MEMORY ? ENOMEM : EIO;
        for (fault.nth = 1;; fault.nth++) {
            struct error err = {0};
            fault_arm(&fault);
            struct store *store = store_open(store_path(state), 0, &err);
            bool struck = fault_disarm().struck != NULL;
            assert_true(store || err.message[0]);
            store_close(store);
            assert_int_equal(open_descriptors(), descriptors);
            disk_remove(store_path(state));
            if (!struck)
                break;
        }
        assert_true(fault.nth > 1);
    }
}

static void what_is_no_directory_is_no_snapshot(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(store_path(state), 0, &err);
    struct path home = path_of("%s/snapshots", store_path(state));

    assert_int_equal(store_open_snapshot(store, "s", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    disk_write(path_of("%s/file", home.text).text, 1, 'x');
    assert_int_equal(store_open_snapshot(store, "file", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(symlink("/tmp", path_of("%s/link", home.text).text), 0);
    assert_int_equal(store_open_snapshot(store, "link", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_directory_is_current_until_another_has_its_name(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(store_path(state), 0, &err);
    struct path home = path_of("%s/s", path_of("%s/snapshots", store_path(state)).text);

    disk_make_dir(home.text);
    auto_fd int dir = store_open_snapshot(store, "s", &err);
    assert_true(store_is_current(store, "s", dir));
    assert_int_equal(rename(home.text, path_of("%s2", home.text).text), 0);
    assert_false(store_is_current(store, "s", dir));
    disk_make_dir(home.text);
    assert_false(store_is_current(store, "s", dir));
    assert_true(store_is_current(store, "s2", dir));
}

static size_t count_listed(int dir)
{
    struct error err = {0};
    auto_dir DIR *list = store_list(dir, &err);
    size_t count = 0;

    assert_non_null(list);
    while (store_next(list))
        count++;
    assert_int_equal(errno, 0);
    return count;
}

static void each_list_starts_at_the_beginning(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(store_path(state), 0, &err);

    for (int i = 0; i < 3; i++)
        disk_make_dir(path_of("%s/snapshots/%d", store_path(state), i).text);
    assert_int_equal(count_listed(store->snapshots), 3);
    assert_int_equal(count_listed(store->snapshots), 3);
}

static void the_end_of_a_list_is_not_taken_for_an_error_nor_the_reverse(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(store_path(state), 0, &err);
    auto_dir DIR *list = store_list(store->snapshots, &err);

    errno = ENOENT;
    assert_null(store_next(list));
    assert_int_equal(errno, 0);
    rewinddir(list);
    fault_arm_error("readdir", 1, EIO);
    assert_null(store_next(list));
    fault_disarm();
    assert_int_equal(errno, EIO);
}

static void the_paths_of_a_snapshot_are_absolute(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(store_path(state), 0, &err);
    auto_free char *directory = store_path_of(store, "s", NULL);
    auto_free char *file = store_path_of(store, "s", STATE_FILE);

    assert_string_equal(directory, path_of("%s/snapshots/s", store_path(state)).text);
    assert_string_equal(file, path_of("%s/snapshots/s/state.bin", store_path(state)).text);
}

static void just_four_names_are_ours(void **state)
{
    (void)state;
    assert_true(store_owns_name("manifest.bin"));
    assert_true(store_owns_name("state.bin"));
    assert_true(store_owns_name("memory.bin"));
    assert_true(store_owns_name("snapshot.json"));
    assert_false(store_owns_name("disk.vhdx"));
    assert_false(store_owns_name("manifest.bin.old"));
    assert_false(store_owns_name(""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(opening_makes_the_layout_and_its_parents),
        TEST(a_relative_path_is_refused),
        TEST(a_path_that_is_too_long_is_refused),
        TEST(a_file_in_the_stores_place_is_an_error),
        TEST(a_store_that_may_not_be_written_is_told_with_a_remedy),
        TEST(a_symbolic_link_to_the_store_is_resolved_once),
        TEST(a_second_owner_is_told_who_the_first_is),
        TEST(a_closed_store_can_be_opened_again),
        TEST(a_second_owner_waits_for_the_first),
        TEST(an_opening_that_fails_leaves_no_descriptor),
        TEST(what_is_no_directory_is_no_snapshot),
        TEST(a_directory_is_current_until_another_has_its_name),
        TEST(each_list_starts_at_the_beginning),
        TEST(the_end_of_a_list_is_not_taken_for_an_error_nor_the_reverse),
        TEST(the_paths_of_a_snapshot_are_absolute),
        TEST(just_four_names_are_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
