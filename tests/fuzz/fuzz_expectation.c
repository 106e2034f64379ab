/* Any bytes are judged as posted expectations; what is accepted expects something. */
#include "base/utf8.h"
#include "codec/expectation.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/refusal.h"

static bool is_utf8(const struct text *text)
{
    return utf8_is_valid(text_str(text), text->len);
}

static void check_accepted(const struct expectation *one)
{
    MUST(one->has_architecture || one->has_memory_size || one->has_vp_count || one->has_page_size
         || one->has_state_units);
    MUST(one->has_architecture || one->architecture.len == 0);
    MUST(one->has_memory_size || one->memory_size_bytes == 0);
    MUST(one->has_vp_count || one->vp_count == 0);
    MUST(one->has_page_size || one->page_size == 0);
    MUST(one->has_state_units || one->state_unit_count == 0);
    MUST(is_utf8(&one->architecture));
    for (size_t i = 0; i < one->state_unit_count; i++)
        MUST(is_utf8(&one->state_units[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_expectation struct expectation one = {0};

    if (expectation_from_json((const char *)data, size, &one, &faults, &err))
        check_accepted(&one);
    else
        check_refusal(&err, &faults);
    return 0;
}
