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

static void assert_comes_back(const char *id)
{
    struct error err = {0};
    auto_text struct text cursor = {0};
    auto_free char *again = NULL;

    assert_succeeds(cursor_encode(id, &cursor, &err));
    assert_int_equal(strspn(cursor.data, "0123456789abcdef"), cursor.len);
    assert_succeeds(cursor_decode(cursor.data, &again, &err));
    assert_string_equal(again, id);
}

static void cursors_lead_back_to_their_ids(void **state)
{
    char longest[129];

    (void)state;
    snprintf(longest, sizeof longest, "%0128d", 0);
    assert_comes_back("a");
    assert_comes_back("web-42.before_upgrade");
    assert_comes_back(longest);
}

static void other_cursors_are_refused(void **state)
{
    char long_one[300];
    const char *const cursors[] = {"", "6", "6G", "6g", "41 ", "zz",
                                   "2e2e", "6100", "00", "ff", "4A", long_one};

    (void)state;
    snprintf(long_one, sizeof long_one, "%0258d", 0);
    memset(long_one, '6', 258);
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
        struct error err = {0};
        char *id = NULL;
        assert_fails(cursor_decode(cursors[i], &id, &err), ERR_INVALID);
        assert_string_equal(err.field, "?cursor");
        assert_null(id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_lists_documents_and_the_next_cursor),
        cmocka_unit_test(the_last_page_has_no_next),
        cmocka_unit_test(a_page_needs_room),
        cmocka_unit_test(cursors_lead_back_to_their_ids),
        cmocka_unit_test(other_cursors_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
