#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/file.h"
#include "service/stage.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

static const struct store *store_of(void **state)
{
    const struct fixture *fixture = *state;

    return fixture->service->store;
}

static struct path in_store(void **state, const char *name)
{
    return path_of("%s/%s", store_of(state)->path, name);
}

static size_t count(void **state, const char *name)
{
    return disk_count(in_store(state, name).text);
}

/* A stage with each file that joins a directory, and its memory. */
#define FILL_FLUSHES 4
static struct stage *fill(void **state, const char *content)
{
    static const char *const names[] = {MEMORY_FILE, STATE_FILE, RECORD_FILE, MANIFEST_FILE};
    struct error err = {0};
    struct stat owner = disk_stat(store_of(state)->path);
    struct stage *stage = stage_begin(store_of(state), &err);

    must(stage, err.message);
    for (size_t i = 0; i < 4; i++)
        must(stage_write(stage, names[i], content, strlen(content), &owner, &err), err.message);
    return stage;
}

static void publish(void **state, const char *id, const char *content)
{
    struct error err = {0};
    auto_stage struct stage *stage = fill(state, content);

    must(stage_publish(stage, id, &err), err.message);
}

static void assert_content(void **state, const char *path, const char *content)
{
    struct error err = {0};
    auto_text struct text bytes = {0};

    assert_succeeds(file_read(AT_FDCWD, in_store(state, path).text, 100, &bytes, NULL, &err));
    assert_string_equal(text_str(&bytes), content);
}

static void an_unpublished_stage_leaves_nothing_behind(void **state)
{
    {
        auto_stage struct stage *stage = fill(state, "new");
        assert_true(stage_dir(stage) >= 0);
        assert_int_equal(count(state, ".vmsnapd/staging"), 1);
    }
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
    assert_int_equal(count(state, "snapshots"), 0);
}

static void what_is_published_is_all_there(void **state)
{
    publish(state, "s", "new");
    assert_content(state, "snapshots/s/" MANIFEST_FILE, "new");
    assert_int_equal(count(state, "snapshots/s"), 4);
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
    assert_int_equal(disk_stat(in_store(state, "snapshots/s").text).st_mode & 0777, DIR_MODE);
}

static void publishing_never_replaces(void **state)
{
    struct error err = {0};
    auto_stage struct stage *stage = fill(state, "new");

    publish(state, "s", "old");
    assert_fails(stage_publish(stage, "s", &err), ERR_EXISTS);
    assert_content(state, "snapshots/s/" MANIFEST_FILE, "old");
    disk_make_dir(in_store(state, "snapshots/empty").text);
    assert_fails(stage_publish(stage, "empty", &err), ERR_EXISTS);
    assert_succeeds(stage_publish(stage, "other", &err));
}

static void what_cannot_be_flushed_is_not_published(void **state)
{
    struct error err = {0};
    auto_stage struct stage *stage = fill(state, "new");

    for (unsigned nth = 1; nth <= 2; nth++) {
        fault_arm_error("fsync", nth, EIO);
        assert_fails(stage_publish(stage, "s", &err), ERR_IO);
        assert_string_equal(fault_disarm().struck, "fsync");
        assert_int_equal(count(state, "snapshots"), 0);
    }
    assert_succeeds(stage_publish(stage, "s", &err));
}

/* The stage is gone afterwards. */
static bool replace(void **state, struct error *err)
{
    auto_stage struct stage *stage = fill(state, "new");

    return stage_replace(stage, "s", err);
}

static void replacing_exchanges_in_one_step(void **state)
{
    struct error err = {0};

    publish(state, "s", "old");
    assert_succeeds(replace(state, &err));
    assert_content(state, "snapshots/s/" MANIFEST_FILE, "new");
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
    assert_int_equal(count(state, ".vmsnapd/trash"), 1);
    assert_int_equal(stage_empty_trash(store_of(state)), 0);
    assert_int_equal(count(state, ".vmsnapd/trash"), 0);
}

static void nothing_cannot_be_replaced(void **state)
{
    struct error err = {0};

    assert_fails(replace(state, &err), ERR_NOT_FOUND);
    assert_int_equal(count(state, "snapshots"), 0);
}

static void a_replacement_that_cannot_be_flushed_is_undone(void **state)
{
    struct error err = {0};

    publish(state, "s", "old");
    fault_arm_error("fsync", FILL_FLUSHES + 2, EIO);
    assert_fails(replace(state, &err), ERR_IO);
    assert_non_null(fault_disarm().struck);
    assert_content(state, "snapshots/s/" MANIFEST_FILE, "old");
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static void a_replaced_snapshot_goes_even_if_the_trash_cannot_take_it(void **state)
{
    struct error err = {0};

    publish(state, "s", "old");
    fault_arm_error("renameat2", 2, EIO);
    assert_succeeds(replace(state, &err));
    assert_non_null(fault_disarm().struck);
    assert_content(state, "snapshots/s/" MANIFEST_FILE, "new");
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static void a_retired_snapshot_is_in_the_trash(void **state)
{
    struct error err = {0};

    publish(state, "s", "old");
    assert_succeeds(stage_retire(store_of(state), "s", &err));
    assert_int_equal(count(state, "snapshots"), 0);
    assert_int_equal(count(state, ".vmsnapd/trash"), 1);
    assert_fails(stage_retire(store_of(state), "s", &err), ERR_NOT_FOUND);
}

static void empty_trash(void *state)
{
    stage_empty_trash(store_of(state));
}

/* Another request empties the trash just then. */
static void a_removal_that_cannot_be_flushed_is_undone_whole(void **state)
{
    struct error err = {0};
    struct fault_plan fault = {.kinds = FAULT_DISK,
                               .only = "fsync",
                               .effect = FAULT_HOOK,
                               .nth = 1,
                               .hook = empty_trash,
                               .context = state,
                               .errnum = EIO};

    publish(state, "s", "old");
    fault_arm(&fault);
    assert_fails(stage_retire(store_of(state), "s", &err), ERR_IO);
    assert_non_null(fault_disarm().struck);
    assert_int_equal(count(state, "snapshots/s"), 4);
}

/* ---- in place ---- */

static void make_home(void **state)
{
    disk_make_dir(in_store(state, "snapshots/s").text);
    disk_write(in_store(state, "snapshots/s/" MEMORY_FILE).text, 4096, 'm');
}

static bool join(void **state, bool replace, struct error *err)
{
    auto_stage struct stage *stage = fill(state, "new");

    return stage_join(stage, "s", replace, err);
}

static void files_that_join_leave_the_memory_where_it_is(void **state)
{
    struct error err = {0};

    make_home(state);
    assert_succeeds(join(state, false, &err));
    assert_content(state, "snapshots/s/" MANIFEST_FILE, "new");
    assert_content(state, "snapshots/s/" STATE_FILE, "new");
    assert_content(state, "snapshots/s/" RECORD_FILE, "new");
    assert_true(disk_holds(in_store(state, "snapshots/s/" MEMORY_FILE).text, 4096, 'm'));
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static void joining_replaces_only_if_asked_to(void **state)
{
    struct error err = {0};

    make_home(state);
    assert_succeeds(join(state, false, &err));
    assert_fails(join(state, false, &err), ERR_EXISTS);
    assert_succeeds(join(state, true, &err));
    assert_int_equal(count(state, "snapshots/s"), 4);
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static void nothing_cannot_be_joined(void **state)
{
    struct error err = {0};

    assert_fails(join(state, true, &err), ERR_NOT_FOUND);
}

static bool put(void **state, const char *content, struct error *err)
{
    auto_stage struct stage *stage = fill(state, content);

    return stage_put(stage, "s", RECORD_FILE, err);
}

static void one_file_is_put_in_the_place_of_another_or_of_none(void **state)
{
    struct error err = {0};

    make_home(state);
    assert_succeeds(put(state, "new", &err));
    assert_content(state, "snapshots/s/" RECORD_FILE, "new");
    assert_succeeds(put(state, "newer", &err));
    assert_content(state, "snapshots/s/" RECORD_FILE, "newer");
    assert_int_equal(count(state, "snapshots/s"), 2);
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static bool put_unflushed(void **state, struct error *err)
{
    auto_stage struct stage *stage = fill(state, "new");

    fault_arm_error("fsync", 1, EIO);
    bool done = stage_put(stage, "s", RECORD_FILE, err);
    assert_string_equal(fault_disarm().struck, "fsync");
    return done;
}

static void a_file_that_cannot_be_flushed_is_taken_out_again(void **state)
{
    struct error err = {0};

    make_home(state);
    assert_fails(put_unflushed(state, &err), ERR_IO);
    assert_int_equal(count(state, "snapshots/s"), 1);
    assert_succeeds(put(state, "old", &err));
    assert_fails(put_unflushed(state, &err), ERR_IO);
    assert_content(state, "snapshots/s/" RECORD_FILE, "old");
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static void nothing_takes_no_file(void **state)
{
    struct error err = {0};

    assert_fails(put(state, "new", &err), ERR_NOT_FOUND);
}

static void save_manifest(void *state)
{
    disk_write(in_store(state, "snapshots/s/" MANIFEST_FILE).text, 7, 'o');
}

/* OpenVMM saves into the directory at the same moment: its manifest is never taken away. */
static void a_manifest_that_appears_meanwhile_stays(void **state)
{
    struct fault_plan fault = {.kinds = FAULT_DISK,
                               .only = "renameat2",
                               .effect = FAULT_HOOK,
                               .hook = save_manifest,
                               .context = state};

    for (fault.nth = 1; fault.nth <= 3; fault.nth++) {
        struct error err = {0};
        make_home(state);
        fault_arm(&fault);
        bool joined = join(state, false, &err);
        assert_non_null(fault_disarm().struck);
        assert_false(joined);
        assert_int_equal(err.code, ERR_EXISTS);
        assert_true(disk_holds(in_store(state, "snapshots/s/" MANIFEST_FILE).text, 7, 'o'));
        assert_int_equal(count(state, "snapshots/s"), 2);
        disk_remove(in_store(state, "snapshots/s").text);
    }
}

/* ---- clearing up ---- */

static void only_our_own_files_are_removed_from_the_trash(void **state)
{
    disk_make_dir(in_store(state, ".vmsnapd/trash/a").text);
    disk_write(in_store(state, ".vmsnapd/trash/a/" MEMORY_FILE).text, 1, 'm');
    disk_write(in_store(state, ".vmsnapd/trash/a/disk.vhdx").text, 1, 'd');
    disk_make_dir(in_store(state, ".vmsnapd/trash/b").text);
    assert_int_equal(stage_empty_trash(store_of(state)), 1);
    assert_int_equal(count(state, ".vmsnapd/trash/a"), 1);
    assert_true(disk_holds(in_store(state, ".vmsnapd/trash/a/disk.vhdx").text, 1, 'd'));
}

static void links_in_the_trash_are_not_followed(void **state)
{
    struct path victim = in_store(state, "victim");

    disk_make_dir(victim.text);
    disk_write(path_of("%s/" MEMORY_FILE, victim.text).text, 1, 'm');
    assert_int_equal(symlink(victim.text, in_store(state, ".vmsnapd/trash/link").text), 0);
    assert_int_equal(stage_empty_trash(store_of(state)), 1);
    assert_int_equal(disk_count(victim.text), 1);
    assert_int_equal(unlink(in_store(state, ".vmsnapd/trash/link").text), 0);
}

static void recovery_clears_staging_and_trash(void **state)
{
    static const char *const places[] = {"staging/a", "staging/b", "trash/c"};

    for (size_t i = 0; i < 3; i++) {
        struct path left = path_of("%s/.vmsnapd/%s", store_of(state)->path, places[i]);
        disk_make_dir(left.text);
        disk_write(path_of("%s/" STATE_FILE, left.text).text, 1, 's');
    }
    assert_int_equal(stage_recover(store_of(state)), 0);
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
    assert_int_equal(count(state, ".vmsnapd/trash"), 0);
}

static void a_probe_tells_what_the_filesystem_can_and_leaves_nothing(void **state)
{
    struct error err = {0};
    struct stage_abilities abilities;

    assert_succeeds(stage_probe(store_of(state), &abilities, &err));
    assert_true(abilities.link);
    assert_true(abilities.lease);
    assert_int_equal(count(state, ".vmsnapd/staging"), 0);
}

static void a_filesystem_without_the_renames_is_refused(void **state)
{
    struct error err = {0};
    struct stage_abilities abilities;

    for (unsigned nth = 1; nth <= 2; nth++) {
        fault_arm_error("renameat2", nth, EINVAL);
        assert_fails(stage_probe(store_of(state), &abilities, &err), ERR_INVALID);
        assert_non_null(fault_disarm().struck);
        assert_non_null(strstr(err.message, nth == 1 ? "NOREPLACE" : "EXCHANGE"));
        assert_int_equal(count(state, ".vmsnapd/staging"), 0);
    }
}

static void a_full_disk_is_not_taken_for_one_without_the_renames(void **state)
{
    static const char *const calls[] = {"mkdirat", "openat", "renameat2"};
    struct error err = {0};
    struct stage_abilities abilities;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fault_arm_error(calls[i], i == 1 ? 2 : 1, ENOSPC);
        assert_fails(stage_probe(store_of(state), &abilities, &err), ERR_NO_SPACE);
        assert_non_null(fault_disarm().struck);
        assert_int_equal(count(state, ".vmsnapd/staging"), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_unpublished_stage_leaves_nothing_behind),
        TEST(what_is_published_is_all_there),
        TEST(publishing_never_replaces),
        TEST(what_cannot_be_flushed_is_not_published),
        TEST(replacing_exchanges_in_one_step),
        TEST(nothing_cannot_be_replaced),
        TEST(a_replacement_that_cannot_be_flushed_is_undone),
        TEST(a_replaced_snapshot_goes_even_if_the_trash_cannot_take_it),
        TEST(a_retired_snapshot_is_in_the_trash),
        TEST(a_removal_that_cannot_be_flushed_is_undone_whole),
        TEST(files_that_join_leave_the_memory_where_it_is),
        TEST(joining_replaces_only_if_asked_to),
        TEST(nothing_cannot_be_joined),
        TEST(one_file_is_put_in_the_place_of_another_or_of_none),
        TEST(a_file_that_cannot_be_flushed_is_taken_out_again),
        TEST(nothing_takes_no_file),
        TEST(a_manifest_that_appears_meanwhile_stays),
        TEST(only_our_own_files_are_removed_from_the_trash),
        TEST(links_in_the_trash_are_not_followed),
        TEST(recovery_clears_staging_and_trash),
        TEST(a_probe_tells_what_the_filesystem_can_and_leaves_nothing),
        TEST(a_filesystem_without_the_renames_is_refused),
        TEST(a_full_disk_is_not_taken_for_one_without_the_renames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
