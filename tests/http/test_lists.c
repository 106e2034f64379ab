/* Lists by filter, order and page; the filters themselves are tested against a model in
 * tests/unit/service/test_catalog_query.c. */
#include <string.h>

#include "tests/test.h"

static void create(struct test *test, const char *id, const char *created_at, const char *labels)
{
    auto_answer struct answer answer = {0};
    struct path memory = test_memory(test, id, 4096, 7);

    test_send(test, "POST", "/snapshots", &answer,
              "{\"id\":\"%s\",\"memory_file_path\":\"%s\",\"openvmm_version\":\"0.0.0\","
              "\"vp_count\":2,\"architecture\":\"x86_64\",\"created_at\":\"%s\","
              "\"labels\":%s}",
              id, memory.text, created_at, labels);
    assert_int_equal(answer.status, 201);
}

static int setup(void **state)
{
    int failed = test_setup(state);

    create(*state, "web-1", "2026-01-03T00:00:00Z", "{\"vm\":\"web\",\"tier\":\"gold\"}");
    create(*state, "web-2", "2026-01-01T00:00:00Z", "{\"vm\":\"web\"}");
    create(*state, "db-1", "2026-01-02T00:00:00Z", "{\"vm\":\"DB\"}");
    return failed;
}

/* The ids of a list that is followed through its pages, by the Link headers or by `next`. */
static void check_list(struct test *test, const char *query, const char *expected)
{
    auto_text struct text ids = {0};
    struct path path = path_of("/snapshots?%s", query);

    for (bool more = true; more;) {
        auto_answer struct answer page = {0};
        test_get(test, path.text, &page);
        assert_int_equal(page.status, 200);
        json_t *items = answer_at(&page, "snapshots");
        for (size_t i = 0; i < json_array_size(items); i++)
            text_appendf(&ids, "%s ",
                         json_string_value(json_object_get(json_array_get(items, i), "id")));
        const char *link = answer_header(&page, "Link");
        more = link;
        if (!more)
            continue;
        const char *at = strstr(link, "/snapshots?");
        path = path_of("%.*s", (int)strcspn(at, ">"), at);
        assert_non_null(strstr(path.text, answer_string(&page, "next")));
    }
    assert_string_equal(text_str(&ids), expected);
}

static void filters_and_orders_mean_what_they_say(void **state)
{
    check_list(*state, "limit=2", "db-1 web-1 web-2 ");
    check_list(*state, "sort=-id&limit=1", "web-2 web-1 db-1 ");
    check_list(*state, "sort=created_at", "web-2 db-1 web-1 ");
    check_list(*state, "sort=-created_at&limit=1&label=vm", "web-1 db-1 web-2 ");
    check_list(*state, "label=vm:web&limit=1", "web-1 web-2 ");
    check_list(*state, "label=vm:web&label=tier", "web-1 ");
    check_list(*state, "label=vm:we", "");
    check_list(*state, "created_after=2026-01-02T00:00:00Z", "db-1 web-1 ");
    check_list(*state, "created_before=2026-01-02T01:00:00%2B01:00", "web-2 ");
    check_list(*state, "q=WEB&limit=1", "web-1 web-2 ");
    check_list(*state, "q=vm:db", "db-1 ");
    check_list(*state, "q=%22", "");
    check_list(*state, "memory_min=4096&memory_max=4096&status=ready&held=false"
                       "&architecture=x86_64&openvmm_version=0.0.0",
               "db-1 web-1 web-2 ");
    check_list(*state, "memory_min=4097", "");
    check_list(*state, "held=true", "");
}

static void a_total_is_of_the_whole_list(void **state)
{
    auto_answer struct answer page = {0};

    test_get(*state, "/snapshots?q=web&limit=1&total=1", &page);
    assert_int_equal(json_integer_value(answer_at(&page, "total")), 2);
    assert_int_equal(json_array_size(answer_at(&page, "snapshots")), 1);
}

static void a_cursor_is_good_for_its_own_list_alone(void **state)
{
    auto_answer struct answer page = {0};
    static const char *const others[] = {"", "&sort=-id", "&q=web&sort=created_at",
                                         "&q=web&label=vm"};

    test_get(*state, "/snapshots?q=web&limit=1", &page);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        auto_answer struct answer refusal = {0};
        struct path path =
            path_of("/snapshots?cursor=%s%s", answer_string(&page, "next"), others[i]);
        test_get(*state, path.text, &refusal);
        assert_problem(&refusal, 422, "invalid_argument");
        assert_string_equal(answer_string(&refusal, "errors.0.parameter"), "cursor");
    }
}

static void every_bad_parameter_is_named(void **state)
{
    static const char *const names[] = {"limit", "total", "include", "sort",
                                        "label", "label", "created_after", "memory_min",
                                        "held", "q", "status"};
    auto_answer struct answer refusal = {0};

    test_get(*state,
             "/snapshots?limit=0&total=2&include=all&sort=size&label=:x&label=a%20b"
             "&created_after=today&memory_min=-1&held=1&q=&status=good&cursor=zz",
             &refusal);
    assert_problem(&refusal, 422, "invalid_argument");
    json_t *errors = answer_at(&refusal, "errors");
    assert_int_equal(json_array_size(errors), sizeof names / sizeof names[0]);
    for (size_t i = 0; i < json_array_size(errors); i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(errors, i),
                                                              "parameter")),
                            names[i]);
}

static void a_link_keeps_what_was_asked_for(void **state)
{
    static const char asked[] = "/snapshots?limit=1&q=%77eb&created_after=2026-01-01T00:00:00Z";
    auto_answer struct answer page = {0};
    auto_text struct text path = {0};

    text_appends(&path, asked);
    for (int i = 0; i < 16; i++) /* longer than other headers' values may be */
        text_appends(&path, "&label=v%6d:%77%65%62");
    test_get(*state, path.data, &page);
    assert_int_equal(page.status, 200);
    text_appendf(&path, "&cursor=%s>; rel=\"next\"", answer_string(&page, "next"));
    assert_non_null(strstr(answer_header(&page, "Link"), path.data));
}

#define WITH_SNAPSHOTS(test) cmocka_unit_test_setup_teardown(test, setup, test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SNAPSHOTS(filters_and_orders_mean_what_they_say),
        WITH_SNAPSHOTS(a_total_is_of_the_whole_list),
        WITH_SNAPSHOTS(a_cursor_is_good_for_its_own_list_alone),
        WITH_SNAPSHOTS(every_bad_parameter_is_named),
        WITH_SNAPSHOTS(a_link_keeps_what_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
