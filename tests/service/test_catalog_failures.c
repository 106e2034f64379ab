/* The catalogue's database fails under a service that runs: no snapshot is lost by that, and lists
 * stay true. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "service/catalog_db.h"
#include "service/reconcile.h"
#include "tests/check.h"
#include "tests/mounts.h"
#include "tests/store_fixture.h"

#define MEMORY_SIZE ((size_t)16 << 10)

static bool create(struct fixture *fixture, unsigned number, enum capture capture,
                   struct error *err)
{
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, path_of("s-%u", number).text, fixture_memory(fixture).text, capture, 1);
    return snapshot_create(fixture->service, &creation, NULL, &made, err);
}

static void create_some(struct fixture *fixture, unsigned from, unsigned to)
{
    struct error err = {0};

    for (unsigned i = from; i < to; i++)
        assert_succeeds(create(fixture, i, CAPTURE_LINK, &err));
}

static void delete_some(struct fixture *fixture, unsigned from, unsigned to)
{
    const struct guard guard = {0};
    struct error err = {0};

    for (unsigned i = from; i < to; i++)
        assert_succeeds(snapshot_delete(fixture->service, path_of("s-%u", i).text, &guard, &err));
    fixture_settle(fixture);
}

static void assert_listed(struct fixture *fixture)
{
    auto_text struct text differences = {0};

    fixture_compare_list(fixture, &differences);
    assert_string_equal(text_str(&differences), "");
}

static bool is_in_memory(struct fixture *fixture)
{
    struct catalog *catalog = fixture->service->catalog;

    pthread_mutex_lock(&catalog->mutex);
    bool in_memory = catalog->in_memory;
    pthread_mutex_unlock(&catalog->mutex);
    return in_memory;
}

/* As upkeep does after a while. */
static void return_to_file(struct fixture *fixture)
{
    assert_true(catalog_reopen(fixture->service->catalog));
    assert_true(reconcile_all(fixture->service, RECONCILE_LOOKS, 1));
    assert_false(is_in_memory(fixture));
}

/* A filesystem beside the store. */
static bool mount_beside(struct fixture *fixture, struct path *at, const char *options)
{
    fixture_make(fixture, NULL);
    *at = path_of("%s/at", fixture->home.text);
    if (mounts_separate() && mounts_tmpfs(at->text, options))
        return true;
    fixture_remove(fixture);
    return false;
}

static void end(struct fixture *fixture, const struct path *at)
{
    fixture_close(fixture);
    mounts_end(at->text);
    fixture_remove(fixture);
}

/* The catalogue alone lies on it. */
static void lead_away(const struct fixture *fixture, const struct path *at)
{
    struct path own = path_of("%s/.vmsnapd", fixture->store.text);

    disk_make_dir(fixture->store.text);
    disk_make_dir(own.text);
    must(symlink(path_of("%s/catalog.db", at->text).text,
                 path_of("%s/catalog.db", own.text).text)
             == 0,
         "symlink");
}

static void a_catalogue_that_finds_no_room_goes_on_in_memory_and_comes_back(void **state)
{
    struct fixture fixture;
    struct path at;

    (void)state;
    if (!mount_beside(&fixture, &at, "size=1m"))
        skip();
    lead_away(&fixture, &at);
    fixture_open(&fixture);
    disk_write(fixture_memory(&fixture).text, MEMORY_SIZE, 'm');
    create_some(&fixture, 0, 10);
    catalog_commit(fixture.service->catalog);
    auto_fd int ballast = open(path_of("%s/ballast", at.text).text, O_RDWR | O_CREAT, 0600);
    mounts_fill(ballast);
    create_some(&fixture, 10, 60);
    catalog_commit(fixture.service->catalog);
    create_some(&fixture, 60, 70);
    delete_some(&fixture, 0, 5);
    assert_listed(&fixture);
    assert_true(is_in_memory(&fixture));
    assert_false(catalog_reopen(fixture.service->catalog)); /* there is no room yet */
    assert_int_equal(ftruncate(ballast, 0), 0);
    close_p(&ballast);
    ballast = -1;
    return_to_file(&fixture);
    assert_listed(&fixture);
    create_some(&fixture, 0, 5);
    fixture_reopen(&fixture);
    assert_false(is_in_memory(&fixture));
    assert_listed(&fixture);
    end(&fixture, &at);
}

/* To the last block: what was answered is there, and what makes room works. */
static void on_a_disk_that_fills_up_every_snapshot_that_was_made_is_listed(void **state)
{
    struct fixture fixture;
    struct path at;
    struct error err = {0};
    unsigned made = 0;

    (void)state;
    if (!mount_beside(&fixture, &at, "size=3m"))
        skip();
    fixture.store = path_of("%s/store", at.text);
    fixture_open(&fixture);
    disk_write(fixture_memory(&fixture).text, MEMORY_SIZE, 'm');
    while (create(&fixture, made, CAPTURE_COPY, &err)) {
        made++;
        catalog_commit(fixture.service->catalog);
    }
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_true(made > 20);
    assert_int_equal(disk_count(path_of("%s/snapshots", fixture.store.text).text), made);
    assert_listed(&fixture);
    delete_some(&fixture, 0, 10);
    assert_succeeds(create(&fixture, 0, CAPTURE_COPY, &err));
    assert_listed(&fixture);
    fixture_reopen(&fixture);
    assert_listed(&fixture);
    end(&fixture, &at);
}

static void a_catalogue_that_somebody_locks_holds_up_no_one_for_long(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *other;

    disk_write(fixture_memory(fixture).text, MEMORY_SIZE, 'm');
    create_some(fixture, 0, 5);
    catalog_commit(fixture->service->catalog);
    struct path path = path_of("%s/.vmsnapd/catalog.db", fixture->store.text);
    assert_int_equal(sqlite3_open(path.text, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    create_some(fixture, 5, 10);
    assert_listed(fixture);
    assert_true(is_in_memory(fixture));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    return_to_file(fixture);
    assert_listed(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_catalogue_that_finds_no_room_goes_on_in_memory_and_comes_back),
        cmocka_unit_test(on_a_disk_that_fills_up_every_snapshot_that_was_made_is_listed),
        cmocka_unit_test_setup_teardown(a_catalogue_that_somebody_locks_holds_up_no_one_for_long,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
