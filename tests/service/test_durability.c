/* What is promised about a power cut: nothing is renamed before it is flushed, and nothing is
 * acknowledged before the rename is. Seen by the order of the calls. */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID   "s"
#define PAGE ((size_t)4096)

static struct path home_of(const struct fixture *fixture, const char *file)
{
    return path_of("%s/snapshots/" ID "%s%s", fixture->store.text, *file ? "/" : "", file);
}

static bool create(struct fixture *fixture, const char *memory, enum capture capture)
{
    struct error err = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, ID, memory, capture, 1);
    creation.has_state_bytes = true;
    must(text_appends(&creation.state_bytes, "state"), "out of memory");
    return snapshot_create(fixture->service, &creation, NULL, &made, &err);
}

static bool replace(struct fixture *fixture, const char *memory)
{
    struct error err = {0};
    const struct guard guard = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, ID, memory, CAPTURE_LINK, 2);
    return snapshot_replace(fixture->service, &creation, NULL, &guard, &made, &err);
}

static bool create_by_link(struct fixture *fixture)
{
    struct path memory = path_of("%s/memory", fixture->root.text);

    return create(fixture, memory.text, CAPTURE_LINK);
}

static bool create_by_copy(struct fixture *fixture)
{
    struct path memory = path_of("%s/memory", fixture->root.text);

    return create(fixture, memory.text, CAPTURE_COPY);
}

static bool replace_by_link(struct fixture *fixture)
{
    return replace(fixture, path_of("%s/memory", fixture->root.text).text);
}

static bool create_in_place(struct fixture *fixture)
{
    return create(fixture, home_of(fixture, MEMORY_FILE).text, CAPTURE_LINK);
}

static bool replace_in_place(struct fixture *fixture)
{
    return replace(fixture, home_of(fixture, MEMORY_FILE).text);
}

static struct path saved_path(const struct fixture *fixture)
{
    return path_of("%s/saved", fixture->root.text);
}

static bool take_in(struct fixture *fixture)
{
    struct error err = {0};
    auto_made struct made made = {0};
    auto_creation struct creation creation = {
        .id = strdup(ID),
        .snapshot_dir_path = strdup(saved_path(fixture).text),
        .capture = CAPTURE_LINK,
        .allow_writer = true,
    };

    return snapshot_create(fixture->service, &creation, NULL, &made, &err);
}

static bool hold(struct fixture *fixture)
{
    struct error err = {0};
    const struct guard guard = {0};
    const struct patch patch = {.has_held = true, .held = true};
    auto_snapshot struct snapshot patched = {0};

    return snapshot_patch(fixture->service, ID, &patch, &guard, &patched, &err);
}

static bool delete_it(struct fixture *fixture)
{
    struct error err = {0};
    const struct guard guard = {0};

    return snapshot_delete(fixture->service, ID, &guard, &err);
}

static void start_with_nothing(struct fixture *fixture)
{
    disk_remove(home_of(fixture, "").text);
    disk_write(path_of("%s/memory", fixture->root.text).text, PAGE, 'm');
}

static void start_with_a_snapshot(struct fixture *fixture)
{
    start_with_nothing(fixture);
    must(create_by_link(fixture), "a snapshot");
}

static void start_with_what_openvmm_saved(struct fixture *fixture)
{
    start_with_nothing(fixture);
    openvmm_save(home_of(fixture, "").text, PAGE, 'm', 1);
    openvmm_save(saved_path(fixture).text, PAGE, 'm', 1);
}

static void start_with_what_openvmm_saved_elsewhere(struct fixture *fixture)
{
    start_with_what_openvmm_saved(fixture);
    disk_remove(home_of(fixture, "").text);
}

static void start_with_memory_in_place(struct fixture *fixture)
{
    start_with_nothing(fixture);
    disk_make_dir(home_of(fixture, "").text);
    disk_write(home_of(fixture, MEMORY_FILE).text, PAGE, 'm');
}

static void start_with_a_snapshot_in_place(struct fixture *fixture)
{
    start_with_memory_in_place(fixture);
    must(create_in_place(fixture), "a snapshot");
}

/* The calls that change the disk, in their order: one a run, each run the same. */
static void trace(struct fixture *fixture, void (*start)(struct fixture *fixture),
                  bool (*change)(struct fixture *fixture), struct text *out)
{
    struct fault_plan plan = {.kinds = FAULT_DISK};
    struct fault_seen seen = {.struck = ""};

    for (plan.nth = 1; seen.struck; plan.nth++) {
        start(fixture);
        fault_arm(&plan);
        assert_true(change(fixture));
        seen = fault_disarm();
        fixture_settle(fixture);
        must(!seen.struck || text_appendf(out, "%s ", seen.struck), "out of memory");
    }
}

static void assert_order(void **state, void (*start)(struct fixture *fixture),
                         bool (*change)(struct fixture *fixture), const char *expected)
{
    auto_text struct text calls = {0};

    trace(*state, start, change, &calls);
    assert_string_equal(text_str(&calls), expected);
}

/* clang-format off */
#define BEGIN     "mkdirat openat "                             /* a stage, and state.bin in it */
#define STATE     "write fchmod fsync "
#define NO_STATE  "fchmod fsync "
#define DOCUMENTS "openat write fsync openat write fsync "      /* snapshot.json, manifest.bin */
#define CLEAR     "unlinkat unlinkat unlinkat unlinkat unlinkat " /* four names and a directory */
/* clang-format on */

static void a_snapshot_by_link_is_flushed_then_renamed_then_flushed(void **state)
{
    assert_order(state, start_with_nothing, create_by_link,
                 BEGIN "linkat fdatasync " STATE DOCUMENTS "fsync renameat2 fsync ");
}

static void a_snapshot_by_copy_is_flushed_then_renamed_then_flushed(void **state)
{
    assert_order(state, start_with_nothing, create_by_copy,
                 BEGIN "openat ftruncate pwrite fchmod fsync " STATE DOCUMENTS
                       "fsync renameat2 fsync ");
}

/* The last rename is the old one's way to the trash. */
static void a_replacement_is_flushed_then_exchanged_then_flushed(void **state)
{
    assert_order(state, start_with_a_snapshot, replace_by_link,
                 BEGIN "linkat fdatasync " NO_STATE DOCUMENTS "fsync renameat2 fsync renameat2 ");
}

/* state.bin and snapshot.json move and are flushed before the manifest moves, which is flushed,
 * too. A file that is not there is looked for in vain. */
static void in_place_the_manifest_comes_after_all_else_is_flushed(void **state)
{
    assert_order(state, start_with_memory_in_place, create_in_place,
                 BEGIN "fdatasync " STATE DOCUMENTS "mkdirat "
                       "renameat2 renameat2 renameat2 renameat2 fsync renameat2 fsync " CLEAR
                           CLEAR);
}

static void in_place_the_old_manifest_goes_first_and_for_good(void **state)
{
    assert_order(state, start_with_a_snapshot_in_place, replace_in_place,
                 BEGIN "fdatasync " NO_STATE DOCUMENTS "mkdirat "
                       "renameat2 fsync "
                       "renameat2 renameat2 renameat2 renameat2 fsync renameat2 fsync " CLEAR
                           CLEAR);
}

static void a_removal_is_flushed_before_anything_is_unlinked(void **state)
{
    assert_order(state, start_with_a_snapshot, delete_it, "renameat2 fsync renameat2 ");
}

static void what_is_taken_in_is_flushed_as_any(void **state)
{
    assert_order(state, start_with_what_openvmm_saved_elsewhere, take_in,
                 BEGIN "linkat fdatasync " STATE DOCUMENTS "fsync renameat2 fsync ");
}

static void a_patch_is_flushed_then_exchanged_then_flushed(void **state)
{
    assert_order(state, start_with_a_snapshot, hold,
                 "mkdirat openat write fsync renameat2 fsync " CLEAR);
}

/* What is to be exchanged is looked for in vain. */
static void a_first_record_is_flushed_then_renamed_then_flushed(void **state)
{
    assert_order(state, start_with_what_openvmm_saved, hold,
                 "mkdirat openat write fsync renameat2 renameat2 fsync " CLEAR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_snapshot_by_link_is_flushed_then_renamed_then_flushed),
        TEST(a_snapshot_by_copy_is_flushed_then_renamed_then_flushed),
        TEST(a_replacement_is_flushed_then_exchanged_then_flushed),
        TEST(in_place_the_manifest_comes_after_all_else_is_flushed),
        TEST(in_place_the_old_manifest_goes_first_and_for_good),
        TEST(what_is_taken_in_is_flushed_as_any),
        TEST(a_patch_is_flushed_then_exchanged_then_flushed),
        TEST(a_first_record_is_flushed_then_renamed_then_flushed),
        TEST(a_removal_is_flushed_before_anything_is_unlinked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
