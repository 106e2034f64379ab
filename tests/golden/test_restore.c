/* state.bin against the devices of a restoring VM, as OpenVMM restores by name. */
#include <stdio.h>

#include "codec/state.h"
#include "service/expect.h"
#include "tests/check.h"
#include "tests/golden/vectors.h"

#define RESTORE_LINES 115
#define RESTORE_OK    40

static void read_live_units(const json_t *names, struct expectation *out)
{
    size_t count = json_array_size(names);

    out->has_state_units = true;
    out->state_units = calloc(count + 1, sizeof *out->state_units);
    assert_non_null(out->state_units);
    for (size_t i = 0; i < count; i++)
        vector_text(json_array_get(names, i), &out->state_units[out->state_unit_count++]);
}

/* What was judged of one state.bin. */
struct judged {
    struct state_units units;
    struct verdict verdict;
};

static void judge(const json_t *vector, struct judged *out)
{
    struct error err = {0};
    char path[4096];
    auto_text struct text bytes = {0};
    auto_expectation struct expectation expectation = {0};
    const struct manifest manifest = {.version = MANIFEST_VERSION};
    struct expect_files files = {.units = &out->units};

    snprintf(path, sizeof path, GOLDEN("state/%s"), json_string_value(vector_get(vector, "file")));
    vector_file(path, &bytes);
    read_live_units(vector_get(vector, "live_units"), &expectation);
    if (!state_decode(vector_read_text, &bytes, bytes.len, &out->units, &err))
        files.state_error = err.message;
    /* In parentheses: cmocka has a macro of that name. */
    assert_succeeds((expect_check)(&manifest, &files, &expectation, &out->verdict, &err));
}

static bool equals(const struct judged *judged, const json_t *result)
{
    auto_text struct text expected = {0};
    const struct verdict *verdict = &judged->verdict;

    if (json_is_true(vector_get(result, "ok")))
        return verdict->mismatch_count == 0
            && judged->units.count == vector_uint64(vector_get(result, "restored"))
            && verdict->warning_count == vector_uint64(vector_get(result, "defaulted"));
    vector_text(vector_get(result, "error"), &expected);
    return verdict->mismatch_count == 1 && verdict->mismatches[0].field == EXPECT_STATE
        && text_equals(&verdict->mismatches[0].message, expected.data, expected.len);
}

static bool check_restore(const json_t *vector, void *context)
{
    struct judged judged = {0};
    const json_t *result = vector_get(vector, "result");
    size_t *restored = context;

    judge(vector, &judged);
    bool holds = equals(&judged, result);
    *restored += json_is_true(vector_get(result, "ok"));
    for (size_t i = 0; !holds && i < judged.verdict.mismatch_count; i++)
        fprintf(stderr, "  %s\n", text_str(&judged.verdict.mismatches[i].message));
    state_units_clear(&judged.units);
    verdict_clear(&judged.verdict);
    return holds;
}

static void every_state_restores_as_in_openvmm(void **state)
{
    size_t restored = 0;

    (void)state;
    assert_true(vectors_hold(GOLDEN("state/restore.jsonl"), RESTORE_LINES, check_restore,
                             &restored));
    assert_int_equal(restored, RESTORE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_restores_as_in_openvmm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
