#include <stdio.h>

#include "codec/page.h"
#include "tests/check.h"

static void add(struct snapshot_page *page, const char *json)
{
    assert_true(text_set(&page->items[page->count++].json, json, strlen(json)));
}

static void a_page_lists_documents_and_the_next_cursor(void **state)
{
    auto_snapshot_page struct snapshot_page page = {.items = calloc(2, sizeof *page.items)};
    struct error err = {0};
    auto_text struct text out = {0};

    (void)state;
    add(&page, "{\"id\":\"a\"}");
    add(&page, "{\"id\":\"b\"}");
    assert_succeeds(snapshot_page_to_json(&page, "c1", &out, &err));
    assert_string_equal(text_str(&out),
                        "{\"snapshots\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"next\":\"c1\"}");
}

static void the_last_page_has_no_next(void **state)
{
    const struct snapshot_page page = {0};
    struct error err = {0};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(snapshot_page_to_json(&page, NULL, &out, &err));
    assert_string_equal(text_str(&out), "{\"snapshots\":[],\"next\":null}");
}

static void a_page_needs_room(void **state)
{
    auto_snapshot_page struct snapshot_page page = {.items = calloc(1, sizeof *page.items)};
    struct error err = {0};
    auto_text struct text out = {.max = 20};

    (void)state;
    add(&page, "{\"id\":\"a\"}");
    assert_fails(snapshot_page_to_json(&page, NULL, &out, &err), ERR_INTERNAL);
}

static void encode(const struct snapshot_query *query, const struct snapshot_key *key,
                   struct text *out)
{
    struct error err = {0};

    assert_succeeds(cursor_encode(query, key, out, &err));
    assert_int_equal(strspn(out->data, "0123456789abcdef"), out->len);
}

static void assert_comes_back(enum snapshot_sort sort, const struct snapshot_key *key)
{
    struct error err = {0};
    auto_text struct text cursor = {0};
    struct snapshot_query query = {.sort = sort, .is_descending = sort == SORT_MEMORY_SIZE};

    encode(&query, key, &cursor);
    assert_succeeds(cursor_decode(cursor.data, &query, &err));
    assert_true(query.has_after);
    assert_true(query.after.major == key->major && query.after.minor == key->minor);
    assert_string_equal(query.after.id, key->id);
}

static void cursors_lead_back_to_their_places(void **state)
{
    struct snapshot_key longest = {.major = INT64_MIN, .minor = INT64_MIN};

    (void)state;
    snprintf(longest.id, sizeof longest.id, "%0128d", 0);
    for (enum snapshot_sort sort = 0; sort < SORT__COUNT; sort++) {
        assert_comes_back(sort, &(struct snapshot_key){.id = "a"});
        assert_comes_back(sort, &(struct snapshot_key){INT64_MAX, -1, "web-42.before_upgrade"});
        assert_comes_back(sort, &longest);
    }
}

static void assert_refused(const char *cursor, struct snapshot_query query)
{
    struct error err = {0};

    assert_fails(cursor_decode(cursor, &query, &err), ERR_INVALID);
    assert_string_equal(err.field, "?cursor");
    assert_false(query.has_after);
}

static void what_is_no_cursor_is_refused(void **state)
{
    char long_one[800];
    const char *const cursors[] = {"", "6", "6G", "6g", "41 ", "zz",
                                   "2e2e", "6100", "00", "ff", "4A", long_one};

    (void)state;
    snprintf(long_one, sizeof long_one, "%0700d", 0);
    memset(long_one, '6', 700);
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++)
        assert_refused(cursors[i], (struct snapshot_query){0});
}

static void a_cursor_that_was_changed_is_refused(void **state)
{
    const struct snapshot_query query = {.sort = SORT_CREATED_AT};
    auto_text struct text cursor = {0};

    (void)state;
    encode(&query, &(struct snapshot_key){1700000000, 5, "web-42"}, &cursor);
    for (size_t i = 0; i < cursor.len; i++) {
        char was = cursor.data[i];
        cursor.data[i] = was == '1' ? '2' : '1';
        assert_refused(cursor.data, query);
        cursor.data[i] = was;
    }
    cursor.data[cursor.len - 2] = '\0';
    assert_refused(cursor.data, query);
}

static void a_cursor_is_of_one_list(void **state)
{
    char web[] = "web";
    const struct snapshot_query query = {.sort = SORT_ID};
    auto_text struct text cursor = {0};

    (void)state;
    encode(&query, &(struct snapshot_key){.id = "a"}, &cursor);
    assert_refused(cursor.data, (struct snapshot_query){.sort = SORT_MEMORY_SIZE});
    assert_refused(cursor.data, (struct snapshot_query){.is_descending = true});
    assert_refused(cursor.data,
                   (struct snapshot_query){
                       .filter = {.has_part = true, .part = web}
    });
    assert_refused(cursor.data, (struct snapshot_query){.filter = {.has_held = true}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_lists_documents_and_the_next_cursor),
        cmocka_unit_test(the_last_page_has_no_next),
        cmocka_unit_test(a_page_needs_room),
        cmocka_unit_test(cursors_lead_back_to_their_places),
        cmocka_unit_test(what_is_no_cursor_is_refused),
        cmocka_unit_test(a_cursor_that_was_changed_is_refused),
        cmocka_unit_test(a_cursor_is_of_one_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
