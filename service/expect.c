#include "service/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

/* The most misses there can be: one a field. */
#define MISMATCHES_MAX EXPECT__COUNT

/* A new entry of the verdict, which has room for all of them. */
static struct mismatch *add(struct verdict *verdict, enum expect_field field)
{
    struct mismatch *mismatch = &verdict->mismatches[verdict->mismatch_count++];

    mismatch->field = field;
    return mismatch;
}

static struct mismatch *add_numbers(struct verdict *verdict, enum expect_field field,
                                    uint64_t expected, uint64_t actual)
{
    struct mismatch *mismatch = add(verdict, field);

    mismatch->has_expected = mismatch->has_actual = true;
    mismatch->expected_number = expected;
    mismatch->actual_number = actual;
    return mismatch;
}

static void check_version(const struct manifest *manifest, struct verdict *out)
{
    if (manifest->version == MANIFEST_VERSION)
        return;
    text_appendf(&add_numbers(out, EXPECT_VERSION, MANIFEST_VERSION, manifest->version)->message,
                 "snapshot manifest version %" PRIu32 " is not supported (expected %d)",
                 manifest->version, MANIFEST_VERSION);
}

static void check_architecture(const struct manifest *manifest,
                               const struct expectation *expectation, struct verdict *out)
{
    const struct text *actual = &manifest->architecture;
    const struct text *expected = &expectation->architecture;

    if (!expectation->has_architecture || text_equals(actual, expected->data, expected->len))
        return;
    struct mismatch *mismatch = add(out, EXPECT_ARCHITECTURE);
    mismatch->is_text = mismatch->has_expected = mismatch->has_actual = true;
    text_append(&mismatch->expected_text, expected->data, expected->len);
    text_append(&mismatch->actual_text, actual->data, actual->len);
    text_appends(&mismatch->message, "snapshot architecture '");
    text_append(&mismatch->message, actual->data, actual->len);
    text_appends(&mismatch->message, "' doesn't match expected '");
    text_append(&mismatch->message, expected->data, expected->len);
    text_appends(&mismatch->message, "'");
}

/* What OpenVMM calls the fields that are numbers, and their unit: they share a form of message. */
static const struct {
    const char *name, *unit;
} numbers[EXPECT__COUNT] = {
    [EXPECT_MEMORY_SIZE] = {"memory size", " bytes"},
    [EXPECT_VP_COUNT] = {"VP count",    ""      },
    [EXPECT_PAGE_SIZE] = {"page size",   ""      },
};

static void check_number(enum expect_field field, uint64_t expected, uint64_t actual,
                         struct verdict *out)
{
    const char *unit = numbers[field].unit;

    if (!out->unchecked[field] && expected != actual)
        text_appendf(&add_numbers(out, field, expected, actual)->message,
                     "snapshot %s (%" PRIu64 "%s) doesn't match expected (%" PRIu64 "%s)",
                     numbers[field].name, actual, unit, expected, unit);
}

static void check_memory(const struct manifest *manifest, const struct expect_files *files,
                         struct verdict *out)
{
    if (!files->memory_error && files->memory_size_bytes == manifest->memory_size_bytes)
        return;
    struct mismatch *mismatch =
        add_numbers(out, EXPECT_MEMORY, manifest->memory_size_bytes, files->memory_size_bytes);
    mismatch->has_actual = !files->memory_error;
    if (files->memory_error)
        text_appends(&mismatch->message, files->memory_error);
    else
        text_appendf(&mismatch->message,
                     "memory.bin size (%" PRIu64 " bytes) doesn't match manifest (%" PRIu64
                     " bytes)",
                     files->memory_size_bytes, manifest->memory_size_bytes);
}

/* A unit name, to be found by binary search. */
struct name {
    const struct text *text;
    bool seen; /* restored already */
};

static int compare_texts(const struct text *a, const struct text *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = len ? memcmp(a->data, b->data, len) : 0;

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_names(const void *a, const void *b)
{
    return compare_texts(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static struct name *find_name(struct name *names, size_t count, const struct text *text)
{
    struct name key = {.text = text};

    return bsearch(&key, names, count, sizeof *names, compare_names);
}

/* Each name once, so that a name is found at one place whatever was posted. */
static size_t sort_names(const struct expectation *expectation, struct name *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < expectation->state_unit_count; i++)
        names[i].text = &expectation->state_units[i];
    qsort(names, expectation->state_unit_count, sizeof *names, compare_names);
    for (size_t i = 0; i < expectation->state_unit_count; i++)
        if (i == 0 || compare_names(&names[kept - 1], &names[i]) != 0)
            names[kept++] = names[i];
    return kept;
}

/* OpenVMM's restore by name: {a: unknown unit name, b: duplicate unit name}, in the file's
 * order. */
static void list_unit_errors(const struct state_units *units, struct name *names, size_t count,
                             struct text *list)
{
    for (size_t i = 0; i < units->count; i++) {
        const struct text *unit = &units->items[i].name;
        struct name *name = find_name(names, count, unit);
        if (name && !name->seen) {
            name->seen = true;
            continue;
        }
        text_appends(list, list->len ? ", " : "");
        text_append(list, unit->data, unit->len);
        text_appends(list, name ? ": duplicate unit name" : ": unknown unit name");
    }
}

static bool warn_unsaved(const struct name *names, size_t count, struct verdict *out,
                         struct error *err)
{
    out->warnings = calloc(count ? count : 1, sizeof *out->warnings);
    if (!out->warnings)
        return error_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (names[i].seen)
            continue;
        struct text *warning = &out->warnings[out->warning_count++];
        if (!text_append(warning, names[i].text->data, names[i].text->len)
            || !text_appends(warning, " has no saved state: it starts at its power-on defaults"))
            return error_memory(err);
    }
    return true;
}

static bool check_units(const struct state_units *units, const struct expectation *expectation,
                        struct verdict *out, struct error *err)
{
    size_t count = expectation->state_unit_count;
    auto_free struct name *names = calloc(count ? count : 1, sizeof *names);
    auto_text struct text list = {0};

    if (!names)
        return error_memory(err);
    count = sort_names(expectation, names);
    list_unit_errors(units, names, count, &list);
    if (list.failed)
        return error_memory(err);
    if (list.len > 0) {
        struct text *message = &add(out, EXPECT_STATE)->message;
        text_appends(message, "loadedvm restore failed: restore failed: {");
        text_append(message, list.data, list.len);
        text_appends(message, "}");
    }
    return warn_unsaved(names, count, out, err);
}

static bool check_state(const struct expect_files *files, const struct expectation *expectation,
                        struct verdict *out, struct error *err)
{
    if (files->state_error) {
        text_appends(&add(out, EXPECT_STATE)->message, files->state_error);
        return true;
    }
    return !expectation->has_state_units || check_units(files->units, expectation, out, err);
}

static bool check_all(const struct manifest *manifest, const struct expect_files *files,
                      const struct expectation *expectation, struct verdict *out, struct error *err)
{
    if (files->manifest_error) {
        text_appends(&add(out, EXPECT_MANIFEST)->message, files->manifest_error);
        return true;
    }
    check_version(manifest, out);
    check_architecture(manifest, expectation, out);
    check_number(EXPECT_MEMORY_SIZE, expectation->memory_size_bytes, manifest->memory_size_bytes,
                 out);
    check_number(EXPECT_VP_COUNT, expectation->vp_count, manifest->vp_count, out);
    check_number(EXPECT_PAGE_SIZE, expectation->page_size, manifest->page_size, out);
    check_memory(manifest, files, out);
    return check_state(files, expectation, out, err);
}

static bool any_text_failed(const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->mismatch_count; i++) {
        const struct mismatch *miss = &verdict->mismatches[i];
        if (miss->message.failed || miss->expected_text.failed || miss->actual_text.failed)
            return true;
    }
    return false;
}

bool expect_check(const struct manifest *manifest, const struct expect_files *files,
                  const struct expectation *expectation, struct verdict *out, struct error *err)
{
    out->mismatches = calloc(MISMATCHES_MAX, sizeof *out->mismatches);
    if (!out->mismatches)
        return error_memory(err);
    out->unchecked[EXPECT_ARCHITECTURE] = !expectation->has_architecture;
    out->unchecked[EXPECT_MEMORY_SIZE] = !expectation->has_memory_size;
    out->unchecked[EXPECT_VP_COUNT] = !expectation->has_vp_count;
    out->unchecked[EXPECT_PAGE_SIZE] = !expectation->has_page_size;
    out->unchecked[EXPECT_STATE] = !expectation->has_state_units;
    return check_all(manifest, files, expectation, out, err)
        && (!any_text_failed(out) || error_memory(err));
}
