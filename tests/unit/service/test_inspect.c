#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/inspect.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define PAGE ((size_t)4096)

/* A directory as OpenVMM leaves it, in no store. */
static struct path saved_of(void **state, const char *file)
{
    const struct fixture *fixture = *state;

    return path_of("%s/saved%s%s", fixture->root.text, *file ? "/" : "", file);
}

static int set_up(void **state)
{
    fixture_setup(state);
    openvmm_save(saved_of(state, "").text, PAGE, 'm', 2);
    return 0;
}

static void inspect(const char *path, struct inspection *out)
{
    struct error err = {0};

    inspection_clear(out);
    assert_succeeds(inspect_directory(path, out, &err));
}

static void take_away(void **state, const char *file)
{
    assert_int_equal(unlink(saved_of(state, file).text), 0);
}

/* Puts a symbolic link to it in a file's place. */
static void move_away(void **state, const char *file)
{
    struct path away = path_of("%s/away-%s", ((const struct fixture *)*state)->home.text, file);

    assert_int_equal(rename(saved_of(state, file).text, away.text), 0);
    assert_int_equal(symlink(away.text, saved_of(state, file).text), 0);
}

static void a_directory_in_no_store_is_found_whole(void **state)
{
    auto_inspection struct inspection found = {0};

    inspect(saved_of(state, "").text, &found);
    assert_string_equal(found.snapshot.id, "saved");
    assert_string_equal(found.snapshot.path, saved_of(state, "").text);
    assert_int_equal(found.snapshot.status, SNAPSHOT_READY);
    assert_true(found.snapshot.has_manifest && !found.snapshot.has_record);
    assert_int_equal(found.snapshot.live.allocated_bytes, PAGE);
    assert_true(found.has_units);
    assert_int_equal(found.units.count, 1);
    assert_int_equal(found.reason_count, 0);
}

static void one_in_a_store_has_its_record(void **state)
{
    struct path memory = fixture_memory(*state);
    auto_inspection struct inspection found = {0};

    disk_write(memory.text, PAGE, 'm');
    fixture_create(*state, "s", memory.text, CAPTURE_COPY, 2);
    inspect(fixture_snapshot(*state, "s", "").text, &found);
    assert_true(found.snapshot.has_record);
    assert_int_equal(found.snapshot.record.capture, CAPTURE_COPY);
    assert_int_equal(found.reason_count, 0);
}

static void nothing_is_changed_by_looking(void **state)
{
    auto_inspection struct inspection found = {0};
    auto_text struct text before = {0};
    auto_text struct text after = {0};

    disk_describe(saved_of(state, "").text, &before);
    inspect(saved_of(state, "").text, &found);
    disk_describe(saved_of(state, "").text, &after);
    assert_string_equal(text_str(&before), text_str(&after));
}

static void files_are_opened_through_links_as_openvmm_opens_them(void **state)
{
    auto_inspection struct inspection found = {0};
    struct path link = path_of("%s-link", saved_of(state, "").text);

    move_away(state, MANIFEST_FILE);
    move_away(state, STATE_FILE);
    move_away(state, MEMORY_FILE);
    assert_int_equal(symlink(saved_of(state, "").text, link.text), 0);
    inspect(link.text, &found);
    assert_int_equal(found.reason_count, 0);
    assert_int_equal(found.snapshot.status, SNAPSHOT_READY);
    assert_string_equal(found.snapshot.path, saved_of(state, "").text);
    assert_int_equal(found.snapshot.live.allocated_bytes, PAGE);
    assert_int_equal(found.units.count, 1);
}

static void assert_reasons(void **state, const char *first, const char *second)
{
    auto_inspection struct inspection found = {0};

    inspect(saved_of(state, "").text, &found);
    assert_int_equal(found.reason_count, second ? 2 : 1);
    assert_string_equal(text_str(&found.reasons[0]), first);
    if (second)
        assert_string_equal(text_str(&found.reasons[1]), second);
}

static void every_reason_is_given_in_openvmms_words(void **state)
{
    struct path unopened = path_of("failed to open file `%s`: No such file or directory (os error "
                                   "2)",
                                   saved_of(state, MEMORY_FILE).text);

    disk_write(saved_of(state, STATE_FILE).text, 1, '\xff');
    assert_reasons(state, "failed to decode saved state: decoding failed: eof parsing a varint",
                   NULL);
    take_away(state, MEMORY_FILE);
    assert_reasons(state, unopened.text,
                   "failed to decode saved state: decoding failed: eof parsing a varint");
    disk_write(saved_of(state, MANIFEST_FILE).text, 1, '\xff');
    assert_reasons(state,
                   "failed to decode snapshot manifest: decoding failed: eof parsing a varint",
                   NULL);
}

static void what_openvmm_would_open_and_we_do_not_is_a_reason(void **state)
{
    take_away(state, STATE_FILE);
    must(mkfifo(saved_of(state, STATE_FILE).text, 0600) == 0, "mkfifo");
    assert_reasons(state, "state.bin is not a regular file", NULL);
}

static void a_file_that_may_not_be_read_is_a_reason_but_no_verdict(void **state)
{
    struct error err;
    const struct expectation nothing = {0};
    struct path dir = saved_of(state, "");

    for (unsigned nth = 1; nth <= 2; nth++) { /* the manifest, the state */
        auto_verdict struct verdict verdict = {0};
        fault_arm_error("openat", nth, EACCES);
        assert_fails(inspect_validate(dir.text, &nothing, &verdict, &err), ERR_PERMISSION);
        assert_non_null(fault_disarm().struck);
        assert_int_equal(verdict.mismatch_count, 0);
    }
    auto_inspection struct inspection found = {0};
    fault_arm_error("openat", 5, EACCES); /* after all the others */
    assert_succeeds(inspect_directory(dir.text, &found, &err));
    assert_non_null(fault_disarm().struck);
    assert_int_equal(found.reason_count, 1);
    assert_string_equal(text_str(&found.reasons[0]),
                        path_of("state.bin may not be read by uid %u", (unsigned)geteuid()).text);
    assert_false(found.has_units);
}

static void what_is_no_directory_is_an_error(void **state)
{
    struct error err;
    auto_inspection struct inspection found = {0};
    auto_verdict struct verdict verdict = {0};
    const struct expectation nothing = {0};
    struct path file = saved_of(state, MANIFEST_FILE);
    struct path nothing_there = saved_of(state, "nothing");
    const char *const bad[] = {file.text, nothing_there.text, ""};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(inspect_directory(bad[i], &found, &err), ERR_IO);
        assert_fails(inspect_validate(bad[i], &nothing, &verdict, &err), ERR_IO);
    }
    assert_null(found.snapshot.id);
}

static void a_failing_disk_is_an_error(void **state)
{
    struct error err;
    auto_inspection struct inspection found = {0};

    for (unsigned nth = 1; nth <= 3; nth++) {
        fault_arm_error("read", nth, EIO);
        assert_fails(inspect_directory(saved_of(state, "").text, &found, &err), ERR_IO);
        assert_non_null(fault_disarm().struck);
        assert_null(found.snapshot.id);
    }
}

/* What a service does when it replaces a snapshot, and then removes the old one. */
static void replace(void *context)
{
    void **state = context;
    struct path old = path_of("%s-old", saved_of(state, "").text);

    must(rename(saved_of(state, "").text, old.text) == 0, "rename");
    openvmm_save(saved_of(state, "").text, 2 * PAGE, 'n', 3);
    disk_remove(old.text);
}

/* Whether the plan had its chance. */
static bool inspect_with(const struct fault_plan *plan, const struct path *dir)
{
    struct error err;
    auto_inspection struct inspection found = {0};

    disk_remove(dir->text);
    openvmm_save(dir->text, PAGE, 'm', 2);
    fault_arm(plan);
    bool done = inspect_directory(dir->text, &found, &err);
    bool struck = fault_disarm().struck != NULL;
    assert_true(done);
    assert_int_equal(found.reason_count, 0);
    assert_int_equal(found.snapshot.memory_size_bytes,
                     (found.snapshot.manifest.vp_count - 1) * PAGE);
    return struck;
}

static void what_is_replaced_meanwhile_is_read_as_one(void **state)
{
    struct path dir = saved_of(state, "");
    struct fault_plan plan = {
        .kinds = FAULT_LOOK, .effect = FAULT_HOOK, .hook = replace, .context = state};
    bool struck = true;

    for (plan.nth = 1; struck; plan.nth++)
        struck = inspect_with(&plan, &dir);
    assert_true(plan.nth > 10);
}

static void lack_of_memory_is_an_error(void **state)
{
    struct fault_plan plan = {.kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .errnum = ENOMEM};
    bool struck = true;

    take_away(state, MEMORY_FILE);
    for (plan.nth = 1; struck; plan.nth++) {
        struct error err = {0};
        auto_inspection struct inspection found = {0};
        fault_arm(&plan);
        bool done = inspect_directory(saved_of(state, "").text, &found, &err);
        struck = fault_disarm().struck != NULL;
        assert_int_equal(done, !struck);
        assert_int_equal(err.code, struck ? ERR_INTERNAL : ERR_NONE);
    }
    assert_true(plan.nth > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_directory_in_no_store_is_found_whole),
        TEST(one_in_a_store_has_its_record),
        TEST(nothing_is_changed_by_looking),
        TEST(files_are_opened_through_links_as_openvmm_opens_them),
        TEST(every_reason_is_given_in_openvmms_words),
        TEST(what_openvmm_would_open_and_we_do_not_is_a_reason),
        TEST(a_file_that_may_not_be_read_is_a_reason_but_no_verdict),
        TEST(what_is_no_directory_is_an_error),
        TEST(a_failing_disk_is_an_error),
        TEST(what_is_replaced_meanwhile_is_read_as_one),
        TEST(lack_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
