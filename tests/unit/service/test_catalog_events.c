#include <sqlite3.h>
#include <stdio.h>

#include "service/catalog.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

static void note(struct fixture *fixture, const char *id, unsigned size)
{
    const struct sighting seen = {.inode = 7, .fingerprint = size, .allocated_bytes = 4096};
    const struct snapshot snapshot = {.id = (char *)id,
                                      .path = (char *)"/p",
                                      .has_record = true,
                                      .has_memory = true,
                                      .memory_size_bytes = size};

    catalog_note(fixture->service->catalog, &snapshot, &seen, CAUSE_FOUND);
}

static void assert_told(const struct fixture *fixture, const struct event_position *since,
                        const char *expected)
{
    auto_text struct text told = {0};

    fixture_told(fixture, since, &told);
    assert_string_equal(text_str(&told), expected);
}

/* What is on disk, so that a start finds nothing to tell of it; and whole from the beginning. */
static void save(const struct fixture *fixture, const char *id)
{
    struct path aside = path_of("%s/aside", fixture->home.text);

    openvmm_save(aside.text, 4096, 'x', 1);
    must(rename(aside.text, fixture_snapshot(fixture, id, "").text) == 0, id);
}

static void history_outlives_the_service(void **state)
{
    struct fixture *fixture = *state;
    struct event_position since = fixture_now(fixture);

    save(fixture, "a");
    fixture_await_told(fixture, &since, "created a, ");
    struct event_position after_a = fixture_now(fixture);
    save(fixture, "b");
    fixture_await_told(fixture, &after_a, "created b, ");
    for (int i = 0; i < 3; i++) {
        fixture_reopen(fixture);
        assert_told(fixture, &since, "created a, created b, ");
        assert_told(fixture, &after_a, "created b, ");
    }
}

static void what_changed_while_it_was_closed_is_told_at_the_start(void **state)
{
    struct fixture *fixture = *state;
    struct event_position since = fixture_now(fixture);

    save(fixture, "a");
    fixture_await_told(fixture, &since, "created a, ");
    fixture_close(fixture);
    disk_remove(fixture_snapshot(fixture, "a", "").text);
    fixture_open(fixture);
    assert_told(fixture, &since, "created a, deleted a, ");
}

/* A crash may lose events that were told: their numbers are gone. */
static void no_number_is_given_twice(void **state)
{
    struct fixture *fixture = *state;
    struct event_position before = fixture_now(fixture);

    for (int i = 0; i < 3; i++) {
        fixture_reopen(fixture);
        struct event_position now = fixture_now(fixture);
        assert_int_equal(now.epoch, before.epoch);
        assert_true(now.number >= before.number + 1000000);
        assert_told(fixture, &before, "");
        before = now;
    }
}

static struct path catalogue(const struct fixture *fixture)
{
    return path_of("%s/.vmsnapd/catalog.db", fixture->store.text);
}

static void another_catalogue_is_another_epoch_that_tells_nothing_of_what_it_finds(void **state)
{
    struct fixture *fixture = *state;
    struct event_position since = fixture_now(fixture);

    save(fixture, "a");
    fixture_await_told(fixture, &since, "created a, ");
    fixture_close(fixture);
    disk_remove(catalogue(fixture).text);
    fixture_open(fixture);
    struct event_position now = fixture_now(fixture);
    assert_true(now.epoch != since.epoch);
    assert_told(fixture, &since, "reset, ");
    save(fixture, "b");
    fixture_await_told(fixture, &now, "created b, ");
}

static int64_t ask(const struct fixture *fixture, const char *sql)
{
    sqlite3 *handle;
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_open(catalogue(fixture).text, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return value;
}

static void the_history_is_bounded_and_as_long_as_promised(void **state)
{
    struct fixture *fixture = *state;
    struct event_position since = fixture_now(fixture);

    fixture_hush(fixture);
    for (unsigned i = 1; i <= EVENT_HISTORY + 3000; i++)
        note(fixture, "a", i);
    fixture_close(fixture);
    assert_in_range(ask(fixture, "SELECT count(*) FROM event"), EVENT_HISTORY, EVENT_HISTORY + 512);
    fixture_open(fixture);
    assert_told(fixture, &since, "reset, ");
    since.number += 3001;
    auto_text struct text told = {0};
    fixture_told(fixture, &since, &told);
    assert_memory_equal(told.data, "updated a, ", 11);
    assert_int_equal(told.len, (size_t)(EVENT_HISTORY - 1) * 11 + strlen("deleted a, "));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(history_outlives_the_service),
        TEST(what_changed_while_it_was_closed_is_told_at_the_start),
        TEST(no_number_is_given_twice),
        TEST(another_catalogue_is_another_epoch_that_tells_nothing_of_what_it_finds),
        TEST(the_history_is_bounded_and_as_long_as_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
