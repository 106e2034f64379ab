#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/service.h"
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

static void opening_tells_what_can_be_done(void **state)
{
    struct fixture *fixture = *state;

    fixture_open(fixture);
    assert_true(fixture->service->abilities.link);
    assert_true(fixture->service->abilities.lease);
    assert_int_equal(fixture->service->leftovers, 0);
    if (geteuid() == 0)
        assert_non_null(strstr(fixture->service->capabilities, "DAC_OVERRIDE"));
}

static int fail_to_open(void *context)
{
    struct error err = {0};
    struct fixture *fixture = context;
    struct path parent = path_of("pid %d on ", (int)getppid());

    return !service_open(&fixture->settings, &err) && err.code == ERR_BUSY
            && strstr(err.message, parent.text)
        ? 0
        : 1;
}

static void a_second_process_is_told_the_pid_of_the_first(void **state)
{
    fixture_open(*state);
    assert_int_equal(in_child(fail_to_open, *state), 0);
}

static int die_holding_the_lock(void *context)
{
    fixture_open(context);
    return 0;
}

static void the_lock_of_a_dead_process_is_free(void **state)
{
    assert_int_equal(in_child(die_holding_the_lock, *state), 0);
    fixture_open(*state);
}

static void a_missing_memory_root_is_an_error_at_start(void **state)
{
    struct error err = {0};
    struct fixture *fixture = *state;

    disk_remove(fixture->root.text);
    assert_fails(service_open(&fixture->settings, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, fixture->root.text));
}

static void a_filesystem_that_cannot_hold_a_store_is_an_error_at_start(void **state)
{
    struct error err = {0};
    struct fixture *fixture = *state;

    fault_arm_error("renameat2", 2, EINVAL);
    assert_fails(service_open(&fixture->settings, &err), ERR_INVALID);
    fault_disarm();
    assert_non_null(strstr(err.message, "RENAME_EXCHANGE"));
}

static void what_a_killed_predecessor_left_is_cleared_but_others_files_stay(void **state)
{
    struct fixture *fixture = *state;
    struct path staging = path_of("%s/.vmsnapd/staging", fixture->store.text);

    fixture_open(fixture);
    fixture_close(fixture);
    disk_make_dir(path_of("%s/ours", staging.text).text);
    disk_write(path_of("%s/ours/" MEMORY_FILE, staging.text).text, 1, 'm');
    disk_make_dir(path_of("%s/theirs", staging.text).text);
    disk_write(path_of("%s/theirs/notes", staging.text).text, 1, 'n');
    fixture_open(fixture);
    assert_int_equal(fixture->service->leftovers, 1);
    assert_int_equal(disk_count(staging.text), 1);
    assert_int_equal(disk_count(path_of("%s/theirs", staging.text).text), 1);
}

static void closing_finishes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    const struct guard guard = {0};
    struct path memory = path_of("%s/memory", fixture->root.text);

    fixture_open(fixture);
    disk_write(memory.text, 1, 'm');
    for (int i = 0; i < 20; i++) {
        fixture_create(fixture, "s", memory.text, CAPTURE_LINK, 1);
        assert_true(snapshot_delete(fixture->service, "s", &guard, &err));
    }
    fixture_close(fixture);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/trash", fixture->store.text).text), 0);
    assert_int_equal(disk_stat(memory.text).st_nlink, 1);
}

static void a_broken_lease_cannot_kill_the_process(void **state)
{
    struct sigaction action;

    fixture_open(*state);
    assert_int_equal(sigaction(SIGIO, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_IGN);
}

static void an_opening_that_fails_leaves_nothing_open(void **state)
{
    struct fixture *fixture = *state;
    size_t descriptors = open_descriptors();
    struct fault_plan plan = {.effect = FAULT_ERROR};

    for (plan.kinds = FAULT_DISK; plan.kinds <= FAULT_MEMORY; plan.kinds *= 2) {
        bool struck = true;
        plan.errnum = plan.kinds == FAULT_MEMORY ? ENOMEM : EIO;
        for (plan.nth = 1; struck; plan.nth++) {
            struct error err = {0};
            fault_arm(&plan);
            struct service *service = service_open(&fixture->settings, &err);
            struck = fault_disarm().struck != NULL;
            assert_true(service || err.message[0]);
            service_close(service);
            assert_int_equal(open_descriptors(), descriptors);
            disk_remove(fixture->store.text);
        }
        assert_true(plan.nth > 5);
    }
}

static void nothing_can_be_closed(void **state)
{
    (void)state;
    service_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(opening_tells_what_can_be_done),
        TEST(a_second_process_is_told_the_pid_of_the_first),
        TEST(the_lock_of_a_dead_process_is_free),
        TEST(a_missing_memory_root_is_an_error_at_start),
        TEST(a_filesystem_that_cannot_hold_a_store_is_an_error_at_start),
        TEST(what_a_killed_predecessor_left_is_cleared_but_others_files_stay),
        TEST(closing_finishes_what_is_queued),
        TEST(a_broken_lease_cannot_kill_the_process),
        TEST(an_opening_that_fails_leaves_nothing_open),
        TEST(nothing_can_be_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
