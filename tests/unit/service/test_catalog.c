#include <stdio.h>

#include "service/catalog.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

static struct catalog *catalog_of(void **state)
{
    struct fixture *fixture = *state;

    return fixture->service->catalog;
}

/* Of which nothing is on disk: the catalogue believes what it is told. */
static void note(void **state, const char *id, enum snapshot_status status, bool held)
{
    const struct sighting seen = {.inode = 7, .fingerprint = 8, .allocated_bytes = 4096};
    const struct snapshot snapshot = {.id = (char *)id,
                                      .path = (char *)"/p",
                                      .status = status,
                                      .has_record = true,
                                      .record = {.held = held},
                                      .has_memory = true,
                                      .memory_size_bytes = 8192};

    catalog_note(catalog_of(state), &snapshot, &seen, CAUSE_FOUND);
}

/* Since then; and takes the time anew. */
static void assert_told(void **state, struct event_position *since, const char *expected)
{
    auto_text struct text told = {0};

    fixture_told(*state, since, &told);
    assert_string_equal(text_str(&told), expected);
    *since = fixture_now(*state);
}

static void a_note_tells_what_became_of_the_snapshot(void **state)
{
    struct event_position since = fixture_now(*state);

    note(state, "a", SNAPSHOT_INCOMPLETE, false);
    note(state, "a", SNAPSHOT_READY, false);
    assert_told(state, &since, "incomplete a, created a, ");
    note(state, "b", SNAPSHOT_READY, false);
    note(state, "b", SNAPSHOT_READY, true);
    assert_told(state, &since, "created b, updated b, ");
    note(state, "b", SNAPSHOT_DAMAGED, true);
    note(state, "b", SNAPSHOT_INCOMPLETE, true);
    note(state, "c", SNAPSHOT_DAMAGED, false);
    note(state, "c", SNAPSHOT_READY, false);
    assert_told(state, &since, "damaged b, incomplete b, damaged c, updated c, ");
}

static void a_note_of_what_is_known_tells_nothing(void **state)
{
    note(state, "a", SNAPSHOT_READY, false);
    struct event_position since = fixture_now(*state);
    note(state, "a", SNAPSHOT_READY, false);
    assert_told(state, &since, "");
}

static void what_goes_is_told_once_and_why(void **state)
{
    note(state, "a", SNAPSHOT_READY, false);
    note(state, "b", SNAPSHOT_READY, false);
    struct event_position since = fixture_now(*state);
    catalog_remove(catalog_of(state), "a", CAUSE_FOUND);
    catalog_remove(catalog_of(state), "a", CAUSE_REQUEST);
    catalog_remove(catalog_of(state), "b", CAUSE_PRUNED);
    assert_told(state, &since, "deleted a, pruned b, ");
    assert_false(catalog_has(catalog_of(state), "a"));
}

static uint64_t gauge(void **state, enum metric metric, size_t series)
{
    struct fixture *fixture = *state;
    uint64_t value = UINT64_MAX;

    metrics_read(fixture->service->metrics, metric, series, &value);
    return value;
}

static void the_sums_follow_every_note(void **state)
{
    assert_int_equal(gauge(state, METRIC_SNAPSHOTS, SNAPSHOT_READY), 0);
    note(state, "a", SNAPSHOT_READY, false);
    note(state, "b", SNAPSHOT_READY, false);
    note(state, "b", SNAPSHOT_DAMAGED, false);
    assert_int_equal(gauge(state, METRIC_SNAPSHOTS, SNAPSHOT_READY), 1);
    assert_int_equal(gauge(state, METRIC_SNAPSHOTS, SNAPSHOT_DAMAGED), 1);
    assert_int_equal(gauge(state, METRIC_SNAPSHOT_BYTES, FILE_MEMORY), 16384);
    assert_int_equal(gauge(state, METRIC_SNAPSHOT_ALLOCATED_BYTES, 0), 8192);
    catalog_remove(catalog_of(state), "b", CAUSE_FOUND);
    assert_int_equal(gauge(state, METRIC_SNAPSHOTS, SNAPSHOT_DAMAGED), 0);
    assert_int_equal(gauge(state, METRIC_SNAPSHOT_BYTES, FILE_MEMORY), 8192);
}

static void a_get_puts_right_what_the_catalogue_has_wrong(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    auto_snapshot struct snapshot found = {0};
    auto_text struct text differences = {0};

    note(state, "ghost", SNAPSHOT_READY, false);
    openvmm_save(fixture_snapshot(fixture, "new", "").text, 4096, 'n', 1);
    assert_fails(snapshot_get(fixture->service, "ghost", LIVE_NONE, &found, &err), ERR_NOT_FOUND);
    assert_succeeds(snapshot_get(fixture->service, "new", LIVE_NONE, &found, &err));
    fixture_compare_list(fixture, &differences);
    assert_string_equal(text_str(&differences), "");
}

static void a_walk_meets_every_entry_once(void **state)
{
    struct catalog_entry entries[2];
    int64_t number = 0;
    size_t count;
    auto_text struct text met = {0};

    for (char id[] = "a"; id[0] <= 'e'; id[0]++)
        note(state, id, SNAPSHOT_READY, false);
    do {
        assert_true(catalog_walk(catalog_of(state), number, entries, 2, &count));
        for (size_t i = 0; i < count; i++) {
            text_appends(&met, entries[i].id);
            number = entries[i].number;
            assert_int_equal(entries[i].seen.inode, 7);
            assert_int_equal(entries[i].seen.fingerprint, 8);
        }
    } while (count == 2);
    assert_string_equal(text_str(&met), "abcde");
}

/* Nothing is on disk: the catalogue is to believe what it is told. */
static int setup(void **state)
{
    int failed = fixture_setup(state);

    fixture_hush(*state);
    return failed;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_note_tells_what_became_of_the_snapshot),
        TEST(a_note_of_what_is_known_tells_nothing),
        TEST(what_goes_is_told_once_and_why),
        TEST(the_sums_follow_every_note),
        TEST(a_get_puts_right_what_the_catalogue_has_wrong),
        TEST(a_walk_meets_every_entry_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
