/* The path that a client named comes to mean something else between two calls of the service: what
 * lies outside the memory roots never gets into a snapshot. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID          "s"
#define SIZE        ((size_t)4096)
#define MINE        'm'
#define SECRET      's'
#define CALLS_LEAST 10 /* of a create; fewer, and the linker does not give us the calls */

struct trap {
    struct fixture *fixture;
    void (*swap)(const struct fixture *fixture);
};

static struct path vm_of(const struct fixture *fixture, const char *file)
{
    return path_of("%s/vm%s%s", fixture->root.text, *file ? "/" : "", file);
}

static struct path outside(const struct fixture *fixture, const char *file)
{
    return path_of("%s/outside/%s", fixture->home.text, file);
}

static void lay_out(const struct fixture *fixture)
{
    disk_remove(vm_of(fixture, "").text);
    disk_make_dir(vm_of(fixture, "").text);
    disk_make_dir(path_of("%s/outside", fixture->home.text).text);
    disk_write(vm_of(fixture, "memory").text, SIZE, MINE);
    disk_write(vm_of(fixture, "state").text, SIZE, MINE);
    disk_write(outside(fixture, "memory").text, SIZE, SECRET);
    disk_write(outside(fixture, "state").text, SIZE, SECRET);
}

static void point_to(const char *target, const char *path)
{
    disk_remove(path);
    must(symlink(target, path) == 0, path);
}

static void swap_files_by_relative_links(const struct fixture *fixture)
{
    point_to("../../outside/memory", vm_of(fixture, "memory").text);
    point_to("../../outside/state", vm_of(fixture, "state").text);
}

static void swap_files_by_absolute_links(const struct fixture *fixture)
{
    point_to(outside(fixture, "memory").text, vm_of(fixture, "memory").text);
    point_to(outside(fixture, "state").text, vm_of(fixture, "state").text);
}

static void swap_directory_by_a_link(const struct fixture *fixture)
{
    point_to("../outside", vm_of(fixture, "").text);
}

static void spring(void *context)
{
    const struct trap *trap = context;

    trap->swap(trap->fixture);
}

static bool create(struct fixture *fixture, enum capture capture, struct error *err)
{
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, ID, vm_of(fixture, "memory").text, capture, 1);
    creation.state_file_path = strdup(vm_of(fixture, "state").text);
    return snapshot_create(fixture->service, &creation, NULL, &made, err);
}

static void assert_mine(const struct fixture *fixture)
{
    struct path home = path_of("%s/snapshots/" ID, fixture->store.text);

    assert_true(disk_holds(path_of("%s/" MEMORY_FILE, home.text).text, SIZE, MINE));
    assert_true(disk_holds(path_of("%s/" STATE_FILE, home.text).text, SIZE, MINE));
}

/* Forbidden, or gone; and not a word of what is outside. */
static void assert_refused(const struct fixture *fixture, const struct error *err)
{
    if (err->code != ERR_FORBIDDEN && err->code != ERR_INVALID)
        fail_msg("%s: %s", error_slug(err->code), err->message);
    assert_null(strstr(err->message, "outside"));
    assert_int_equal(disk_count(path_of("%s/snapshots", fixture->store.text).text), 0);
}

/* False when a create makes no nth call. */
static bool swap_at(struct trap *trap, enum capture capture, unsigned nth)
{
    struct error err = {0};
    const struct guard guard = {0};
    struct fault_plan fault = {.kinds = FAULT_LOOK | FAULT_DISK,
                               .effect = FAULT_HOOK,
                               .nth = nth,
                               .hook = spring,
                               .context = trap};

    lay_out(trap->fixture);
    fault_arm(&fault);
    bool created = create(trap->fixture, capture, &err);
    bool struck = fault_disarm().struck != NULL;
    if (!created) {
        assert_refused(trap->fixture, &err);
        return struck;
    }
    assert_mine(trap->fixture);
    assert_succeeds(snapshot_delete(trap->fixture->service, ID, &guard, &err));
    return struck;
}

static void swap_at_each(void **state, void (*swap)(const struct fixture *fixture))
{
    static const enum capture captures[] = {CAPTURE_LINK, CAPTURE_COPY};
    struct trap trap = {*state, swap};

    for (size_t i = 0; i < 2; i++) {
        unsigned nth = 1;
        while (swap_at(&trap, captures[i], nth))
            nth++;
        assert_true(nth > CALLS_LEAST);
    }
}

static void a_file_swapped_for_a_relative_link_lets_nothing_in(void **state)
{
    swap_at_each(state, swap_files_by_relative_links);
}

static void a_file_swapped_for_an_absolute_link_lets_nothing_in(void **state)
{
    swap_at_each(state, swap_files_by_absolute_links);
}

static void a_directory_swapped_for_a_link_lets_nothing_in(void **state)
{
    swap_at_each(state, swap_directory_by_a_link);
}

/* In place, too, where the directory is the VMM's own. */
static void swap_memory_in_place(const struct fixture *fixture)
{
    point_to("../../../outside/memory",
             path_of("%s/snapshots/" ID "/" MEMORY_FILE, fixture->store.text).text);
}

static bool join_at(struct trap *trap, unsigned nth)
{
    struct error err = {0};
    struct fixture *fixture = trap->fixture;
    struct path home = path_of("%s/snapshots/" ID, fixture->store.text);
    struct path memory = path_of("%s/" MEMORY_FILE, home.text);
    auto_creation struct creation creation;
    auto_made struct made made = {0};
    struct fault_plan fault = {.kinds = FAULT_LOOK | FAULT_DISK,
                               .effect = FAULT_HOOK,
                               .nth = nth,
                               .hook = spring,
                               .context = trap};

    lay_out(fixture);
    disk_make_dir(home.text);
    disk_write(memory.text, SIZE, MINE);
    request(&creation, ID, memory.text, CAPTURE_LINK, 1);
    fault_arm(&fault);
    bool created = snapshot_create(fixture->service, &creation, NULL, &made, &err);
    bool struck = fault_disarm().struck != NULL;
    assert_true(disk_holds(outside(fixture, "memory").text, SIZE, SECRET));
    if (!created)
        assert_null(strstr(err.message, "outside"));
    disk_remove(home.text);
    return struck;
}

static void memory_swapped_in_place_leaves_what_is_outside_alone(void **state)
{
    struct trap trap = {*state, swap_memory_in_place};
    unsigned nth = 1;

    while (join_at(&trap, nth))
        nth++;
    assert_true(nth > CALLS_LEAST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_swapped_for_a_relative_link_lets_nothing_in),
        TEST(a_file_swapped_for_an_absolute_link_lets_nothing_in),
        TEST(a_directory_swapped_for_a_link_lets_nothing_in),
        TEST(memory_swapped_in_place_leaves_what_is_outside_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
