#include <stdio.h>

#include "service/catalog_schema.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

static void run(sqlite3 *handle, const char *sql)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
}

static int64_t ask(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static sqlite3 *open_database(const char *path)
{
    sqlite3 *handle;

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    return handle;
}

/* By what every version has: entries of which nothing on disk is true. */
static void fill(sqlite3 *handle)
{
    run(handle, "INSERT INTO snapshot (id, inode, fingerprint, status, held, created_s, created_ns,"
                " memory, memory_bytes, state_bytes, allocated_bytes)"
                " VALUES ('gone', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),"
                " ('kept', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)");
    run(handle, "INSERT INTO document SELECT number, '{\"id\":\"' || id || '\"}' FROM snapshot");
    run(handle, "INSERT OR REPLACE INTO meta VALUES ('complete', 1), ('closed', 1)");
}

static struct path catalogue(const struct fixture *fixture)
{
    return path_of("%s/.vmsnapd/catalog.db", fixture->store.text);
}

/* A catalogue as the version with so many migrations left it; for 0, none. */
static void leave_version(const struct fixture *fixture, int version)
{
    const char *why = NULL;

    disk_remove(catalogue(fixture).text);
    if (version == 0)
        return;
    sqlite3 *handle = open_database(catalogue(fixture).text);
    assert_int_equal(schema_migrate(handle, version, &why), SQLITE_OK);
    assert_int_equal(ask(handle, "PRAGMA user_version"), version);
    assert_int_equal(schema_adopt(handle, fixture->store.text, &why), SQLITE_OK);
    fill(handle);
    sqlite3_close(handle);
}

static void assert_current(const struct fixture *fixture)
{
    sqlite3 *handle = open_database(catalogue(fixture).text);

    assert_int_equal(ask(handle, "PRAGMA user_version"), schema_version);
    assert_int_equal(ask(handle, "SELECT count(*) FROM pragma_integrity_check"
                                 " WHERE integrity_check <> 'ok'"),
                     0);
    sqlite3_close(handle);
}

static void list(struct fixture *fixture, struct text *out)
{
    struct error err = {0};
    auto_snapshot_page struct snapshot_page page = {0};
    const struct snapshot_query query = {.limit = 10};

    assert_succeeds(snapshot_list(fixture->service, &query, false, &page, &err));
    for (size_t i = 0; i < page.count; i++)
        assert_true(text_append(out, page.items[i].json.data, page.items[i].json.len));
}

static void a_catalogue_of_any_version_is_brought_to_this_one(void **state)
{
    struct fixture *fixture = *state;
    auto_text struct text expected = {0};

    disk_write(fixture_memory(fixture).text, 4096, 'm');
    fixture_create(fixture, "kept", fixture_memory(fixture).text, CAPTURE_LINK, 1);
    list(fixture, &expected);
    for (int version = 0; version <= schema_version; version++) {
        auto_text struct text now = {0};
        fixture_close(fixture);
        leave_version(fixture, version);
        fixture_open(fixture);
        list(fixture, &now);
        assert_string_equal(text_str(&now), text_str(&expected));
        fixture_close(fixture);
        assert_current(fixture);
        fixture_open(fixture);
    }
}

static void harm(const struct fixture *fixture, const char *sql)
{
    sqlite3 *handle = open_database(catalogue(fixture).text);

    run(handle, sql);
    sqlite3_close(handle);
}

static void what_makes_no_sense_is_read_from_disk_again(void **state)
{
    static const char *const harms[] = {
        "UPDATE snapshot SET id = '../kept'",
        "UPDATE snapshot SET id = x'00'",
        "UPDATE snapshot SET labels = x'61'",
        "UPDATE snapshot SET labels = x'610062'",
        "UPDATE snapshot SET labels = x'6100'",
        "DELETE FROM document",
    };
    struct fixture *fixture = *state;
    auto_text struct text expected = {0};

    disk_write(fixture_memory(fixture).text, 4096, 'm');
    fixture_create(fixture, "kept", fixture_memory(fixture).text, CAPTURE_LINK, 1);
    list(fixture, &expected);
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        auto_text struct text now = {0};
        fixture_close(fixture);
        harm(fixture, harms[i]);
        fixture_open(fixture);
        list(fixture, &now);
        assert_string_equal(text_str(&now), text_str(&expected));
    }
}

static void a_migration_that_fails_leaves_the_database_as_it_was(void **state)
{
    const char *why = NULL;
    sqlite3 *handle = open_database(":memory:");

    (void)state;
    run(handle, "PRAGMA application_id = 1986884462; CREATE TABLE document (x)");
    assert_int_not_equal(schema_migrate(handle, schema_version, &why), SQLITE_OK);
    assert_int_equal(ask(handle, "PRAGMA user_version"), 0);
    assert_int_equal(ask(handle, "SELECT count(*) FROM sqlite_schema"), 1);
    sqlite3_close(handle);
}

static void a_database_of_a_later_version_is_left_alone(void **state)
{
    const char *why = NULL;
    sqlite3 *handle = open_database(":memory:");

    (void)state;
    assert_int_equal(schema_migrate(handle, schema_version, &why), SQLITE_OK);
    run(handle, "PRAGMA user_version = 1000");
    assert_int_equal(schema_migrate(handle, schema_version, &why), SQLITE_NOTADB);
    assert_non_null(why);
    assert_int_equal(ask(handle, "PRAGMA user_version"), 1000);
    sqlite3_close(handle);
}

static void another_programs_database_is_left_alone(void **state)
{
    const char *why = NULL;
    sqlite3 *handle = open_database(":memory:");

    (void)state;
    run(handle, "CREATE TABLE theirs (x)");
    assert_int_equal(schema_migrate(handle, schema_version, &why), SQLITE_NOTADB);
    assert_int_equal(ask(handle, "SELECT count(*) FROM sqlite_schema"), 1);
    sqlite3_close(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_catalogue_of_any_version_is_brought_to_this_one,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_read_from_disk_again,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test(a_migration_that_fails_leaves_the_database_as_it_was),
        cmocka_unit_test(a_database_of_a_later_version_is_left_alone),
        cmocka_unit_test(another_programs_database_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
