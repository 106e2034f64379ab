/* Lists come from the catalogue, and the catalogue from the disk: whatever becomes of its file, the
 * answers stay the same, byte for byte. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#define PAGE ((size_t)4096)

static struct path catalogue(const struct test *test, const char *suffix)
{
    return path_of("%s/.vmsnapd/catalog.db%s", test->fixture.store.text, suffix);
}

static void remove_catalogue(const struct test *test)
{
    static const char *const parts[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        disk_remove(catalogue(test, parts[i]).text);
}

static void save(const struct test *test, const char *id)
{
    openvmm_save(fixture_snapshot(&test->fixture, id, "").text, PAGE, 'o', 1);
}

static void lose(const struct test *test, const char *id, const char *file)
{
    save(test, id);
    disk_remove(fixture_snapshot(&test->fixture, id, file).text);
}

static void replace_by_directory(const struct test *test, const char *id, const char *file)
{
    lose(test, id, file);
    disk_make_dir(fixture_snapshot(&test->fixture, id, file).text);
}

/* Of all kinds that a store can hold, and what is none. */
static void make_strangers(const struct test *test)
{
    const struct fixture *fixture = &test->fixture;

    save(test, "openvmm");
    lose(test, "torn-memory", "memory.bin");
    lose(test, "torn-state", "state.bin");
    lose(test, "torn-manifest", "manifest.bin");
    replace_by_directory(test, "odd-manifest", "manifest.bin");
    replace_by_directory(test, "odd-state", "state.bin");
    replace_by_directory(test, "odd-memory", "memory.bin");
    disk_make_dir(fixture_snapshot(fixture, "empty", "").text);
    save(test, "undecodable");
    test_write(fixture_snapshot(fixture, "undecodable", "manifest.bin").text, "\xff", 1);
    save(test, "foreign");
    disk_write(fixture_snapshot(fixture, "foreign", "disk.img").text, PAGE, 'd');
    save(test, "recorded-badly");
    test_write(fixture_snapshot(fixture, "recorded-badly", "snapshot.json").text, "{\"held\":", 8);
    lose(test, "linked-memory", "memory.bin");
    must(symlink("../openvmm/memory.bin",
                 fixture_snapshot(fixture, "linked-memory", "memory.bin").text)
             == 0,
         "symlink");
    disk_make_dir(fixture_snapshot(fixture, ".hidden", "").text);
    disk_make_dir(fixture_snapshot(fixture, "with space", "").text);
    disk_write(fixture_snapshot(fixture, "file", "").text, 1, 'x');
    must(symlink("openvmm", fixture_snapshot(fixture, "link", "").text) == 0, "symlink");
}

static void fill(struct test *test)
{
    static const char *const ways[] = {"link", "copy", "isolate"};
    struct path memory = test_memory(test, "m", 2 * PAGE, 'm');

    for (unsigned i = 0; i < 12; i++) {
        auto_answer struct answer made = {0};
        test_send(test, "PUT", path_of("/snapshots/made-%u", i).text, &made,
                  "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS ",\"capture\":\"%s\","
                  "\"labels\":{\"vm\":\"w\\u00e9b-%u\"},\"vmm_args\":[\"--uefi\"],"
                  "\"created_at\":\"2026-01-0%uT03:04:05.678Z\"}",
                  memory.text, ways[i % 3], i, 1 + i % 9);
        assert_int_equal(made.status, 201);
    }
    make_strangers(test);
}

/* Follows the pages of a list, and appends each of them whole. */
static void read_pages(struct test *test, unsigned limit, struct text *out)
{
    struct path path = path_of("/snapshots?limit=%u", limit);

    for (;;) {
        auto_answer struct answer page = {0};
        test_get(test, path.text, &page);
        assert_int_equal(page.status, 200);
        assert_true(text_append(out, page.body.data, page.body.len));
        json_t *next = answer_at(&page, "next");
        if (json_is_null(next))
            return;
        path = path_of("/snapshots?limit=%u&cursor=%s", limit, json_string_value(next));
    }
}

static void read_lists(struct test *test, struct text *out)
{
    static const unsigned limits[] = {1, 7, 1000};

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        read_pages(test, limits[i], out);
}

static void assert_lists(struct test *test, const struct text *expected)
{
    auto_text struct text now = {0};

    read_lists(test, &now);
    assert_string_equal(text_str(&now), text_str(expected));
}

/* Each document in the list is the one that is answered for its id. */
static void assert_documents(struct test *test, size_t count)
{
    auto_answer struct answer list = {0};
    size_t i;
    json_t *item;

    test_get(test, "/snapshots?limit=1000", &list);
    assert_int_equal(json_array_size(answer_at(&list, "snapshots")), count);
    json_array_foreach(answer_at(&list, "snapshots"), i, item)
    {
        auto_answer struct answer one = {0};
        const char *id = json_string_value(json_object_get(item, "id"));
        test_get(test, path_of("/snapshots/%s", id).text, &one);
        assert_int_equal(one.status, 200);
        assert_non_null(strstr(list.body.data, one.body.data));
    }
}

static void a_list_has_the_documents_of_its_snapshots(void **state)
{
    struct test *test = *state;

    fill(test);
    test_restart(test);
    assert_documents(test, 24);
}

static void deleting_the_catalogue_changes_no_answer(void **state)
{
    struct test *test = *state;
    auto_text struct text before = {0};

    fill(test);
    test_restart(test);
    read_lists(test, &before);
    test_stop(test);
    remove_catalogue(test);
    test_restart(test);
    assert_lists(test, &before);
    test_restart(test);
    assert_lists(test, &before);
}

static void what_is_noticed_while_running_is_what_a_start_finds(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 2 * PAGE, 'm');
    const struct call patch = {.method = "PATCH",
                               .path = "/snapshots/s-1",
                               .headers = {"Content-Type: application/merge-patch+json"},
                               .body = "{\"held\":true,\"labels\":{\"a\":\"b\"}}"};
    auto_answer struct answer patched = {0};
    auto_answer struct answer replaced = {0};
    auto_answer struct answer removed = {0};
    auto_text struct text noticed = {0};

    for (unsigned i = 0; i < 9; i++)
        test_create(test, path_of("s-%u", i).text, &memory, 1 + i);
    test_call(test, &patch, &patched);
    assert_int_equal(patched.status, 200);
    test_send(test, "PUT", "/snapshots/s-2", &replaced,
              "{\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS ",\"capture\":\"copy\"}",
              memory.text);
    assert_int_equal(replaced.status, 200);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/s-3"}, &removed);
    assert_int_equal(removed.status, 204);
    read_lists(test, &noticed);
    test_stop(test);
    remove_catalogue(test);
    test_restart(test);
    assert_lists(test, &noticed);
    assert_documents(test, 8);
}

static void what_changed_while_it_was_down_is_found_at_the_start(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 2 * PAGE, 'm');
    auto_text struct text found = {0};

    test_create(test, "gone", &memory, 1);
    test_create(test, "another", &memory, 2);
    lose(test, "finished", "state.bin");
    test_restart(test);
    test_stop(test);
    disk_remove(fixture_snapshot(&test->fixture, "gone", "").text);
    must(rename(fixture_snapshot(&test->fixture, "another", "").text,
                fixture_snapshot(&test->fixture, "renamed", "").text)
             == 0,
         "rename");
    save(test, "another");
    save(test, "new");
    disk_write(fixture_snapshot(&test->fixture, "finished", "state.bin").text, 0, 's');
    test_restart(test);
    read_lists(test, &found);
    assert_documents(test, 4);
    test_stop(test);
    remove_catalogue(test);
    test_restart(test);
    assert_lists(test, &found);
}

static void overwrite(const char *path, off_t at, size_t len)
{
    auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
    auto_free char *bytes = malloc(len);

    must(fd >= 0 && bytes, path);
    memset(bytes, 0xa5, len);
    must(pwrite(fd, bytes, len, at) == (ssize_t)len, path);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *handle;

    must(sqlite3_open(path, &handle) == SQLITE_OK
             && sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK,
         sql);
    sqlite3_close(handle);
}

static void overwrite_head(const char *path)
{
    overwrite(path, 0, PAGE);
}

/* All but the first pages, which say that it is ours. */
static void overwrite_rest(const char *path)
{
    off_t size = disk_stat(path).st_size;

    for (off_t at = (off_t)(2 * PAGE); at < size; at += (off_t)PAGE)
        overwrite(path, at, 64);
}

static void cut_short(const char *path)
{
    must(truncate(path, (off_t)(3 * PAGE + 100)) == 0, path);
}

static void cut_to_nothing(const char *path)
{
    must(truncate(path, 0) == 0, path);
}

static void make_it_later(const char *path)
{
    run_sql(path, "PRAGMA user_version = 1000000");
}

static void make_it_anothers(const char *path)
{
    run_sql(path, "PRAGMA application_id = 42");
}

static void make_it_another_stores(const char *path)
{
    run_sql(path, "UPDATE meta SET value = '/elsewhere' WHERE key = 'store'");
}

static void drop_its_table(const char *path)
{
    run_sql(path, "DROP TABLE document");
}

static void make_it_a_directory(const char *path)
{
    disk_remove(path);
    disk_make_dir(path);
}

static void write_other_documents(const char *path)
{
    run_sql(path, "UPDATE document SET json = replace(json, 'held', 'hold');"
                  "UPDATE meta SET value = 1 WHERE key = 'dialect'");
}

static const struct {
    void (*spoil)(const char *path);
    bool is_set_aside;
} spoilings[] = {
    {overwrite_head,         true },
    {overwrite_rest,         true },
    {cut_short,              true },
    {cut_to_nothing,         false}, /* as good as none */
    {make_it_later,          true },
    {make_it_anothers,       true },
    {make_it_another_stores, true },
    {drop_its_table,         true },
    {write_other_documents,  false}, /* by an earlier version: it is filled again */
    {make_it_a_directory,    false},
};

static void spoil(struct test *test, size_t i, const struct text *expected)
{
    disk_remove(catalogue(test, ".bad").text);
    test_stop(test);
    spoilings[i].spoil(catalogue(test, "").text);
    test_restart(test);
    assert_lists(test, expected);
    bool is_set_aside = access(catalogue(test, ".bad").text, F_OK) == 0;
    if (is_set_aside != spoilings[i].is_set_aside)
        fail_msg("spoiling %zu: set aside is %d", i, is_set_aside);
    test_restart(test);
    assert_lists(test, expected);
}

static void a_spoilt_catalogue_is_set_aside_and_changes_no_answer(void **state)
{
    struct test *test = *state;
    auto_text struct text before = {0};

    fill(test);
    test_restart(test);
    read_lists(test, &before);
    for (size_t i = 0; i < sizeof spoilings / sizeof spoilings[0]; i++)
        spoil(test, i, &before);
    assert_documents(test, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_list_has_the_documents_of_its_snapshots),
        WITH_SERVER(deleting_the_catalogue_changes_no_answer),
        WITH_SERVER(what_is_noticed_while_running_is_what_a_start_finds),
        WITH_SERVER(what_changed_while_it_was_down_is_found_at_the_start),
        WITH_SERVER(a_spoilt_catalogue_is_set_aside_and_changes_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
