/* Directories that OpenVMM saved are taken in as they are, or refused with what is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/file.h"
#include "service/saved.h"
#include "service/snapshot.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID    "s"
#define PAGE  ((size_t)4096)
#define FIELD "/snapshot_dir_path"

static struct path saved_path(void **state, const char *file)
{
    const struct fixture *fixture = *state;

    return path_of("%s/saved%s%s", fixture->root.text, *file ? "/" : "", file);
}

static int set_up(void **state)
{
    fixture_setup(state);
    openvmm_save(saved_path(state, "").text, PAGE, 'm', 3);
    return 0;
}

static bool take_in_from(void **state, const char *path, enum capture capture, struct made *out,
                         struct error *err)
{
    const struct fixture *fixture = *state;
    auto_creation struct creation creation = {
        .id = strdup(ID),
        .snapshot_dir_path = strdup(path),
        .capture = capture,
        .page_size = 4096,
        .allow_writer = true,
    };

    *err = (struct error){0};
    return snapshot_create(fixture->service, &creation, NULL, out, err);
}

static bool take_in(void **state, enum capture capture, struct made *out, struct error *err)
{
    return take_in_from(state, saved_path(state, "").text, capture, out, err);
}

static void assert_refused_from(void **state, const char *path, enum error_code code,
                                const char *why)
{
    const struct fixture *fixture = *state;
    struct error err;
    auto_made struct made made = {0};

    assert_fails(take_in_from(state, path, CAPTURE_LINK, &made, &err), code);
    assert_string_equal(err.field, FIELD);
    if (!strstr(err.message, why))
        fail_msg("not told that \"%s\": %s", why, err.message);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", fixture->store.text).text), 0);
}

static void assert_refused(void **state, enum error_code code, const char *why)
{
    assert_refused_from(state, saved_path(state, "").text, code, why);
}

static void assert_same_bytes(void **state, const char *file)
{
    struct error err = {0};
    auto_text struct text saved = {0};
    auto_text struct text kept = {0};

    assert_succeeds(file_read(-1, saved_path(state, file).text, PAGE, &saved, NULL, &err));
    assert_succeeds(
        file_read(-1, fixture_snapshot(*state, ID, file).text, PAGE, &kept, NULL, &err));
    assert_true(text_equals(&kept, saved.data, saved.len));
}

static void what_was_saved_is_kept_byte_for_byte(void **state)
{
    struct error err;
    auto_made struct made made = {0};

    assert_succeeds(take_in(state, CAPTURE_COPY, &made, &err));
    assert_int_equal(made.outcome, OUTCOME_CREATED);
    assert_int_equal(made.snapshot.manifest.vp_count, 3);
    assert_int_equal(made.snapshot.manifest.created_at.seconds, 1234567890);
    assert_int_equal(made.snapshot.record.capture, CAPTURE_COPY);
    assert_null(made.snapshot.linked_to);
    assert_same_bytes(state, MANIFEST_FILE);
    assert_same_bytes(state, STATE_FILE);
    assert_same_bytes(state, MEMORY_FILE);
}

/* Unknown fields and another order: what our own encoder would not write. */
static void a_manifest_of_another_encoder_stays_as_it_is(void **state)
{
    static const char more[] = "\xf8\x07\x01"; /* field 127 is 1 */
    struct error err;
    auto_made struct made made = {0};
    auto_fd int fd = open(saved_path(state, MANIFEST_FILE).text, O_WRONLY | O_APPEND | O_CLOEXEC);

    must(write(fd, more, sizeof more - 1) == sizeof more - 1, "write");
    assert_succeeds(take_in(state, CAPTURE_LINK, &made, &err));
    assert_same_bytes(state, MANIFEST_FILE);
}

static void linked_memory_is_warned_of_by_its_path(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    struct path with_slashes = path_of("%s//", saved_path(state, "").text);

    assert_succeeds(take_in_from(state, with_slashes.text, CAPTURE_LINK, &made, &err));
    assert_string_equal(made.snapshot.linked_to, saved_path(state, MEMORY_FILE).text);
    assert_int_equal(disk_stat(fixture_snapshot(*state, ID, MEMORY_FILE).text).st_ino,
                     disk_stat(saved_path(state, MEMORY_FILE).text).st_ino);
}

static void the_same_request_is_known_when_the_directory_is_gone(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_made struct made again = {0};
    auto_made struct made other = {0};

    assert_succeeds(take_in(state, CAPTURE_LINK, &made, &err));
    disk_remove(saved_path(state, "").text);
    assert_succeeds(take_in(state, CAPTURE_LINK, &again, &err));
    assert_int_equal(again.outcome, OUTCOME_REPEATED);
    assert_fails(take_in(state, CAPTURE_COPY, &other, &err), ERR_EXISTS);
}

static void other_files_are_no_obstacle_and_stay(void **state)
{
    struct error err;
    auto_made struct made made = {0};

    disk_write(saved_path(state, "disk.vhdx").text, 10, 'd');
    assert_succeeds(take_in(state, CAPTURE_LINK, &made, &err));
    assert_int_equal(disk_count(fixture_snapshot(*state, ID, "").text), 4);
    assert_int_equal(disk_count(saved_path(state, "").text), 4);
}

static void each_file_must_be_there(void **state)
{
    static const char *const files[] = {MANIFEST_FILE, STATE_FILE, MEMORY_FILE};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct path file = saved_path(state, files[i]);
        openvmm_save(saved_path(state, "").text, PAGE, 'm', 3);
        assert_int_equal(unlink(file.text), 0);
        assert_refused(state, ERR_INVALID, path_of("%s: there is no such file", file.text).text);
        disk_make_dir(file.text);
        assert_refused(state, ERR_INVALID, path_of("%s is not a regular file", file.text).text);
        disk_remove(file.text);
    }
}

static void what_openvmm_could_not_restore_is_refused_in_its_words(void **state)
{
    struct path memory = saved_path(state, MEMORY_FILE);

    disk_write(memory.text, PAGE + 1, 'm');
    assert_refused(state, ERR_INVALID, "4097 bytes");
    disk_write(memory.text, PAGE, 'm');
    disk_write(saved_path(state, STATE_FILE).text, 3, '\xff');
    assert_refused(state, ERR_INVALID, "failed to decode saved state: decoding failed: ");
    disk_write(saved_path(state, STATE_FILE).text, 0, 's');
    disk_write(saved_path(state, MANIFEST_FILE).text, 3, '\xff');
    assert_refused(state, ERR_INVALID, "failed to decode snapshot manifest: decoding failed: ");
    disk_write(saved_path(state, MANIFEST_FILE).text, 0, 'm');
    assert_refused(state, ERR_INVALID, "snapshot manifest version 0 is not supported (expected 1)");
    disk_write(saved_path(state, MANIFEST_FILE).text, (2 << 20) + 1, 'm');
    assert_refused(state, ERR_INVALID, "manifest.bin is larger than");
}

static void memory_that_is_empty_is_refused(void **state)
{
    openvmm_save(saved_path(state, "").text, 0, 'm', 3);
    assert_refused(state, ERR_INVALID, "is empty");
}

static void too_much_state_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    fixture->settings.state_max_bytes = 1;
    fixture_open(fixture);
    assert_refused(state, ERR_TOO_LARGE, "--max-state");
}

static void the_stores_own_snapshots_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct path own = fixture_snapshot(fixture, "own", "");

    fixture_close(fixture);
    fixture->settings.memory_roots = (char *[]){fixture->home.text};
    fixture->settings.memory_root_count = 1;
    fixture_open(fixture);
    openvmm_save(own.text, PAGE, 'm', 1);
    assert_refused_from(state, own.text, ERR_INVALID, "is a snapshot of this store already");
}

static void what_is_no_directory_in_a_root_is_refused(void **state)
{
    assert_refused_from(state, "/etc", ERR_FORBIDDEN, "not beneath a memory root");
    assert_refused_from(state, saved_path(state, "none").text, ERR_INVALID, "no such file");
    assert_refused_from(state, saved_path(state, MEMORY_FILE).text, ERR_INVALID,
                        "is not a directory");
    assert_refused_from(state, saved_path(state, "../../store").text, ERR_FORBIDDEN,
                        "leads out of the memory roots");
}

static void files_may_not_lead_out_of_their_directory(void **state)
{
    struct path memory = saved_path(state, MEMORY_FILE);
    struct error err;
    auto_made struct made made = {0};

    disk_write(fixture_memory(*state).text, PAGE, 'm');
    assert_int_equal(unlink(memory.text), 0);
    assert_int_equal(symlink("../memory", memory.text), 0);
    assert_refused(state, ERR_FORBIDDEN, "leads out of its directory");
    assert_int_equal(unlink(memory.text), 0);
    disk_write(saved_path(state, "ram").text, PAGE, 'm');
    assert_int_equal(symlink("ram", memory.text), 0);
    assert_succeeds(take_in(state, CAPTURE_COPY, &made, &err));
}

static void save_over(void *context)
{
    openvmm_save(saved_path(context, "").text, PAGE, 'n', 9);
}

static void save_other_memory(void *context)
{
    struct path memory = saved_path(context, MEMORY_FILE);

    must(rename(memory.text, saved_path(context, "old").text) == 0, "rename");
    disk_write(memory.text, PAGE, 'n');
}

static void remove_state(void *context)
{
    must(unlink(saved_path(context, STATE_FILE).text) == 0, "unlink");
}

/* While memory is captured, when all three files were opened. */
static void a_save_meanwhile_is_noticed(void **state)
{
    void (*const saves[])(void *) = {save_over, save_other_memory, remove_state};

    for (size_t i = 0; i < sizeof saves / sizeof *saves; i++) {
        struct error err;
        auto_made struct made made = {0};
        struct fault_plan plan = {.kinds = FAULT_DISK,
                                  .only = "linkat",
                                  .effect = FAULT_HOOK,
                                  .nth = 1,
                                  .hook = saves[i],
                                  .context = state};
        disk_remove(saved_path(state, "").text);
        openvmm_save(saved_path(state, "").text, PAGE, 'm', 3);
        fault_arm(&plan);
        assert_fails(take_in(state, CAPTURE_LINK, &made, &err), ERR_IN_USE);
        assert_string_equal(fault_disarm().struck, "linkat");
        assert_non_null(strstr(err.message, "a process is saving there"));
        assert_string_equal(err.field, FIELD);
    }
}

static void a_running_writer_is_refused_where_none_is_allowed(void **state)
{
    const struct fixture *fixture = *state;
    struct error err = {0};
    struct file_user user;
    auto_made struct made made = {0};
    auto_creation struct creation creation = {
        .id = strdup(ID),
        .snapshot_dir_path = strdup(saved_path(state, "").text),
        .capture = CAPTURE_COPY,
    };

    file_user_start(&user, saved_path(state, MEMORY_FILE).text, map_writable);
    assert_fails(snapshot_create(fixture->service, &creation, NULL, &made, &err), ERR_IN_USE);
    assert_string_equal(err.field, FIELD);
    file_user_stop(&user);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_kept_byte_for_byte),
        TEST(a_manifest_of_another_encoder_stays_as_it_is),
        TEST(linked_memory_is_warned_of_by_its_path),
        TEST(the_same_request_is_known_when_the_directory_is_gone),
        TEST(other_files_are_no_obstacle_and_stay),
        TEST(each_file_must_be_there),
        TEST(what_openvmm_could_not_restore_is_refused_in_its_words),
        TEST(memory_that_is_empty_is_refused),
        TEST(too_much_state_is_refused),
        TEST(the_stores_own_snapshots_are_refused),
        TEST(what_is_no_directory_in_a_root_is_refused),
        TEST(files_may_not_lead_out_of_their_directory),
        TEST(a_save_meanwhile_is_noticed),
        TEST(a_running_writer_is_refused_where_none_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
