#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/snapshot.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID   "s"
#define PAGE ((size_t)4096)

static const struct guard no_guard = {0};
static const struct guard by_force = {.force = true};

static struct service *service_of(void **state)
{
    const struct fixture *fixture = *state;

    return fixture->service;
}

static int set_up(void **state)
{
    fixture_setup(state);
    disk_write(fixture_memory(*state).text, PAGE, 'm');
    return 0;
}

static bool create(void **state, const char *id, uint32_t vp_count, struct made *out,
                   struct error *err)
{
    auto_creation struct creation creation;

    *err = (struct error){0};
    request(&creation, id, fixture_memory(*state).text, CAPTURE_LINK, vp_count);
    return snapshot_create(service_of(state), &creation, NULL, out, err);
}

static bool replace(void **state, enum capture capture, const struct guard *guard,
                    struct made *out, struct error *err)
{
    auto_creation struct creation creation;

    *err = (struct error){0};
    request(&creation, ID, fixture_memory(*state).text, capture, 7);
    return snapshot_replace(service_of(state), &creation, NULL, guard, out, err);
}

static uint32_t vp_count_of(void **state)
{
    struct error err = {0};
    auto_snapshot struct snapshot found = {0};

    assert_succeeds(snapshot_get(service_of(state), ID, LIVE_NONE, &found, &err));
    return found.manifest.vp_count;
}

/* ---- repeated requests ---- */

static void the_same_request_again_is_answered_and_nothing_is_done(void **state)
{
    struct error err;
    auto_made struct made first = {0};
    auto_made struct made again = {0};

    assert_succeeds(create(state, ID, 1, &first, &err));
    ino_t inode = disk_stat(fixture_snapshot(*state, ID, "").text).st_ino;
    assert_succeeds(create(state, ID, 1, &again, &err));
    assert_int_equal(again.outcome, OUTCOME_REPEATED);
    assert_string_equal(again.snapshot.linked_to, fixture_memory(*state).text);
    assert_int_equal(disk_stat(fixture_snapshot(*state, ID, "").text).st_ino, inode);
}

static void a_repeated_request_is_known_after_a_restart_and_without_its_source(void **state)
{
    struct error err;
    auto_made struct made first = {0};
    auto_made struct made again = {0};

    assert_succeeds(create(state, ID, 1, &first, &err));
    fixture_reopen(*state);
    assert_int_equal(unlink(fixture_memory(*state).text), 0);
    assert_succeeds(create(state, ID, 1, &again, &err));
    assert_int_equal(again.outcome, OUTCOME_REPEATED);
    assert_null(again.snapshot.linked_to);
}

static void another_request_for_a_taken_id_is_told_so(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_made struct made other = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_fails(create(state, ID, 2, &other, &err), ERR_EXISTS);
    assert_int_equal(vp_count_of(state), 1);
}

static void a_snapshot_that_was_saved_over_is_of_no_request(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_made struct made again = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    disk_write(fixture_snapshot(*state, ID, MANIFEST_FILE).text, 0, 'x');
    assert_fails(create(state, ID, 1, &again, &err), ERR_EXISTS);
}

static bool create_with(void **state, const char *uploaded, struct made *out, struct error *err)
{
    auto_creation struct creation creation;
    auto_draft struct draft *draft = draft_begin(service_of(state)->store, 100, err);

    request(&creation, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    return draft && draft_write(draft, uploaded, strlen(uploaded), err)
        && snapshot_create(service_of(state), &creation, draft, out, err);
}

static void uploaded_state_is_part_of_the_request(void **state)
{
    struct error err = {0};
    auto_made struct made first = {0};
    auto_made struct made again = {0};
    auto_made struct made other = {0};

    assert_succeeds(create_with(state, "same", &first, &err));
    assert_int_equal(first.outcome, OUTCOME_CREATED);
    assert_succeeds(create_with(state, "same", &again, &err));
    assert_int_equal(again.outcome, OUTCOME_REPEATED);
    assert_fails(create_with(state, "other", &other, &err), ERR_EXISTS);
}

/* ---- one writer for each id ---- */

static void a_second_writer_is_busy_a_reader_is_not(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_claim struct claim claim;

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(claim_take(&service_of(state)->claims, ID, &claim, &err));
    assert_fails(create(state, ID, 1, &made, &err), ERR_BUSY);
    assert_fails(replace(state, CAPTURE_LINK, &no_guard, &made, &err), ERR_BUSY);
    assert_fails(snapshot_delete(service_of(state), ID, &no_guard, &err), ERR_BUSY);
    assert_fails(snapshot_patch(service_of(state), ID, &(struct patch){0}, &no_guard,
                                &made.snapshot, &err),
                 ERR_BUSY);
    assert_int_equal(vp_count_of(state), 1);
}

static void a_failed_request_frees_its_id(void **state)
{
    struct error err;
    auto_made struct made made = {0};

    fault_arm_error("linkat", 1, EIO);
    assert_fails(create(state, ID, 1, &made, &err), ERR_IO);
    fault_disarm();
    assert_succeeds(create(state, ID, 1, &made, &err));
}

/* ---- replacing and removing ---- */

static void replacing_tells_whether_there_was_something(void **state)
{
    struct error err;
    auto_made struct made first = {0};
    auto_made struct made second = {0};

    assert_succeeds(replace(state, CAPTURE_COPY, &no_guard, &first, &err));
    assert_int_equal(first.outcome, OUTCOME_CREATED);
    assert_succeeds(replace(state, CAPTURE_COPY, &no_guard, &second, &err));
    assert_int_equal(second.outcome, OUTCOME_REPLACED); /* the same request, yet captured anew */
}

static void what_is_removed_is_gone(void **state)
{
    struct error err;
    auto_made struct made made = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(snapshot_delete(service_of(state), ID, &no_guard, &err));
    assert_fails(snapshot_delete(service_of(state), ID, &no_guard, &err), ERR_NOT_FOUND);
    fixture_settle(*state);
    assert_int_equal(disk_stat(fixture_memory(*state).text).st_nlink, 1);
}

static void foreign_files_are_never_touched(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_made struct made other = {0};
    struct path disk = fixture_snapshot(*state, ID, "disk.vhdx");

    assert_succeeds(create(state, ID, 1, &made, &err));
    disk_write(disk.text, 10, 'd');
    assert_fails(snapshot_delete(service_of(state), ID, &by_force, &err), ERR_FOREIGN_FILES);
    assert_non_null(strstr(err.message, "disk.vhdx"));
    assert_fails(replace(state, CAPTURE_LINK, &by_force, &other, &err), ERR_FOREIGN_FILES);
    assert_true(disk_holds(disk.text, 10, 'd'));
    assert_int_equal(vp_count_of(state), 1);
}

/* A snapshot in place, whose memory has no other name. */
static void make_in_place(void **state)
{
    disk_make_dir(fixture_snapshot(*state, ID, "").text);
    disk_write(fixture_snapshot(*state, ID, MEMORY_FILE).text, PAGE, 'm');
    fixture_create(*state, ID, fixture_snapshot(*state, ID, MEMORY_FILE).text, CAPTURE_LINK, 1);
}

static void the_last_name_of_a_running_vms_memory_is_in_use(void **state)
{
    struct error err;
    struct file_user user;
    auto_made struct made made = {0};

    make_in_place(state);
    file_user_start(&user, fixture_snapshot(*state, ID, MEMORY_FILE).text, map_writable);
    assert_fails(snapshot_delete(service_of(state), ID, &no_guard, &err), ERR_IN_USE);
    assert_fails(replace(state, CAPTURE_COPY, &no_guard, &made, &err), ERR_IN_USE);
    assert_int_equal(vp_count_of(state), 1);
    assert_succeeds(replace(state, CAPTURE_COPY, &by_force, &made, &err));
    file_user_stop(&user);
    assert_int_equal(vp_count_of(state), 7);
}

static void a_running_vm_that_ends_is_in_the_way_no_more(void **state)
{
    struct error err;
    struct file_user user;

    make_in_place(state);
    file_user_start(&user, fixture_snapshot(*state, ID, MEMORY_FILE).text, open_writable);
    assert_fails(snapshot_delete(service_of(state), ID, &no_guard, &err), ERR_IN_USE);
    file_user_stop(&user);
    assert_succeeds(snapshot_delete(service_of(state), ID, &no_guard, &err));
}

static void force_removes_even_a_running_vms_memory(void **state)
{
    struct error err;
    struct file_user user;

    make_in_place(state);
    file_user_start(&user, fixture_snapshot(*state, ID, MEMORY_FILE).text, map_writable);
    assert_succeeds(snapshot_delete(service_of(state), ID, &by_force, &err));
    file_user_stop(&user);
}

/* The bytes live on under the VM's own name. */
static void a_linked_snapshot_of_a_running_vm_can_be_removed(void **state)
{
    struct error err;
    struct file_user user;
    auto_made struct made made = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    file_user_start(&user, fixture_memory(*state).text, map_writable);
    assert_succeeds(snapshot_delete(service_of(state), ID, &no_guard, &err));
    file_user_stop(&user);
    assert_true(disk_holds(fixture_memory(*state).text, PAGE, 'm'));
}

struct asked {
    unsigned times;
    uint32_t vp_count; /* of the snapshot it was asked about; 0 for none */
    enum error_code answer;
};

static bool answer(void *context, const struct snapshot *current, struct error *err)
{
    struct asked *asked = context;

    asked->times++;
    asked->vp_count = current ? current->manifest.vp_count : 0;
    return asked->answer == ERR_NONE || error_set(err, asked->answer, "no");
}

static void the_guard_decides_about_the_snapshot_as_it_is(void **state)
{
    struct error err;
    struct asked asked = {.answer = ERR_PRECONDITION};
    const struct guard guard = {.allow = answer, .context = &asked};
    auto_made struct made made = {0};
    auto_made struct made other = {0};

    assert_fails(replace(state, CAPTURE_LINK, &guard, &other, &err), ERR_PRECONDITION);
    assert_int_equal(asked.vp_count, 0);
    assert_succeeds(create(state, ID, 3, &made, &err));
    assert_fails(replace(state, CAPTURE_LINK, &guard, &other, &err), ERR_PRECONDITION);
    assert_int_equal(asked.vp_count, 3);
    assert_fails(snapshot_delete(service_of(state), ID, &guard, &err), ERR_PRECONDITION);
    assert_fails(snapshot_patch(service_of(state), ID, &(struct patch){0}, &guard, &other.snapshot,
                                &err),
                 ERR_PRECONDITION);
    assert_int_equal(asked.times, 4);
    assert_int_equal(vp_count_of(state), 3);
    asked.answer = ERR_NONE;
    assert_succeeds(snapshot_delete(service_of(state), ID, &guard, &err));
}

/* ---- patching ---- */

static const struct patch hold = {.has_held = true, .held = true};
static const struct patch let_go = {.has_held = true};

static bool patch(void **state, const struct patch *changes, struct error *err)
{
    auto_snapshot struct snapshot patched = {0};
    auto_snapshot struct snapshot found = {0};

    *err = (struct error){0};
    if (!snapshot_patch(service_of(state), ID, changes, &no_guard, &patched, err))
        return false;
    assert_true(snapshot_get(service_of(state), ID, LIVE_NONE, &found, err));
    assert_true(patched.has_record && found.has_record);
    assert_int_equal(found.record.held, patched.record.held);
    assert_true(labels_equal(&found.record.labels, &patched.record.labels));
    return true;
}

/* The one label that the snapshot has; "" for none. */
static struct path label_of(void **state)
{
    struct error err = {0};
    auto_snapshot struct snapshot found = {0};

    assert_succeeds(snapshot_get(service_of(state), ID, LIVE_NONE, &found, &err));
    const struct label *label = found.record.labels.items;
    return path_of("%s=%s", label ? label->key : "", label ? label->value : "");
}

static void what_is_patched_outlives_a_restart(void **state)
{
    struct error err;
    struct label changed[] = {
        {(char *)"vm", (char *)"web"},
        {(char *)"vp", NULL         },
    };
    const struct patch changes = {
        .has_labels = true, .labels = {.labels = {changed, 2}}, .has_held = true, .held = true};
    auto_made struct made made = {0};
    auto_made struct made again = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(patch(state, &changes, &err));
    fixture_reopen(*state);
    assert_string_equal(label_of(state).text, "vm=web");
    assert_fails(snapshot_delete(service_of(state), ID, &no_guard, &err), ERR_HELD);
    assert_succeeds(create(state, ID, 1, &again, &err));
    assert_int_equal(again.outcome, OUTCOME_REPEATED); /* the request is still the same */
}

static void what_is_held_is_neither_removed_nor_replaced(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_made struct made other = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(patch(state, &hold, &err));
    assert_fails(snapshot_delete(service_of(state), ID, &by_force, &err), ERR_HELD);
    assert_fails(replace(state, CAPTURE_COPY, &by_force, &other, &err), ERR_HELD);
    assert_int_equal(vp_count_of(state), 1);
}

static void what_was_let_go_is_as_any_other(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_made struct made other = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(patch(state, &hold, &err));
    assert_succeeds(patch(state, &let_go, &err));
    assert_succeeds(replace(state, CAPTURE_COPY, &no_guard, &other, &err));
    assert_succeeds(snapshot_delete(service_of(state), ID, &no_guard, &err));
}

static void what_is_held_is_not_captured_anew_in_place(void **state)
{
    struct error err;
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    make_in_place(state);
    assert_succeeds(patch(state, &hold, &err));
    request(&creation, ID, fixture_snapshot(*state, ID, MEMORY_FILE).text, CAPTURE_LINK, 7);
    assert_fails(snapshot_replace(service_of(state), &creation, NULL, &by_force, &made, &err),
                 ERR_HELD);
    assert_int_equal(vp_count_of(state), 1);
}

static void what_a_patch_does_not_change_is_not_written(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    struct path record = fixture_snapshot(*state, ID, RECORD_FILE);

    assert_succeeds(create(state, ID, 1, &made, &err));
    ino_t inode = disk_stat(record.text).st_ino;
    assert_succeeds(patch(state, &let_go, &err));
    assert_int_equal(disk_stat(record.text).st_ino, inode);
    assert_succeeds(patch(state, &hold, &err));
    assert_int_not_equal(disk_stat(record.text).st_ino, inode);
}

static void what_openvmm_wrote_by_itself_gets_a_record_of_no_request(void **state)
{
    struct error err;
    auto_snapshot struct snapshot found = {0};
    auto_made struct made made = {0};

    openvmm_save(fixture_snapshot(*state, ID, "").text, PAGE, 'm', 1);
    assert_succeeds(patch(state, &hold, &err));
    assert_succeeds(snapshot_get(service_of(state), ID, LIVE_NONE, &found, &err));
    assert_int_equal(found.record.capture, CAPTURE_UNKNOWN);
    assert_true(found.record.held);
    assert_fails(create(state, ID, 1, &made, &err), ERR_EXISTS);
}

static void what_openvmm_saves_over_is_held_no_more(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    struct path home = fixture_snapshot(*state, ID, "");

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(patch(state, &hold, &err));
    assert_int_equal(unlink(fixture_snapshot(*state, ID, MEMORY_FILE).text), 0);
    openvmm_save(home.text, PAGE, 'n', 9);
    assert_string_equal(label_of(state).text, "=");
    assert_succeeds(snapshot_delete(service_of(state), ID, &no_guard, &err));
}

static void what_is_damaged_can_be_held_if_its_manifest_can_be_read(void **state)
{
    struct error err;

    openvmm_save(fixture_snapshot(*state, ID, "").text, PAGE, 'm', 1);
    disk_write(fixture_snapshot(*state, ID, MANIFEST_FILE).text, 5, '\xff');
    assert_succeeds(patch(state, &hold, &err));
    assert_fails(snapshot_delete(service_of(state), ID, &no_guard, &err), ERR_HELD);
    disk_remove(fixture_snapshot(*state, ID, MANIFEST_FILE).text);
    disk_make_dir(fixture_snapshot(*state, ID, MANIFEST_FILE).text);
    assert_fails(patch(state, &hold, &err), ERR_DAMAGED);
}

static void what_is_being_saved_is_busy(void **state)
{
    struct error err;

    assert_fails(patch(state, &hold, &err), ERR_NOT_FOUND);
    openvmm_save(fixture_snapshot(*state, ID, "").text, PAGE, 'm', 1);
    assert_int_equal(unlink(fixture_snapshot(*state, ID, MANIFEST_FILE).text), 0);
    assert_fails(patch(state, &hold, &err), ERR_BUSY);
    assert_int_equal(disk_count(fixture_snapshot(*state, ID, "").text), 2);
}

static void save_over(void *fixture)
{
    openvmm_save(fixture_snapshot(fixture, ID, "").text, PAGE, 'n', 9);
}

/* The labels that were read are of another snapshot than the manifest that is there now. */
static void a_save_while_a_patch_is_made_is_told_of(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};
    auto_snapshot struct snapshot patched = {0};
    struct fault_plan plan = {
        .kinds = FAULT_LOOK, .only = "openat", .effect = FAULT_HOOK, .hook = save_over};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_int_equal(unlink(fixture_snapshot(*state, ID, MEMORY_FILE).text), 0);
    plan.context = *state;
    plan.nth = 5; /* directory, manifest and record were read, and the directory opened again */
    fault_arm(&plan);
    assert_fails(snapshot_patch(service_of(state), ID, &hold, &no_guard, &patched, &err), ERR_BUSY);
    assert_string_equal(fault_disarm().struck, "openat");
    assert_int_equal(vp_count_of(state), 9);
    assert_string_equal(label_of(state).text, "=");
}

static void a_directory_in_the_records_place_stays(void **state)
{
    struct error err;
    struct path record = fixture_snapshot(*state, ID, RECORD_FILE);

    openvmm_save(fixture_snapshot(*state, ID, "").text, PAGE, 'm', 1);
    disk_make_dir(record.text);
    assert_fails(patch(state, &hold, &err), ERR_FOREIGN_FILES);
    assert_true(S_ISDIR(disk_stat(record.text).st_mode));
}

/* ---- lists ---- */

static void list(void **state, const char *after, size_t limit, const char *expected, bool more)
{
    struct error err = {0};
    auto_snapshot_page struct snapshot_page found = {0};
    auto_text struct text ids = {0};
    struct snapshot_query query = {.has_after = *after != '\0', .limit = limit};

    snprintf(query.after.id, sizeof query.after.id, "%s", after);
    assert_succeeds(snapshot_list(service_of(state), &query, false, &found, &err));
    for (size_t i = 0; i < found.count; i++)
        text_appendf(&ids, "%s ", found.items[i].id);
    assert_string_equal(text_str(&ids), expected);
    assert_int_equal(found.more, more);
}

static void lists_are_in_order_and_in_pages(void **state)
{
    static const char *const ids[] = {"b", "B", "a-1", "a", "0"};
    struct fixture *fixture = *state;

    list(state, "", 10, "", false);
    for (size_t i = 0; i < 5; i++)
        fixture_create(fixture, ids[i], fixture_memory(*state).text, CAPTURE_LINK, 1);
    disk_make_dir(path_of("%s/snapshots/.hidden", fixture->store.text).text);
    disk_make_dir(path_of("%s/snapshots/with space", fixture->store.text).text);
    disk_write(path_of("%s/snapshots/file", fixture->store.text).text, 1, 'x');
    list(state, "", 10, "0 B a a-1 b ", false);
    list(state, "", 2, "0 B ", true);
    list(state, "B", 2, "a a-1 ", true);
    list(state, "a-1", 2, "b ", false);
    list(state, "a0", 1, "b ", false);
    list(state, "b", 2, "", false);
}

static void lack_of_memory_loses_no_part_of_a_list(void **state)
{
    struct error err;
    struct fault_plan plan = {.kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .errnum = ENOMEM};
    auto_made struct made a = {0};
    auto_made struct made b = {0};
    const struct snapshot_query query = {.limit = 9};
    bool struck = true;

    assert_succeeds(create(state, "a", 1, &a, &err));
    assert_succeeds(create(state, "b", 1, &b, &err));
    for (plan.nth = 1; struck; plan.nth++) {
        auto_snapshot_page struct snapshot_page found = {0};
        fault_arm(&plan);
        bool listed = snapshot_list(service_of(state), &query, false, &found, &err);
        struck = fault_disarm().struck != NULL;
        if (listed) {
            assert_int_equal(found.count, 2);
            assert_non_null(strstr(found.items[0].json.data, "\"id\":\"a\""));
            assert_non_null(strstr(found.items[1].json.data, "\"id\":\"b\""));
        } else {
            assert_int_equal(err.code, ERR_INTERNAL);
        }
    }
    assert_true(plan.nth > 3);
}

/* ---- state and verdicts ---- */

static void state_is_opened_of_a_snapshot_that_has_it(void **state)
{
    struct error err;
    struct stat stat;
    auto_made struct made made = {0};

    assert_int_equal(snapshot_open_state(service_of(state), ID, &stat, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_succeeds(create(state, ID, 1, &made, &err));
    auto_fd int fd = snapshot_open_state(service_of(state), ID, &stat, &err);
    assert_true(fd >= 0);
    assert_int_equal(stat.st_size, 0);
    assert_int_equal(unlink(fixture_snapshot(*state, ID, STATE_FILE).text), 0);
    assert_int_equal(snapshot_open_state(service_of(state), ID, &stat, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void units_that_do_not_decode_are_told_in_openvmms_words(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_state_units struct state_units units = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_succeeds(snapshot_units(service_of(state), ID, &units, &err));
    assert_int_equal(units.count, 0);
    disk_write(fixture_snapshot(*state, ID, STATE_FILE).text, 1, '\xff');
    assert_fails(snapshot_units(service_of(state), ID, &units, &err), ERR_DAMAGED);
    assert_string_equal(err.message,
                        "failed to decode saved state: decoding failed: eof parsing a varint");
}

static struct timespec tomorrow(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += 86400;
    return now;
}

static void a_verdict_from_memory_is_the_verdict_from_disk(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    auto_verdict struct verdict cold = {0};
    auto_verdict struct verdict warm = {0};
    auto_verdict struct verdict none = {0};
    const struct expectation expectation = {.has_vp_count = true, .vp_count = 2};
    const struct expectation with_units = {.has_state_units = true};

    assert_succeeds(create(state, ID, 1, &made, &err));
    clock_replace(tomorrow); /* so that the manifest has not changed for long */
    assert_false(snapshot_validate_cached(service_of(state), ID, &expectation, &none));
    assert_succeeds(snapshot_validate(service_of(state), ID, &expectation, &cold, &err));
    assert_true(snapshot_validate_cached(service_of(state), ID, &expectation, &warm));
    assert_false(snapshot_validate_cached(service_of(state), ID, &with_units, &none));
    clock_replace(NULL);
    assert_int_equal(cold.mismatch_count, 1);
    assert_int_equal(warm.mismatch_count, 1);
    assert_string_equal(text_str(&cold.mismatches[0].message),
                        text_str(&warm.mismatches[0].message));
}

static void memory_that_cannot_be_opened_is_told_in_openvmms_words(void **state)
{
    struct error err;
    auto_made struct made made = {0};
    const struct expectation nothing = {0};
    const struct expectation with_units = {.has_state_units = true};
    struct path memory = fixture_snapshot(*state, ID, MEMORY_FILE);
    struct path state_file = fixture_snapshot(*state, ID, STATE_FILE);
    auto_verdict struct verdict verdict = {0};
    auto_verdict struct verdict both = {0};

    assert_succeeds(create(state, ID, 1, &made, &err));
    assert_int_equal(unlink(memory.text), 0);
    assert_succeeds(snapshot_validate(service_of(state), ID, &nothing, &verdict, &err));
    assert_int_equal(verdict.mismatch_count, 1);
    assert_string_equal(
        text_str(&verdict.mismatches[0].message),
        path_of("failed to open file `%s`: No such file or directory (os error 2)", memory.text)
            .text);
    assert_int_equal(unlink(state_file.text), 0);
    assert_succeeds(snapshot_validate(service_of(state), ID, &with_units, &both, &err));
    assert_int_equal(both.mismatch_count, 2);
    assert_string_equal(text_str(&both.mismatches[1].message),
                        path_of("failed to read state.bin: failed to open file `%s`: No such file "
                                "or directory (os error 2)",
                                state_file.text)
                            .text);
}

static void lack_of_memory_is_no_verdict(void **state)
{
    struct error err;
    struct fault_plan plan = {.kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .errnum = ENOMEM};
    auto_made struct made made = {0};
    const struct expectation expectation = {.has_state_units = true};
    bool struck = true;

    assert_succeeds(create(state, ID, 1, &made, &err));
    disk_write(fixture_snapshot(*state, ID, STATE_FILE).text, 1, '\xff');
    assert_int_equal(unlink(fixture_snapshot(*state, ID, MEMORY_FILE).text), 0);
    for (plan.nth = 1; struck; plan.nth++) {
        auto_verdict struct verdict verdict = {0};
        err = (struct error){0};
        fault_arm(&plan);
        bool judged = snapshot_validate(service_of(state), ID, &expectation, &verdict, &err);
        struck = fault_disarm().struck != NULL;
        assert_int_equal(judged, !struck);
        assert_int_equal(err.code, struck ? ERR_INTERNAL : ERR_NONE);
    }
    assert_true(plan.nth > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_request_again_is_answered_and_nothing_is_done),
        TEST(a_repeated_request_is_known_after_a_restart_and_without_its_source),
        TEST(another_request_for_a_taken_id_is_told_so),
        TEST(a_snapshot_that_was_saved_over_is_of_no_request),
        TEST(uploaded_state_is_part_of_the_request),
        TEST(a_second_writer_is_busy_a_reader_is_not),
        TEST(a_failed_request_frees_its_id),
        TEST(replacing_tells_whether_there_was_something),
        TEST(what_is_removed_is_gone),
        TEST(foreign_files_are_never_touched),
        TEST(the_last_name_of_a_running_vms_memory_is_in_use),
        TEST(a_running_vm_that_ends_is_in_the_way_no_more),
        TEST(force_removes_even_a_running_vms_memory),
        TEST(a_linked_snapshot_of_a_running_vm_can_be_removed),
        TEST(the_guard_decides_about_the_snapshot_as_it_is),
        TEST(what_is_patched_outlives_a_restart),
        TEST(what_is_held_is_neither_removed_nor_replaced),
        TEST(what_was_let_go_is_as_any_other),
        TEST(what_is_held_is_not_captured_anew_in_place),
        TEST(what_a_patch_does_not_change_is_not_written),
        TEST(what_openvmm_wrote_by_itself_gets_a_record_of_no_request),
        TEST(what_openvmm_saves_over_is_held_no_more),
        TEST(what_is_damaged_can_be_held_if_its_manifest_can_be_read),
        TEST(what_is_being_saved_is_busy),
        TEST(a_save_while_a_patch_is_made_is_told_of),
        TEST(a_directory_in_the_records_place_stays),
        TEST(lists_are_in_order_and_in_pages),
        TEST(lack_of_memory_loses_no_part_of_a_list),
        TEST(state_is_opened_of_a_snapshot_that_has_it),
        TEST(units_that_do_not_decode_are_told_in_openvmms_words),
        TEST(a_verdict_from_memory_is_the_verdict_from_disk),
        TEST(memory_that_cannot_be_opened_is_told_in_openvmms_words),
        TEST(lack_of_memory_is_no_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
