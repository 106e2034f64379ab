#include <stdio.h>

#include "codec/page.h"
#include "tests/check.h"

static void a_page_lists_snapshots_and_the_next_cursor(void **state)
{
    struct snapshot items[] = {
        {.id = (char *)"a", .path = (char *)"/a", .status = SNAPSHOT_INCOMPLETE},
        {.id = (char *)"b", .path = (char *)"/b", .status = SNAPSHOT_DAMAGED   },
    };
    struct error err = {0};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(snapshot_page_to_json(items, 2, "c1", &out, &err));
    assert_string_equal(text_str(&out),
                        "{\"snapshots\":[{\"id\":\"a\",\"status\":\"incomplete\",\"problem\":null,"
                        "\"path\":\"/a\",\"manifest\":null,\"memory\":null,\"state\":null,"
                        "\"labels\":{},\"held\":false,\"restore\":null},"
                        "{\"id\":\"b\",\"status\":\"damaged\",\"problem\":null,"
                        "\"path\":\"/b\",\"manifest\":null,\"memory\":null,\"state\":null,"
                        "\"labels\":{},\"held\":false,\"restore\":null}],\"next\":\"c1\"}");
}

static void the_last_page_has_no_next(void **state)
{
    struct error err = {0};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(snapshot_page_to_json(NULL, 0, NULL, &out, &err));
    assert_string_equal(text_str(&out), "{\"snapshots\":[],\"next\":null}");
}

static void a_page_needs_room(void **state)
{
    struct snapshot item = {.id = (char *)"a", .path = (char *)"/a"};
    struct error err = {0};
    auto_text struct text out = {.max = 50};

    (void)state;
    assert_fails(snapshot_page_to_json(&item, 1, NULL, &out, &err), ERR_INTERNAL);
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
        cmocka_unit_test(a_page_lists_snapshots_and_the_next_cursor),
        cmocka_unit_test(the_last_page_has_no_next),
        cmocka_unit_test(a_page_needs_room),
        cmocka_unit_test(cursors_lead_back_to_their_ids),
        cmocka_unit_test(other_cursors_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
