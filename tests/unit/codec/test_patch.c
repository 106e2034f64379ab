#include <stdio.h>

#include "codec/creation.h"
#include "codec/patch.h"
#include "codec/record.h"
#include "tests/check.h"

#define LABELS "\"labels\":{\"a\":\"1\",\"b\":\"2\"}"
#define TAIL                                                                    \
    ",\"request_sha256\":\"\",\"manifest_sha256\":\"\",\"state_size_bytes\":0," \
    "\"state_sha256\":\"\"}"

static bool parse(const char *json, struct patch *out, struct faults *faults, struct error *err)
{
    return patch_from_json(json, strlen(json), out, faults, err);
}

static void read_record(const char *members, struct record *out)
{
    struct error err = {0};
    auto_text struct text json = {0};

    assert_true(text_appendf(&json, "{\"capture\":\"link\",%s" TAIL, members));
    assert_succeeds(record_from_json(json.data, json.len, out, &err));
}

/* A record with the labels a=1 and b=2 that is not held becomes one with these members. */
static void assert_becomes(const char *patch, const char *members)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_patch struct patch changes = {0};
    auto_record struct record record = {0};
    auto_text struct text expected = {0};
    auto_text struct text written = {0};
    bool changed;

    assert_succeeds(parse(patch, &changes, &faults, &err));
    read_record(LABELS ",\"held\":false", &record);
    assert_succeeds(patch_apply(&changes, &record, &changed, &err));
    assert_int_equal(changed, strcmp(members, LABELS ",\"held\":false") != 0);
    assert_succeeds(record_to_json(&record, &written, &err));
    assert_true(text_appendf(&expected, "{\"capture\":\"link\",%s" TAIL, members));
    assert_string_equal(written.data, expected.data);
}

static void what_is_not_named_stays(void **state)
{
    (void)state;
    assert_becomes("{}", LABELS ",\"held\":false");
    assert_becomes("{\"labels\":{}}", LABELS ",\"held\":false");
    assert_becomes("{\"labels\":{\"c\":\"\"}}",
                   "\"labels\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"\"},\"held\":false");
    assert_becomes("{\"held\":true}", LABELS ",\"held\":true");
}

static void what_is_so_already_is_no_change(void **state)
{
    (void)state;
    assert_becomes("{\"labels\":{\"b\":\"2\"},\"held\":false}", LABELS ",\"held\":false");
    assert_becomes("{\"labels\":{\"c\":null},\"held\":null}", LABELS ",\"held\":false");
}

static void labels_are_set_added_and_removed_in_order(void **state)
{
    (void)state;
    assert_becomes("{\"labels\":{\"b\":\"3\",\"a\":null,\"aa\":\"x\",\"0\":\"y\"}}",
                   "\"labels\":{\"0\":\"y\",\"aa\":\"x\",\"b\":\"3\"},\"held\":false");
}

static void null_removes_all_labels(void **state)
{
    (void)state;
    assert_becomes("{\"labels\":null}", "\"labels\":{},\"held\":false");
}

static void null_lets_go(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    struct patch patch = {0};
    struct record record = {.held = true};
    bool changed;

    (void)state;
    assert_succeeds(parse("{\"held\":null}", &patch, &faults, &err));
    assert_succeeds(patch_apply(&patch, &record, &changed, &err));
    assert_true(changed && !record.held);
}

/* {"k000":VALUE,...}, from the first number on. */
static void write_labels(struct text *out, int first, int count, const char *value)
{
    text_appends(out, "{");
    for (int i = first; i < first + count; i++)
        text_appendf(out, "%s\"k%03d\":%s", i > first ? "," : "", i, value);
    assert_true(text_appends(out, "}"));
}

static bool apply(const char *old, const char *changes, struct record *record, bool *changed,
                  struct error *err)
{
    struct faults faults = {0};
    auto_patch struct patch patch = {0};
    auto_text struct text json = {0};

    assert_true(text_appendf(&json, "\"labels\":%s", old));
    read_record(json.data, record);
    text_clear(&json);
    assert_true(text_appendf(&json, "{\"labels\":%s}", changes));
    return parse(json.data, &patch, &faults, err) && patch_apply(&patch, record, changed, err);
}

static void no_more_than_64_labels_come_of_it(void **state)
{
    struct error err = {0};
    auto_record struct record record = {0};
    auto_record struct record full = {0};
    auto_text struct text old = {0};
    auto_text struct text more = {0};
    bool changed;

    (void)state;
    write_labels(&old, 0, 60, "\"\"");
    write_labels(&more, 60, 5, "\"\"");
    assert_fails(apply(old.data, more.data, &record, &changed, &err), ERR_INVALID);
    assert_string_equal(err.field, "/labels");
    assert_string_equal(err.message, "the snapshot would have 65 labels, and may have 64");
    assert_int_equal(record.labels.count, 60);
    text_clear(&more);
    write_labels(&more, 56, 8, "\"x\"");
    assert_succeeds(apply(old.data, more.data, &full, &changed, &err));
    assert_int_equal(full.labels.count, 64);
}

static void more_than_64_may_be_removed_at_once(void **state)
{
    struct error err = {0};
    auto_record struct record record = {0};
    auto_text struct text old = {0};
    auto_text struct text all = {0};
    bool changed;

    (void)state;
    write_labels(&old, 0, 64, "\"\"");
    write_labels(&all, 0, 100, "null");
    assert_succeeds(apply(old.data, all.data, &record, &changed, &err));
    assert_int_equal(record.labels.count, 0);
}

static void assert_faults(const char *json, size_t count, const char *pointer)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_patch struct patch patch = {0};

    assert_fails(parse(json, &patch, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, count);
    assert_string_equal(faults.items[0].pointer, pointer);
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
    (void)state;
    assert_faults("{\"labels\":{\"/\":\"\",\"a\":1,\"b\":null},\"held\":\"yes\",\"id\":\"x\"}", 4,
                  "/labels/~1");
    assert_faults("{\"labels\":[]}", 1, "/labels");
    assert_faults("{\"labels\":{\"/\":null}}", 1, "/labels/~1");
    assert_faults("{\"held\":0}", 1, "/held");
    assert_faults("{\"vmm_args\":null}", 1, "/vmm_args");
    assert_faults("[]", 1, "");
    assert_faults("null", 1, "");
}

static void what_is_no_json_is_malformed(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    struct patch patch = {0};

    (void)state;
    assert_fails(parse("", &patch, &faults, &err), ERR_MALFORMED_JSON);
    assert_fails(parse("{\"held\":true,\"held\":true}", &patch, &faults, &err),
                 ERR_MALFORMED_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_named_stays),
        cmocka_unit_test(what_is_so_already_is_no_change),
        cmocka_unit_test(labels_are_set_added_and_removed_in_order),
        cmocka_unit_test(null_removes_all_labels),
        cmocka_unit_test(null_lets_go),
        cmocka_unit_test(no_more_than_64_labels_come_of_it),
        cmocka_unit_test(more_than_64_may_be_removed_at_once),
        cmocka_unit_test(all_that_is_wrong_is_told_at_once),
        cmocka_unit_test(what_is_no_json_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
