#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/prune.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define SIZE ((size_t)1 << 20) /* of memory */

/* A memory file of its own, captured so; created at that second. */
static void make(struct fixture *fixture, const char *id, enum capture capture, int64_t created_at)
{
    struct error err = {0};
    struct path memory = path_of("%s/%s", fixture->root.text, id);
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    disk_write(memory.text, SIZE, 'm');
    request(&creation, id, memory.text, capture, 2);
    creation.has_created_at = true;
    creation.created_at.seconds = created_at;
    assert_succeeds(snapshot_create(fixture->service, &creation, NULL, &made, &err));
}

/* "a", the oldest, to "d". */
static void make_four(struct fixture *fixture)
{
    static const char *const ids[] = {"a", "b", "c", "d"};

    for (int i = 0; i < 4; i++)
        make(fixture, ids[i], CAPTURE_COPY, i);
}

/* Keeps the newest so many. */
static void keep_last(struct retention_ticket *ticket, uint32_t count)
{
    ticket->policy.has_keep[KEEP_LAST] = true;
    ticket->policy.keep[KEEP_LAST] = count;
}

static void make_plan(struct fixture *fixture, struct retention_ticket *ticket,
                      struct retention_plan *plan)
{
    struct error err = {0};

    assert_succeeds(prune_plan(fixture->service, ticket, plan, &err));
}

static void ignore(void *context, const struct retention_item *item)
{
    (void)context;
    (void)item;
}

static const struct retention_item *find(const struct retention_plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->items[i].id, id) == 0)
            return &plan->items[i];
    fail_msg("the plan has no %s", id);
    return NULL;
}

static bool is_there(struct fixture *fixture, const char *id)
{
    return access(fixture_snapshot(fixture, id, "").text, F_OK) == 0;
}

static void a_plan_drops_nothing_and_applying_it_just_what_it_said(void **state)
{
    struct error err = {0};
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(*state);
    keep_last(&ticket, 2);
    make_plan(*state, &ticket, &plan);
    assert_int_equal(plan.count, 4);
    assert_int_equal(plan.drop_count, 2);
    assert_string_equal(plan.items[0].id, "d");
    assert_true(is_there(*state, "a"));
    assert_succeeds(prune_apply(((struct fixture *)*state)->service, &ticket, ignore, NULL, &done,
                                &err));
    assert_false(is_there(*state, "a") || is_there(*state, "b"));
    assert_true(is_there(*state, "c") && is_there(*state, "d"));
    for (size_t i = 0; i < done.count; i++)
        assert_int_equal(done.items[i].failure, ERR_NONE);
}

static void a_plan_knows_only_what_its_filter_means_and_groups_by_a_label(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    auto_retention_ticket struct retention_ticket ticket = {.policy = {.has_group_by = true}};
    auto_retention_plan struct retention_plan plan = {0};
    auto_snapshot struct snapshot patched = {0};
    struct label none = {.key = strdup("vp")};
    const struct patch patch = {.has_labels = true, .labels = {.labels = {&none, 1}}};

    make_four(fixture);
    assert_succeeds(snapshot_patch(fixture->service, "b", &patch, &(struct guard){0}, &patched,
                                   &err));
    keep_last(&ticket, 1);
    ticket.policy.group_by = strdup("vp");
    ticket.policy.filter.has_created_before = true;
    ticket.policy.filter.created_before.seconds = 3;
    make_plan(fixture, &ticket, &plan);
    assert_int_equal(plan.count, 3);
    assert_string_equal(find(&plan, "c")->group, "2");
    assert_null(find(&plan, "b")->group);
    assert_false(find(&plan, "c")->is_dropped || find(&plan, "b")->is_dropped);
    assert_true(find(&plan, "a")->is_dropped);
    free(none.key);
}

/* More than are asked for at a time. */
static void a_plan_is_about_as_many_as_there_are(void **state)
{
    const struct fixture *fixture = *state;
    struct path memory = fixture_memory(fixture);
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};

    disk_write(memory.text, 4096, 'm');
    for (int i = 0; i < 1100; i++)
        fixture_create(*state, path_of("s%d", i).text, memory.text, CAPTURE_LINK, 2);
    keep_last(&ticket, 7);
    make_plan(*state, &ticket, &plan);
    assert_int_equal(plan.count, 1100);
    assert_int_equal(plan.drop_count, 1093);
    for (size_t i = 1; i < plan.count; i++)
        assert_string_not_equal(plan.items[i].id, plan.items[i - 1].id);
}

/* What the plan says that the snapshots free, of which all are dropped but the newest. */
static uint64_t frees(struct fixture *fixture, const char *id)
{
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};

    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    uint64_t sum = 0;
    for (size_t i = 0; i < plan.count; i++)
        sum += plan.items[i].frees_bytes;
    assert_int_equal(plan.frees_bytes, sum);
    return id ? find(&plan, id)->frees_bytes : sum;
}

static uint64_t state_blocks(struct fixture *fixture, const char *id)
{
    return (uint64_t)disk_stat(fixture_snapshot(fixture, id, STATE_FILE).text).st_blocks * 512;
}

static void memory_of_its_own_is_freed(void **state)
{
    struct fixture *fixture = *state;

    make(fixture, "old", CAPTURE_COPY, 1);
    make(fixture, "new", CAPTURE_COPY, 2);
    disk_write(fixture_snapshot(fixture, "old", STATE_FILE).text, 5000, 's');
    assert_true(state_blocks(fixture, "old") >= 5000);
    assert_int_equal(frees(fixture, "old"), SIZE + state_blocks(fixture, "old"));
    assert_int_equal(frees(fixture, "new"), 0);
}

static void a_link_whose_source_lives_on_frees_nothing(void **state)
{
    struct fixture *fixture = *state;

    make(fixture, "old", CAPTURE_LINK, 1);
    make(fixture, "new", CAPTURE_COPY, 2);
    assert_int_equal(frees(fixture, "old"), state_blocks(fixture, "old"));
    assert_int_equal(unlink(path_of("%s/old", fixture->root.text).text), 0);
    assert_int_equal(frees(fixture, "old"), SIZE + state_blocks(fixture, "old"));
}

/* "old" and "older" are one file, of which all names are dropped, or not. */
static void memory_is_freed_once_with_the_last_of_its_links(void **state)
{
    struct fixture *fixture = *state;
    struct path memory = path_of("%s/old", fixture->root.text);
    struct error err = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    make(fixture, "old", CAPTURE_LINK, 2);
    request(&creation, "older", memory.text, CAPTURE_LINK, 2);
    creation.has_created_at = true;
    assert_succeeds(snapshot_create(fixture->service, &creation, NULL, &made, &err));
    assert_int_equal(unlink(memory.text), 0);
    uint64_t states = state_blocks(fixture, "old") + state_blocks(fixture, "older");
    assert_int_equal(frees(fixture, NULL), state_blocks(fixture, "older")); /* "old" is kept */
    make(fixture, "new", CAPTURE_COPY, 3);
    assert_int_equal(frees(fixture, NULL), SIZE + states);
}

static void memory_elsewhere_is_not_freed(void **state)
{
    struct fixture *fixture = *state;
    struct path file = fixture_snapshot(fixture, "old", MEMORY_FILE);

    make(fixture, "old", CAPTURE_COPY, 1);
    make(fixture, "new", CAPTURE_COPY, 2);
    disk_write(fixture_memory(fixture).text, SIZE, 'm');
    assert_int_equal(unlink(file.text), 0);
    assert_int_equal(symlink(fixture_memory(fixture).text, file.text), 0);
    assert_int_equal(frees(fixture, "old"), state_blocks(fixture, "old"));
}

static bool apply(struct fixture *fixture, struct retention_ticket *ticket, prune_told *told,
                  struct retention_plan *done, struct error *err)
{
    *err = (struct error){0};
    return prune_apply(fixture->service, ticket, told, fixture, done, err);
}

/* That of four, of which all but the newest are dropped, "b" failed so, and the others are gone. */
static void assert_only_b_failed(struct fixture *fixture, const struct retention_plan *done,
                                 enum error_code code)
{
    assert_int_equal(find(done, "b")->failure, code);
    assert_string_not_equal(find(done, "b")->detail, "");
    assert_int_equal(find(done, "a")->failure, ERR_NONE);
    assert_int_equal(find(done, "c")->failure, ERR_NONE);
    assert_true(is_there(fixture, "b") && is_there(fixture, "d"));
    assert_false(is_there(fixture, "a") || is_there(fixture, "c"));
}

static void what_cannot_be_removed_stays_and_the_rest_goes(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    disk_write(fixture_snapshot(fixture, "b", "notes.txt").text, 1, 'n');
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    assert_only_b_failed(fixture, &done, ERR_FOREIGN_FILES);
}

static void what_is_being_written_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};
    auto_claim struct claim claim = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    assert_succeeds(claim_take(&fixture->service->claims, "b", &claim, &err));
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    assert_only_b_failed(fixture, &done, ERR_BUSY);
}

static void memory_that_is_written_and_has_no_other_name_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    struct file_user user;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    file_user_start(&user, fixture_snapshot(fixture, "b", MEMORY_FILE).text, open_writable);
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    file_user_stop(&user);
    assert_only_b_failed(fixture, &done, ERR_IN_USE);
}

/* What the catalogue cannot know of: a file that is there, written in place. */
static void what_has_changed_unseen_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    disk_write(fixture_snapshot(fixture, "b", STATE_FILE).text, 77, 's');
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    assert_only_b_failed(fixture, &done, ERR_PRECONDITION);
}

static void hold(struct fixture *fixture, const char *id)
{
    struct error err = {0};
    const struct patch patch = {.has_held = true, .held = true};
    auto_snapshot struct snapshot patched = {0};

    assert_succeeds(snapshot_patch(fixture->service, id, &patch, &(struct guard){0}, &patched,
                                   &err));
}

/* In the record on disk, as if it came just after the plan was found to be the same. */
static void write_hold(struct fixture *fixture, const char *id)
{
    struct path file = fixture_snapshot(fixture, id, RECORD_FILE);
    char json[1024] = {0};
    FILE *record = fopen(file.text, "r+e");

    assert_non_null(record);
    assert_true(fread(json, 1, sizeof json - 1, record) > 0);
    char *held = strstr(json, "\"held\":false");
    assert_non_null(held);
    assert_int_equal(fseek(record, held - json, SEEK_SET), 0);
    assert_true(fputs("\"held\": true", record) >= 0);
    assert_int_equal(fclose(record), 0);
}

static void what_is_held_since_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    write_hold(fixture, "b");
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    assert_only_b_failed(fixture, &done, ERR_HELD);
}

static void assert_outdated(struct fixture *fixture, struct retention_ticket *ticket)
{
    struct error err;
    auto_retention_plan struct retention_plan done = {0};

    assert_fails(apply(fixture, ticket, ignore, &done, &err), ERR_PRECONDITION);
    assert_true(is_there(fixture, "a"));
}

static void hold_c(struct fixture *fixture)
{
    hold(fixture, "c");
}

static void make_another(struct fixture *fixture)
{
    make(fixture, "0", CAPTURE_COPY, -1);
}

static void remove_another(struct fixture *fixture)
{
    struct error err = {0};

    assert_succeeds(snapshot_delete(fixture->service, "0", &(struct guard){0}, &err));
}

static void assert_outdated_by(struct fixture *fixture, void (*change)(struct fixture *fixture))
{
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};

    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    change(fixture);
    assert_outdated(fixture, &ticket);
}

static void a_plan_is_outdated_by_any_change_of_what_it_is_about(void **state)
{
    make_four(*state);
    assert_outdated_by(*state, hold_c);
    assert_outdated_by(*state, make_another);
    assert_outdated_by(*state, remove_another);
}

static void a_plan_of_others_is_not_outdated(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    ticket.policy.filter.has_created_before = true;
    ticket.policy.filter.created_before.seconds = 2;
    make_plan(fixture, &ticket, &plan);
    hold(fixture, "d");
    make(fixture, "e", CAPTURE_COPY, 9);
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    assert_false(is_there(fixture, "a"));
    assert_true(is_there(fixture, "b") && is_there(fixture, "c"));
}

static void another_decision_is_another_plan(void **state)
{
    struct fixture *fixture = *state;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};

    make_four(fixture);
    keep_last(&ticket, 4);
    make_plan(fixture, &ticket, &plan);
    ticket.policy.keep[KEEP_LAST] = 3;
    assert_outdated(fixture, &ticket);
}

static void a_plan_of_a_time_yet_to_come_is_refused(void **state)
{
    struct fixture *fixture = *state;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    ticket.now.seconds += 3600;
    assert_outdated(fixture, &ticket);
}

static void apply_again(void *context, const struct retention_item *item)
{
    struct fixture *fixture = context;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    (void)item;
    keep_last(&ticket, 1);
    assert_succeeds(prune_plan(fixture->service, &ticket, &plan, &err));
    assert_fails(prune_apply(fixture->service, &ticket, ignore, NULL, &done, &err), ERR_BUSY);
}

static void one_plan_is_carried_out_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};
    auto_retention_plan struct retention_plan none = {0};

    make(fixture, "a", CAPTURE_COPY, 1);
    make(fixture, "b", CAPTURE_COPY, 2);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    assert_succeeds(apply(fixture, &ticket, apply_again, &done, &err));
    assert_false(is_there(fixture, "a"));
    assert_fails(apply(fixture, &ticket, ignore, &none, &err), ERR_PRECONDITION); /* not busy */
}

static void a_service_that_ends_drops_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    auto_retention_ticket struct retention_ticket ticket = {0};
    auto_retention_plan struct retention_plan plan = {0};
    auto_retention_plan struct retention_plan done = {0};

    make_four(fixture);
    keep_last(&ticket, 1);
    make_plan(fixture, &ticket, &plan);
    service_drain(fixture->service);
    assert_succeeds(apply(fixture, &ticket, ignore, &done, &err));
    assert_int_equal(find(&done, "a")->failure, ERR_DRAINING);
    assert_int_equal(find(&done, "d")->failure, ERR_NONE);
    assert_true(is_there(fixture, "a"));
}

static void without_memory_there_is_no_plan(void **state)
{
    struct fixture *fixture = *state;
    struct fault_seen seen;
    unsigned nth = 0;

    make_four(fixture);
    fixture_hush(fixture);
    do {
        struct error err = {0};
        auto_retention_ticket struct retention_ticket ticket = {.policy = {.has_group_by = true}};
        auto_retention_plan struct retention_plan plan = {0};
        keep_last(&ticket, 1);
        ticket.policy.group_by = strdup("vp");
        fault_arm(&(struct fault_plan){
            .kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .nth = ++nth, .errnum = ENOMEM});
        bool is_planned = prune_plan(fixture->service, &ticket, &plan, &err);
        seen = fault_disarm();
        if (seen.struck && !is_planned)
            assert_int_equal(err.code, ERR_INTERNAL);
        else
            assert_int_equal(plan.count, 4);
    } while (seen.struck);
    assert_true(nth > 10);
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_plan_drops_nothing_and_applying_it_just_what_it_said),
        WITH_STORE(a_plan_knows_only_what_its_filter_means_and_groups_by_a_label),
        WITH_STORE(a_plan_is_about_as_many_as_there_are),
        WITH_STORE(memory_of_its_own_is_freed),
        WITH_STORE(a_link_whose_source_lives_on_frees_nothing),
        WITH_STORE(memory_is_freed_once_with_the_last_of_its_links),
        WITH_STORE(memory_elsewhere_is_not_freed),
        WITH_STORE(what_cannot_be_removed_stays_and_the_rest_goes),
        WITH_STORE(what_is_being_written_stays),
        WITH_STORE(memory_that_is_written_and_has_no_other_name_stays),
        WITH_STORE(what_has_changed_unseen_stays),
        WITH_STORE(what_is_held_since_stays),
        WITH_STORE(a_plan_is_outdated_by_any_change_of_what_it_is_about),
        WITH_STORE(a_plan_of_others_is_not_outdated),
        WITH_STORE(another_decision_is_another_plan),
        WITH_STORE(a_plan_of_a_time_yet_to_come_is_refused),
        WITH_STORE(one_plan_is_carried_out_at_a_time),
        WITH_STORE(a_service_that_ends_drops_no_more),
        WITH_STORE(without_memory_there_is_no_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
