#include "codec/patch.h"

#include <stdlib.h>
#include <string.h>

#include "codec/creation.h"
#include "codec/field_types.h"

static bool read_label_changes(const struct field *field, json_t *value, const struct place *place,
                               void *member)
{
    struct label_changes *changes = member;

    (void)field;
    changes->from_none = json_is_null(value);
    return changes->from_none || field_read_labels(value, place, true, &changes->labels);
}

static const struct field_type field_label_changes = {.read = read_label_changes};

static const struct field rows[] = {
    FIELD(patch, labels, label_changes, GIVEN(patch, has_labels), .nullable = true),
    FIELD(patch, held, boolean, GIVEN(patch, has_held), .nullable = true), /* null: not held */
};
static const struct fields patch_fields = {FIELDS(rows)};

bool patch_from_json(const char *json, size_t len, struct patch *out, struct faults *faults,
                     struct error *err)
{
    auto_patch struct patch made = {0};

    if (!fields_parse(&patch_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct patch){0});
    return true;
}

/* The one with the lesser key of those that are next in either list, or both. */
static int compare_next(const struct labels *old, size_t i, const struct labels *new, size_t j)
{
    if (i == old->count || j == new->count)
        return i == old->count ? 1 : -1;
    return strcmp(old->items[i].key, new->items[j].key);
}

/* `out`, which has room for all, borrows from both; they are sorted, and so is it. */
static void merge(const struct labels *old, const struct labels *changes, struct labels *out)
{
    size_t i = 0;
    size_t j = 0;

    while (i < old->count || j < changes->count) {
        int order = compare_next(old, i, changes, j);
        const struct label *next = order < 0 ? &old->items[i] : &changes->items[j];
        i += order <= 0;
        j += order >= 0;
        if (next->value)
            out->items[out->count++] = *next;
    }
}

static bool merge_labels(const struct label_changes *changes, const struct labels *old,
                         struct labels *out, struct error *err)
{
    static const struct labels none = {0};
    const struct labels *base = changes->from_none ? &none : old;
    auto_free struct label *room =
        calloc(base->count + changes->labels.count + 1, sizeof *room);
    struct labels merged = {.items = room}; /* owns nothing */

    if (!room)
        return error_memory(err);
    merge(base, &changes->labels, &merged);
    if (merged.count > LABELS_MAX)
        return error_field(err, "/labels", "the snapshot would have %zu labels, and may have %d",
                           merged.count, LABELS_MAX);
    return labels_copy(out, &merged) || error_memory(err);
}

bool patch_apply(const struct patch *patch, struct record *record, bool *changed,
                 struct error *err)
{
    auto_labels struct labels labels = {0};
    bool held = patch->has_held ? patch->held : record->held;

    *changed = held != record->held;
    if (patch->has_labels) {
        if (!merge_labels(&patch->labels, &record->labels, &labels, err))
            return false;
        *changed |= !labels_equal(&labels, &record->labels);
        labels_clear(&record->labels);
        record->labels = TAKE_AS(labels, (struct labels){0});
    }
    record->held = held;
    return true;
}
