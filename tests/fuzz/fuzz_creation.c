/* Any bytes are judged as a request to create; what is accepted keeps to the rules, and its
 * canonical text is a request that means the same. */
#include "base/id.h"
#include "base/utf8.h"
#include "codec/creation.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/refusal.h"

static void check_labels(const struct labels *labels)
{
    MUST(labels->count <= LABELS_MAX);
    for (size_t i = 0; i < labels->count; i++) {
        MUST(id_is_valid(labels->items[i].key));
        MUST(strlen(labels->items[i].value) <= LABEL_VALUE_MAX);
        MUST(i == 0 || strcmp(labels->items[i - 1].key, labels->items[i].key) < 0);
    }
}

static void check_arguments(const struct strings *args)
{
    size_t total = 0;

    for (size_t i = 0; i < args->count; i++)
        total += strlen(args->items[i]);
    MUST(total <= VMM_ARGS_MAX);
}

static void check_sources(const struct creation *one)
{
    if (one->snapshot_dir_path) {
        MUST(one->snapshot_dir_path[0] == '/');
        MUST(!one->memory_file_path && !one->state_file_path && !one->has_state_bytes);
        MUST(!one->architecture && one->vp_count == 0 && one->openvmm_version.len == 0);
        return;
    }
    MUST(one->memory_file_path[0] == '/');
    MUST(!one->state_file_path || (one->state_file_path[0] == '/' && !one->has_state_bytes));
    MUST(one->vp_count >= 1);
}

static void check_accepted(const struct creation *one)
{
    MUST(!one->id || id_is_valid(one->id));
    check_sources(one);
    MUST(one->page_size >= PAGE_SIZE_MIN && one->page_size <= PAGE_SIZE_MAX);
    MUST((one->page_size & (one->page_size - 1)) == 0);
    MUST(!one->has_memory_size || one->memory_size_bytes > 0);
    MUST(utf8_is_valid(text_str(&one->openvmm_version), one->openvmm_version.len));
    check_arguments(&one->vmm_args);
    check_labels(&one->labels);
}

/* Without uploaded state the canonical text is itself a request. */
static void check_canonical(const struct creation *one)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_text struct text text = {0};
    auto_text struct text text_again = {0};
    auto_creation struct creation again = {0};

    MUST(creation_canonical(one, NULL, CAPTURE_LINK, &text, &err));
    MUST(creation_from_json(text.data, text.len, &again, &faults, &err));
    MUST(creation_canonical(&again, NULL, CAPTURE_LINK, &text_again, &err));
    MUST(text_equals(&text, text_again.data, text_again.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_creation struct creation one = {0};

    if (creation_from_json((const char *)data, size, &one, &faults, &err)) {
        check_accepted(&one);
        check_canonical(&one);
    } else {
        check_refusal(&err, &faults);
    }
    return 0;
}
