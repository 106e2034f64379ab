#include "codec/field_types.h"
#include "codec/fields.h"
#include "tests/check.h"

struct thing {
    uint32_t size;
    bool has_size;
    bool is_red;
    struct text note;
    struct labels labels;
    struct strings parts;
};

static const char *check_even(const void *member)
{
    return *(const uint32_t *)member % 2 == 0 ? NULL : "must be even";
}

static const struct field rows[] = {
    FIELD(thing, size, u32, GIVEN(thing, has_size), .min = 2, .max = 10, .check = check_even),
    FIELD(thing, is_red, boolean, REQUIRED),
    FIELD_AS("a/b~c", thing, note, text, REQUIRED, .max = 3),
    FIELD(thing, labels, labels),
    FIELD(thing, parts, strings),
};
static const struct fields thing_fields = {FIELDS(rows)};
static const struct fields open_fields = {FIELDS(rows), .open = true};

static void clear_thing(struct thing *thing)
{
    text_clear(&thing->note);
    labels_clear(&thing->labels);
    strings_clear(&thing->parts);
}

static bool read_as(const struct fields *fields, const char *json, struct faults *faults,
                    struct error *err)
{
    struct thing thing = {0};
    bool good = fields_parse(fields, json, strlen(json), &thing, faults, err);

    clear_thing(&thing);
    return good;
}

#define assert_fault(json, at, what)                                            \
    do {                                                                        \
        struct error err = {0};                                                 \
        struct faults faults = {0};                                             \
        assert_fails(read_as(&thing_fields, json, &faults, &err), ERR_INVALID); \
        assert_int_equal(faults.count, 1);                                      \
        assert_string_equal(faults.items[0].pointer, at);                       \
        assert_string_equal(faults.items[0].detail, what);                      \
        assert_string_equal(err.field, at);                                     \
        assert_string_equal(err.message, what);                                 \
    } while (0)

#define GOOD "\"is_red\":true,\"a/b~c\":\"x\""

static void members_are_read_and_written_by_the_same_rows(void **state)
{
    static const char json[] = "{\"size\":4,\"is_red\":true,\"a/b~c\":\"x\","
                               "\"labels\":{\"k\":\"v\"},\"parts\":[\"p\",\"q\"]}";
    struct error err = {0};
    struct faults faults = {0};
    struct thing thing = {0};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(fields_parse(&thing_fields, json, strlen(json), &thing, &faults, &err));
    assert_int_equal(thing.size, 4);
    fields_write(&thing_fields, &thing, &out);
    assert_string_equal(text_str(&out), json);
    clear_thing(&thing);
}

static void a_member_that_was_not_given_is_not_written(void **state)
{
    struct thing thing = {.size = 4};
    auto_text struct text out = {0};

    (void)state;
    fields_write(&thing_fields, &thing, &out);
    assert_string_equal(text_str(&out),
                        "{\"is_red\":false,\"a/b~c\":\"\",\"labels\":{},\"parts\":[]}");
}

static void a_missing_member_is_a_fault(void **state)
{
    (void)state;
    assert_fault("{\"a/b~c\":\"x\"}", "/is_red", "is required");
}

static void an_unknown_member_is_a_fault(void **state)
{
    (void)state;
    assert_fault("{" GOOD ",\"colour\":null}", "/colour", "unknown member");
    assert_fault("{" GOOD ",\"\":1}", "/", "unknown member");
}

static void null_is_a_value_of_no_member(void **state)
{
    (void)state;
    assert_fault("{" GOOD ",\"size\":null}", "/size", "must not be null");
    assert_fault("{" GOOD ",\"parts\":[null]}", "/parts/0", "must be a string");
    assert_fault("{" GOOD ",\"labels\":{\"a\":null}}", "/labels/a", "must be a string");
}

static void pointers_are_escaped(void **state)
{
    (void)state;
    assert_fault("{\"is_red\":true,\"a/b~c\":1}", "/a~1b~0c", "must be a string");
}

static void limits_are_kept_and_told(void **state)
{
    (void)state;
    assert_fault("{" GOOD ",\"size\":1}", "/size", "must be at least 2");
    assert_fault("{" GOOD ",\"size\":\"11\"}", "/size", "must be at most 10");
    assert_fault("{" GOOD ",\"size\":3}", "/size", "must be even");
    assert_fault("{" GOOD ",\"size\":4.0}", "/size", "must be an integer");
    assert_fault("{\"is_red\":true,\"a/b~c\":\"xxxx\"}", "/a~1b~0c", "must be at most 3 bytes");
}

static void every_fault_is_reported_at_once(void **state)
{
    struct error err = {0};
    struct faults faults = {0};

    (void)state;
    assert_fails(read_as(&thing_fields, "{\"size\":1,\"x\":1,\"labels\":[]}", &faults, &err),
                 ERR_INVALID);
    assert_string_equal(err.message, "5 members of the request are not acceptable");
    assert_string_equal(err.field, "");
    assert_int_equal(faults.count, 5);
    assert_string_equal(faults.items[0].pointer, "/size");
    assert_string_equal(faults.items[1].pointer, "/x");
    assert_string_equal(faults.items[2].pointer, "/labels");
    assert_string_equal(faults.items[3].pointer, "/is_red");
    assert_string_equal(faults.items[4].pointer, "/a~1b~0c");
}

static void faults_beyond_the_most_are_counted(void **state)
{
    struct error err = {0};
    struct faults faults = {0};

    (void)state;
    assert_true(faults_none(&faults, &err));
    for (int i = 0; i < FAULTS_MAX + 3; i++)
        faults_add(&faults, "/x", "number %d", i);
    assert_fails(faults_none(&faults, &err), ERR_INVALID);
    assert_string_equal(err.message, "35 members of the request are not acceptable");
    assert_string_equal(faults.items[FAULTS_MAX - 1].detail, "number 31");
}

static void long_names_are_cut(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_text struct text json = {0};

    (void)state;
    assert_true(text_appendf(&json, "{" GOOD ",\"%0500d\":1}", 0));
    assert_fails(read_as(&thing_fields, json.data, &faults, &err), ERR_INVALID);
    assert_int_equal(strlen(faults.items[0].pointer), sizeof faults.items[0].pointer - 1);
}

static void an_open_document_passes_over_what_it_does_not_know(void **state)
{
    struct error err = {0};
    struct faults faults = {0};

    (void)state;
    assert_succeeds(read_as(&open_fields, "{" GOOD ",\"colour\":null}", &faults, &err));
}

static void a_document_that_is_no_object_is_a_fault(void **state)
{
    static const char *const values[] = {"[]", "1", "\"{}\"", "null", "true", "1.5"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_fault(values[i], "", "must be an object");
}

static void malformed_json_has_no_faults(void **state)
{
    struct error err = {0};
    struct faults faults = {0};

    (void)state;
    assert_fails(read_as(&thing_fields, "{\"size\":1", &faults, &err), ERR_MALFORMED_JSON);
    assert_int_equal(faults.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_and_written_by_the_same_rows),
        cmocka_unit_test(a_member_that_was_not_given_is_not_written),
        cmocka_unit_test(a_missing_member_is_a_fault),
        cmocka_unit_test(an_unknown_member_is_a_fault),
        cmocka_unit_test(null_is_a_value_of_no_member),
        cmocka_unit_test(pointers_are_escaped),
        cmocka_unit_test(limits_are_kept_and_told),
        cmocka_unit_test(every_fault_is_reported_at_once),
        cmocka_unit_test(faults_beyond_the_most_are_counted),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(an_open_document_passes_over_what_it_does_not_know),
        cmocka_unit_test(a_document_that_is_no_object_is_a_fault),
        cmocka_unit_test(malformed_json_has_no_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
