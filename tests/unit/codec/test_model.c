#include "codec/model.h"
#include "tests/check.h"

static void set(struct text *text, const char *string)
{
    assert_true(text_appends(text, string));
}

static char *duplicate(const char *string)
{
    char *copy = strdup(string);

    assert_non_null(copy);
    return copy;
}

static void *allocate(size_t count, size_t size)
{
    void *items = calloc(count, size);

    assert_non_null(items);
    return items;
}

static void fill_labels(struct labels *labels)
{
    labels->count = 2;
    labels->items = allocate(2, sizeof *labels->items);
    labels->items[0] = (struct label){duplicate("team"), duplicate("red")};
    labels->items[1] = (struct label){duplicate("vm"), duplicate("web-42")};
}

static void fill_strings(struct strings *strings)
{
    strings->count = 2;
    strings->items = allocate(2, sizeof *strings->items);
    strings->items[0] = duplicate("--uefi");
    strings->items[1] = duplicate("");
}

static void fill_manifest(struct manifest *manifest)
{
    *manifest = (struct manifest){
        .version = 1,
        .created_at = {.seconds = -5, .nanos = 7},
        .memory_size_bytes = UINT64_MAX,
        .vp_count = 2,
        .page_size = 4096,
    };
    set(&manifest->openvmm_version, "0.0.0");
    set(&manifest->architecture, "x86_64");
}

/* LeakSanitizer sees what a _clear() forgets, this what it leaves. */
#define assert_zeroed(value)                                 \
    do {                                                     \
        static const __typeof__(value) zero;                 \
        assert_memory_equal(&(value), &zero, sizeof(value)); \
    } while (0)

static void a_cleared_manifest_is_zeroed(void **state)
{
    struct manifest manifest = {0};

    (void)state;
    fill_manifest(&manifest);
    manifest_clear(&manifest);
    assert_zeroed(manifest);
    manifest_clear(&manifest);
}

static void a_copied_manifest_is_equal_and_its_own(void **state)
{
    struct manifest from = {0};
    auto_manifest struct manifest to = {0};

    (void)state;
    fill_manifest(&from);
    set(&to.architecture, "what it held before");
    assert_true(manifest_copy(&to, &from));
    manifest_clear(&from);
    assert_int_equal(to.version, 1);
    assert_int_equal(to.created_at.seconds, -5);
    assert_int_equal(to.created_at.nanos, 7);
    assert_true(to.memory_size_bytes == UINT64_MAX);
    assert_int_equal(to.vp_count, 2);
    assert_int_equal(to.page_size, 4096);
    assert_string_equal(text_str(&to.openvmm_version), "0.0.0");
    assert_string_equal(text_str(&to.architecture), "x86_64");
}

static void a_copy_keeps_nul_in_strings(void **state)
{
    auto_manifest struct manifest from = {0};
    auto_manifest struct manifest to = {0};

    (void)state;
    assert_true(text_set(&from.architecture, "a\0b", 3));
    assert_true(manifest_copy(&to, &from));
    assert_true(text_equals(&to.architecture, "a\0b", 3));
}

static void copied_strings_are_equal_and_their_own(void **state)
{
    struct strings from = {0};
    struct strings to = {0};

    (void)state;
    assert_true(strings_copy(&to, &from));
    assert_zeroed(to);
    fill_strings(&from);
    assert_true(strings_copy(&to, &from));
    strings_clear(&from);
    assert_zeroed(from);
    assert_int_equal(to.count, 2);
    assert_string_equal(to.items[0], "--uefi");
    assert_string_equal(to.items[1], "");
    strings_clear(&to);
}

static void copied_labels_are_equal_and_their_own(void **state)
{
    struct labels from = {0};
    struct labels to = {0};

    (void)state;
    assert_true(labels_copy(&to, &from));
    assert_zeroed(to);
    fill_labels(&from);
    assert_true(labels_copy(&to, &from));
    labels_clear(&from);
    assert_zeroed(from);
    assert_int_equal(to.count, 2);
    assert_string_equal(to.items[0].key, "team");
    assert_string_equal(to.items[0].value, "red");
    assert_string_equal(to.items[1].key, "vm");
    assert_string_equal(to.items[1].value, "web-42");
    labels_clear(&to);
}

static void cleared_state_units_are_zeroed(void **state)
{
    struct state_units units = {.items = allocate(4, sizeof *units.items), .count = 2, .cap = 4};

    (void)state;
    set(&units.items[0].name, "rtc");
    set(&units.items[1].type_url, "type.googleapis.com/t");
    state_units_clear(&units);
    assert_zeroed(units);
}

static void a_cleared_creation_is_zeroed(void **state)
{
    struct creation creation = {.vp_count = 2, .allow_writer = true};

    (void)state;
    creation.id = duplicate("s1");
    creation.memory_file_path = duplicate("/m");
    creation.state_file_path = duplicate("/s");
    creation.architecture = duplicate("x86_64");
    set(&creation.state_bytes, "state");
    set(&creation.openvmm_version, "0.0.0");
    fill_strings(&creation.vmm_args);
    fill_labels(&creation.labels);
    creation_clear(&creation);
    assert_zeroed(creation);
}

static void fill_record(struct record *record)
{
    *record = (struct record){.capture = CAPTURE_COPY, .request_sha256 = "ab"};
    fill_labels(&record->labels);
    fill_strings(&record->vmm_args);
}

static void a_cleared_record_is_zeroed(void **state)
{
    struct record record;

    (void)state;
    fill_record(&record);
    record_clear(&record);
    assert_zeroed(record);
}

static void a_cleared_snapshot_is_zeroed(void **state)
{
    struct snapshot snapshot = {.status = SNAPSHOT_DAMAGED, .has_manifest = true};

    (void)state;
    snapshot.id = duplicate("s1");
    snapshot.path = duplicate("/store/snapshots/s1");
    snapshot.problem = duplicate("no memory.bin");
    snapshot.linked_to = duplicate("/m");
    fill_manifest(&snapshot.manifest);
    fill_record(&snapshot.record);
    snapshot_clear(&snapshot);
    assert_zeroed(snapshot);
}

static void a_cleared_expectation_is_zeroed(void **state)
{
    struct expectation expectation = {.has_vp_count = true, .state_unit_count = 2};

    (void)state;
    set(&expectation.architecture, "aarch64");
    expectation.state_units = allocate(2, sizeof *expectation.state_units);
    set(&expectation.state_units[0], "rtc");
    set(&expectation.state_units[1], "pit");
    expectation_clear(&expectation);
    assert_zeroed(expectation);
}

static void a_cleared_verdict_is_zeroed(void **state)
{
    struct verdict verdict = {.mismatch_count = 2, .warning_count = 1};

    (void)state;
    verdict.mismatches = allocate(2, sizeof *verdict.mismatches);
    set(&verdict.mismatches[0].expected_text, "aarch64");
    set(&verdict.mismatches[0].actual_text, "x86_64");
    set(&verdict.mismatches[1].message, "VP count");
    verdict.warnings = allocate(1, sizeof *verdict.warnings);
    set(&verdict.warnings[0], "nvme has no saved state");
    verdict.unchecked[EXPECT_STATE] = true;
    verdict_clear(&verdict);
    assert_zeroed(verdict);
}

static void captures_are_found_by_their_names(void **state)
{
    (void)state;
    assert_null(capture_name(CAPTURE_UNKNOWN));
    assert_string_equal(capture_name(CAPTURE_LINK), "link");
    assert_string_equal(capture_name(CAPTURE_ISOLATE), "isolate");
    for (enum capture i = CAPTURE_LINK; i < CAPTURE__COUNT; i++)
        assert_int_equal(capture_of_name(capture_name(i)), i);
    assert_int_equal(capture_of_name("Link"), CAPTURE_UNKNOWN);
    assert_int_equal(capture_of_name(""), CAPTURE_UNKNOWN);
}

static void names_are_as_in_the_documents(void **state)
{
    static const char *const fields[] = {
        "manifest",
        "version",
        "architecture",
        "memory_size_bytes",
        "vp_count",
        "page_size",
        "memory",
        "state",
    };

    (void)state;
    assert_string_equal(snapshot_status_name(SNAPSHOT_READY), "ready");
    assert_string_equal(snapshot_status_name(SNAPSHOT_INCOMPLETE), "incomplete");
    assert_string_equal(snapshot_status_name(SNAPSHOT_DAMAGED), "damaged");
    assert_string_equal(writer_name(WRITER_NONE), "none");
    assert_string_equal(writer_name(WRITER_PRESENT), "present");
    assert_string_equal(writer_name(WRITER_UNKNOWN), "unknown");
    for (enum expect_field i = EXPECT_MANIFEST; i < EXPECT__COUNT; i++)
        assert_string_equal(expect_field_name(i), fields[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cleared_manifest_is_zeroed),
        cmocka_unit_test(a_copied_manifest_is_equal_and_its_own),
        cmocka_unit_test(a_copy_keeps_nul_in_strings),
        cmocka_unit_test(copied_strings_are_equal_and_their_own),
        cmocka_unit_test(copied_labels_are_equal_and_their_own),
        cmocka_unit_test(cleared_state_units_are_zeroed),
        cmocka_unit_test(a_cleared_creation_is_zeroed),
        cmocka_unit_test(a_cleared_record_is_zeroed),
        cmocka_unit_test(a_cleared_snapshot_is_zeroed),
        cmocka_unit_test(a_cleared_expectation_is_zeroed),
        cmocka_unit_test(a_cleared_verdict_is_zeroed),
        cmocka_unit_test(captures_are_found_by_their_names),
        cmocka_unit_test(names_are_as_in_the_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
