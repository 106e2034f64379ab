/* What the golden vectors (tests/golden) do not say of it. */
#include <errno.h>
#include <string.h>

#include "service/expect.h"
#include "tests/check.h"
#include "tests/fault.h"

#define MEMORY_SIZE 8192

/* In parentheses: cmocka has a macro of that name. */
static bool judge(const struct manifest *manifest, const struct expect_files *files,
                  const struct expectation *expectation, struct verdict *out, struct error *err)
{
    return (expect_check)(manifest, files, expectation, out, err);
}

static struct manifest make_manifest(void)
{
    struct manifest manifest = {
        .version = 1, .memory_size_bytes = MEMORY_SIZE, .vp_count = 2, .page_size = 4096};

    assert_true(text_appends(&manifest.architecture, "x86_64"));
    return manifest;
}

/* `names` are separated by spaces. */
static void add_units(struct state_units *units, const char *names)
{
    units->items = calloc(8, sizeof *units->items);
    for (const char *at = names; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        assert_true(text_append(&units->items[units->count++].name, at, len));
        at += len;
    }
}

static struct expectation expect_units(const char *names)
{
    struct expectation expectation = {.has_state_units = true,
                                      .state_units = calloc(8, sizeof(struct text))};

    for (const char *at = names; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        assert_true(text_append(&expectation.state_units[expectation.state_unit_count++], at, len));
        at += len;
    }
    return expectation;
}

/* Saved units against those that the restoring VM has. */
static void judge_units(const char *saved, const char *live, struct verdict *out)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = make_manifest();
    auto_state_units struct state_units units = {0};
    auto_expectation struct expectation expectation = expect_units(live);
    struct expect_files files = {.memory_size_bytes = MEMORY_SIZE, .units = &units};

    add_units(&units, saved);
    assert_succeeds(judge(&manifest, &files, &expectation, out, &err));
}

static void assert_units(const char *saved, const char *live, const char *message)
{
    auto_verdict struct verdict verdict = {0};

    judge_units(saved, live, &verdict);
    assert_int_equal(verdict.mismatch_count, *message ? 1 : 0);
    if (*message)
        assert_string_equal(text_str(&verdict.mismatches[0].message), message);
}

static void saved_units_are_named_in_the_files_order(void **state)
{
    (void)state;
    assert_units("a b c", "c b a", "");
    assert_units("", "", "");
    assert_units("", "a", "");
    assert_units("b a", "c",
                 "loadedvm restore failed: restore failed: {b: unknown unit name, a: unknown unit "
                 "name}");
    assert_units("a b a a", "a b",
                 "loadedvm restore failed: restore failed: {a: duplicate unit name, a: duplicate "
                 "unit name}");
    assert_units("x x", "a",
                 "loadedvm restore failed: restore failed: {x: unknown unit name, x: unknown unit "
                 "name}");
    assert_units("A", "a", "loadedvm restore failed: restore failed: {A: unknown unit name}");
    assert_units("ab", "a abc", "loadedvm restore failed: restore failed: {ab: unknown unit name}");
}

static void a_name_posted_twice_counts_once(void **state)
{
    auto_verdict struct verdict verdict = {0};

    (void)state;
    judge_units("a", "b a b a", &verdict);
    assert_int_equal(verdict.mismatch_count, 0);
    assert_int_equal(verdict.warning_count, 1);
}

static void units_without_saved_state_are_warned_of(void **state)
{
    auto_verdict struct verdict verdict = {0};

    (void)state;
    judge_units("a", "nvme a", &verdict);
    assert_int_equal(verdict.warning_count, 1);
    assert_string_equal(text_str(&verdict.warnings[0]),
                        "nvme has no saved state: it starts at its power-on defaults");
}

static void every_miss_is_told_in_openvmms_order(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = make_manifest();
    auto_verdict struct verdict verdict = {0};
    struct expectation expectation = {
        .has_architecture = true,
        .has_memory_size = true,
        .has_vp_count = true,
        .has_page_size = true,
        .has_state_units = true,
    };
    struct expect_files files = {.memory_size_bytes = 1, .state_error = "why"};

    (void)state;
    manifest.version = 2;
    assert_succeeds(judge(&manifest, &files, &expectation, &verdict, &err));
    assert_int_equal(verdict.mismatch_count, EXPECT__COUNT - EXPECT_VERSION);
    for (size_t i = EXPECT_VERSION; i < EXPECT__COUNT; i++) {
        assert_int_equal(verdict.mismatches[i - EXPECT_VERSION].field, i);
        assert_false(verdict.unchecked[i]);
    }
    assert_string_equal(text_str(&verdict.mismatches[verdict.mismatch_count - 1].message), "why");
}

static void without_a_manifest_nothing_else_is_judged(void **state)
{
    struct error err = {0};
    auto_verdict struct verdict verdict = {0};
    const struct expectation expectation = {.has_vp_count = true, .vp_count = 2};
    const struct expect_files files = {
        .manifest_error = "no", .memory_error = "nor this", .state_error = "nor that"};

    (void)state;
    assert_succeeds(judge(NULL, &files, &expectation, &verdict, &err));
    assert_int_equal(verdict.mismatch_count, 1);
    assert_int_equal(verdict.mismatches[0].field, EXPECT_MANIFEST);
    assert_string_equal(text_str(&verdict.mismatches[0].message), "no");
    assert_false(verdict.unchecked[EXPECT_VP_COUNT]);
    assert_true(verdict.unchecked[EXPECT_PAGE_SIZE]);
}

static void a_state_known_to_be_bad_is_a_miss_whatever_is_expected(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = make_manifest();
    auto_verdict struct verdict verdict = {0};
    const struct expectation nothing = {0};
    const struct expect_files files = {.memory_size_bytes = MEMORY_SIZE, .state_error = "why"};

    (void)state;
    assert_succeeds(judge(&manifest, &files, &nothing, &verdict, &err));
    assert_int_equal(verdict.mismatch_count, 1);
    assert_int_equal(verdict.mismatches[0].field, EXPECT_STATE);
    assert_true(verdict.unchecked[EXPECT_STATE]);
}

static void what_was_not_expected_is_listed_as_unchecked(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = make_manifest();
    auto_verdict struct verdict verdict = {0};
    const struct expectation expectation = {.has_vp_count = true, .vp_count = 2};
    const struct expect_files files = {.memory_size_bytes = MEMORY_SIZE};

    (void)state;
    assert_succeeds(judge(&manifest, &files, &expectation, &verdict, &err));
    assert_int_equal(verdict.mismatch_count, 0);
    assert_false(verdict.unchecked[EXPECT_VERSION]);
    assert_true(verdict.unchecked[EXPECT_ARCHITECTURE]);
    assert_true(verdict.unchecked[EXPECT_MEMORY_SIZE]);
    assert_false(verdict.unchecked[EXPECT_VP_COUNT]);
    assert_true(verdict.unchecked[EXPECT_PAGE_SIZE]);
    assert_false(verdict.unchecked[EXPECT_MEMORY]);
    assert_true(verdict.unchecked[EXPECT_STATE]);
}

static void both_sides_of_a_miss_are_given_where_they_are_known(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = make_manifest();
    auto_verdict struct verdict verdict = {0};
    auto_expectation struct expectation expectation = {.has_architecture = true};
    const struct expect_files files = {.memory_error = "no such file"};

    (void)state;
    assert_true(text_append(&expectation.architecture, "a\0b", 3));
    assert_succeeds(judge(&manifest, &files, &expectation, &verdict, &err));
    assert_int_equal(verdict.mismatch_count, 2);
    const struct mismatch *architecture = &verdict.mismatches[0];
    const struct mismatch *memory = &verdict.mismatches[1];
    assert_true(architecture->is_text && architecture->has_expected && architecture->has_actual);
    assert_true(text_equals(&architecture->expected_text, "a\0b", 3));
    assert_true(text_equals(&architecture->actual_text, "x86_64", 6));
    assert_false(memory->is_text);
    assert_true(memory->has_expected);
    assert_int_equal(memory->expected_number, MEMORY_SIZE);
    assert_false(memory->has_actual);
    assert_string_equal(text_str(&memory->message), "no such file");
}

static void lack_of_memory_is_told_and_not_judged(void **state)
{
    auto_manifest struct manifest manifest = make_manifest();
    auto_state_units struct state_units units = {0};
    auto_expectation struct expectation expectation = expect_units("b c");
    struct expect_files files = {.memory_size_bytes = 1, .units = &units};
    struct fault_plan fault = {.kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .errnum = ENOMEM};
    bool struck = true;

    (void)state;
    manifest.version = 2;
    expectation.has_architecture = true;
    add_units(&units, "a b b");
    for (fault.nth = 1; struck; fault.nth++) {
        struct error err = {0};
        auto_verdict struct verdict verdict = {0};
        fault_arm(&fault);
        bool judged = judge(&manifest, &files, &expectation, &verdict, &err);
        struck = fault_disarm().struck != NULL;
        if (judged == struck)
            fail_msg("allocation %u: %d", fault.nth, judged);
        assert_int_equal(err.code, struck ? ERR_INTERNAL : ERR_NONE);
    }
    assert_true(fault.nth > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_units_are_named_in_the_files_order),
        cmocka_unit_test(a_name_posted_twice_counts_once),
        cmocka_unit_test(units_without_saved_state_are_warned_of),
        cmocka_unit_test(every_miss_is_told_in_openvmms_order),
        cmocka_unit_test(without_a_manifest_nothing_else_is_judged),
        cmocka_unit_test(a_state_known_to_be_bad_is_a_miss_whatever_is_expected),
        cmocka_unit_test(what_was_not_expected_is_listed_as_unchecked),
        cmocka_unit_test(both_sides_of_a_miss_are_given_where_they_are_known),
        cmocka_unit_test(lack_of_memory_is_told_and_not_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
