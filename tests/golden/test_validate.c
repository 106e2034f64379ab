/* Manifests against expectations, judged as OpenVMM's validate_manifest judges them. */
#include <stdio.h>

#include "service/expect.h"
#include "tests/check.h"
#include "tests/golden/vectors.h"

#define VALIDATE_LINES 270
#define VALIDATE_VALID 106

/* OpenVMM stops at the first mismatch: it is the first of ours. */
static bool equals(const struct verdict *verdict, const json_t *result)
{
    auto_text struct text expected = {0};

    if (json_is_true(vector_get(result, "ok")))
        return verdict->mismatch_count == 0;
    vector_text(vector_get(result, "error"), &expected);
    return verdict->mismatch_count > 0
        && text_equals(&verdict->mismatches[0].message, expected.data, expected.len);
}

static bool check_manifest(const json_t *vector, void *context)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};
    auto_expectation struct expectation expectation = {0};
    auto_verdict struct verdict verdict = {0};
    const json_t *result = vector_get(vector, "result");
    size_t *valid = context;

    vector_manifest(vector_get(vector, "manifest"), &manifest);
    vector_expectation(vector_get(vector, "expected"), &expectation);
    struct expect_files files = {.memory_size_bytes = manifest.memory_size_bytes};
    /* In parentheses: cmocka has a macro of that name. */
    assert_succeeds((expect_check)(&manifest, &files, &expectation, &verdict, &err));
    *valid += json_is_true(vector_get(result, "ok"));
    if (equals(&verdict, result))
        return true;
    for (size_t i = 0; i < verdict.mismatch_count; i++)
        fprintf(stderr, "  %s\n", text_str(&verdict.mismatches[i].message));
    return false;
}

static void every_manifest_is_judged_as_openvmm_judges_it(void **state)
{
    size_t valid = 0;

    (void)state;
    assert_true(vectors_hold(GOLDEN("validate.jsonl"), VALIDATE_LINES, check_manifest, &valid));
    assert_int_equal(valid, VALIDATE_VALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_manifest_is_judged_as_openvmm_judges_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
