#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/load.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID   "s"
#define PAGE ((size_t)4096)

static struct path home_of(void **state, const char *file)
{
    const struct fixture *fixture = *state;

    return path_of("%s/snapshots/" ID "%s%s", fixture->store.text, *file ? "/" : "", file);
}

/* With a snapshot that was created by copy. */
static int set_up(void **state)
{
    fixture_setup(state);
    struct fixture *fixture = *state;
    struct path memory = path_of("%s/memory", fixture->root.text);

    disk_write(memory.text, PAGE, 'm');
    fixture_create(fixture, ID, memory.text, CAPTURE_COPY, 2);
    return 0;
}

static void load(void **state, enum load_live live, struct snapshot *out)
{
    struct error err = {0};
    const struct fixture *fixture = *state;

    snapshot_clear(out);
    assert_succeeds(load_snapshot(fixture->service->store, ID, live, out, &err));
}

static void assert_status(void **state, enum snapshot_status status, const char *problem)
{
    auto_snapshot struct snapshot found = {0};

    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, status);
    if (problem)
        assert_string_equal(found.problem, problem);
    else
        assert_null(found.problem);
}

static void take_away(void **state, const char *file)
{
    assert_int_equal(unlink(home_of(state, file).text), 0);
}

static void a_whole_snapshot_is_ready(void **state)
{
    auto_snapshot struct snapshot found = {0};

    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_null(found.problem);
    assert_string_equal(found.id, ID);
    assert_string_equal(found.path, home_of(state, "").text);
    assert_true(found.has_manifest && found.has_record && found.has_memory && found.has_state);
    assert_int_equal(found.manifest.vp_count, 2);
    assert_int_equal(found.record.capture, CAPTURE_COPY);
    assert_int_equal(found.memory_size_bytes, PAGE);
    assert_int_equal(found.state_size_bytes, 0);
    assert_false(found.has_live);
}

static void a_missing_file_makes_it_incomplete(void **state)
{
    take_away(state, MEMORY_FILE);
    assert_status(state, SNAPSHOT_INCOMPLETE, "memory.bin is missing");
    take_away(state, STATE_FILE);
    assert_status(state, SNAPSHOT_INCOMPLETE, "state.bin is missing");
    take_away(state, MANIFEST_FILE);
    assert_status(state, SNAPSHOT_INCOMPLETE, "manifest.bin is missing");
}

static void a_manifest_that_does_not_decode_makes_it_damaged(void **state)
{
    auto_snapshot struct snapshot found = {0};

    disk_write(home_of(state, MANIFEST_FILE).text, 1, '\xff');
    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, SNAPSHOT_DAMAGED);
    assert_string_equal(found.problem, "failed to decode snapshot manifest: decoding failed: eof "
                                       "parsing a varint");
    assert_false(found.has_manifest || found.has_record);
}

static void a_link_to_a_manifest_is_no_manifest(void **state)
{
    must(rename(home_of(state, MANIFEST_FILE).text, home_of(state, "real").text) == 0, "rename");
    must(symlink("real", home_of(state, MANIFEST_FILE).text) == 0, "symlink");
    assert_status(state, SNAPSHOT_DAMAGED, "manifest.bin is not a regular file");
}

static void a_fifo_is_not_waited_for(void **state)
{
    take_away(state, MANIFEST_FILE);
    must(mkfifo(home_of(state, MANIFEST_FILE).text, 0600) == 0, "mkfifo");
    assert_status(state, SNAPSHOT_DAMAGED, "manifest.bin is not a regular file");
}

static void what_stands_in_a_files_place_makes_it_damaged(void **state)
{
    take_away(state, STATE_FILE);
    disk_make_dir(home_of(state, STATE_FILE).text);
    assert_status(state, SNAPSHOT_DAMAGED, "state.bin is not a regular file");
    take_away(state, MEMORY_FILE);
    disk_make_dir(home_of(state, MEMORY_FILE).text);
    assert_status(state, SNAPSHOT_DAMAGED, "state.bin is not a regular file");
}

/* OpenVMM opens memory.bin through a symbolic link. */
static void memory_may_be_a_link(void **state)
{
    auto_snapshot struct snapshot found = {0};

    must(rename(home_of(state, MEMORY_FILE).text, home_of(state, "real").text) == 0, "rename");
    must(symlink("real", home_of(state, MEMORY_FILE).text) == 0, "symlink");
    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_int_equal(found.memory_size_bytes, PAGE);
}

static void a_record_speaks_only_for_the_manifest_it_was_published_with(void **state)
{
    auto_snapshot struct snapshot found = {0};

    disk_write(home_of(state, MANIFEST_FILE).text, 0, 'x'); /* valid, but another one */
    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_false(found.has_record);
    assert_int_equal(found.record.labels.count, 0);
}

static void a_record_that_cannot_be_read_is_none(void **state)
{
    auto_snapshot struct snapshot found = {0};

    disk_write(home_of(state, RECORD_FILE).text, 5, '{');
    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_false(found.has_record);
    take_away(state, RECORD_FILE);
    load(state, LIVE_NONE, &found);
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_false(found.has_record);
}

static void a_failing_disk_is_an_error_and_no_verdict(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const calls[] = {"read", "fstatat", "fstat"};

    for (size_t i = 0; i < 3; i++) {
        struct error err = {0};
        auto_snapshot struct snapshot found = {0};
        fault_arm_error(calls[i], 1, EIO);
        assert_fails(load_snapshot(fixture->service->store, ID, LIVE_NONE, &found, &err), ERR_IO);
        assert_non_null(fault_disarm().struck);
        assert_null(found.id);
    }
}

static void live_counts_are_of_this_moment(void **state)
{
    auto_snapshot struct snapshot found = {0};
    struct path memory = home_of(state, MEMORY_FILE);

    load(state, LIVE_COUNTS, &found);
    assert_true(found.has_live);
    assert_int_equal(found.live.allocated_bytes, PAGE);
    assert_int_equal(found.live.link_count, 1);
    assert_false(found.live.shared);
    assert_false(found.live.has_writer);
    assert_int_equal(link(memory.text, path_of("%s.other", home_of(state, "").text).text), 0);
    load(state, LIVE_COUNTS, &found);
    assert_int_equal(found.live.link_count, 2);
    assert_true(found.live.shared);
}

static void a_live_writer_is_looked_for_only_if_asked(void **state)
{
    struct file_user user;
    auto_snapshot struct snapshot found = {0};

    load(state, LIVE_WRITER, &found);
    assert_true(found.live.has_writer);
    assert_int_equal(found.live.writer, WRITER_NONE);
    file_user_start(&user, home_of(state, MEMORY_FILE).text, map_writable);
    load(state, LIVE_WRITER, &found);
    assert_int_equal(found.live.writer, WRITER_PRESENT);
    file_user_stop(&user);
}

static void without_memory_there_is_nothing_live(void **state)
{
    auto_snapshot struct snapshot found = {0};

    take_away(state, MEMORY_FILE);
    load(state, LIVE_WRITER, &found);
    assert_false(found.has_live);
}

static bool check_own(void **state, struct error *err)
{
    auto_fd int dir = open(home_of(state, "").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *err = (struct error){0};
    return load_check_own(dir, ID, err);
}

static void what_is_not_ours_is_named(void **state)
{
    struct error err;

    assert_true(check_own(state, &err));
    disk_write(home_of(state, "disk.vhdx").text, 1, 'd');
    assert_fails(check_own(state, &err), ERR_FOREIGN_FILES);
    assert_non_null(strstr(err.message, "disk.vhdx"));
    take_away(state, "disk.vhdx");
    take_away(state, STATE_FILE);
    disk_make_dir(home_of(state, STATE_FILE).text); /* our name, but not a file */
    assert_fails(check_own(state, &err), ERR_FOREIGN_FILES);
    assert_non_null(strstr(err.message, "state.bin"));
}

static void of_many_foreign_files_some_are_named(void **state)
{
    struct error err;

    for (int i = 0; i < 100; i++)
        disk_write(home_of(state, path_of("foreign-file-%d", i).text).text, 1, 'f');
    assert_fails(check_own(state, &err), ERR_FOREIGN_FILES);
    assert_non_null(strstr(err.message, "foreign-file-"));
    assert_non_null(strstr(err.message, ", and more"));
}

/* An end that is none would let foreign files be thrown away. */
static void a_directory_that_cannot_be_listed_is_an_error(void **state)
{
    struct error err;

    disk_write(home_of(state, "disk.vhdx").text, 1, 'd');
    for (unsigned nth = 1; nth <= 3; nth++) {
        fault_arm_error("readdir", nth, EIO);
        assert_fails(check_own(state, &err), ERR_IO);
        assert_non_null(fault_disarm().struck);
    }
    fault_arm_error("fstatat", 1, EIO);
    assert_fails(check_own(state, &err), ERR_IO);
    fault_disarm();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_snapshot_is_ready),
        TEST(a_missing_file_makes_it_incomplete),
        TEST(a_manifest_that_does_not_decode_makes_it_damaged),
        TEST(a_link_to_a_manifest_is_no_manifest),
        TEST(a_fifo_is_not_waited_for),
        TEST(what_stands_in_a_files_place_makes_it_damaged),
        TEST(memory_may_be_a_link),
        TEST(a_record_speaks_only_for_the_manifest_it_was_published_with),
        TEST(a_record_that_cannot_be_read_is_none),
        TEST(a_failing_disk_is_an_error_and_no_verdict),
        TEST(live_counts_are_of_this_moment),
        TEST(a_live_writer_is_looked_for_only_if_asked),
        TEST(without_memory_there_is_nothing_live),
        TEST(what_is_not_ours_is_named),
        TEST(of_many_foreign_files_some_are_named),
        TEST(a_directory_that_cannot_be_listed_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
