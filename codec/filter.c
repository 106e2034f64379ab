#include "codec/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "codec/emit.h"
#include "codec/field_types.h"

/* "key:value", or "key" for any value. No key holds a colon. */
static bool read_label(json_t *value, const struct place *place, struct label *out)
{
    const char *string = field_get_string(value, 0, place);

    if (!string)
        return false;
    const char *colon = strchr(string, ':');
    out->key = strndup(string, strcspn(string, ":"));
    out->value = colon ? strdup(colon + 1) : NULL;
    if (!out->key || (colon && !out->value))
        return place_no_memory(place);
    return id_is_valid(out->key)
        || place_fault(place, "must be KEY:VALUE or KEY, where KEY " ID_RULE);
}

static bool read_label_list(const struct field *field, json_t *value, const struct place *place,
                            void *member)
{
    struct labels *labels = member;
    bool good = true;

    (void)field;
    if (!json_is_array(value) || json_array_size(value) > FILTER_LABELS_MAX)
        return place_fault(place, "must be an array of at most %d strings", FILTER_LABELS_MAX);
    labels->items = calloc(json_array_size(value) + 1, sizeof *labels->items);
    if (!labels->items)
        return place_no_memory(place);
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct place at = {.reading = place->reading, .parent = place, .index = i};
        good &= read_label(json_array_get(value, i), &at, &labels->items[labels->count++]);
    }
    return good;
}

static void write_label_list(struct text *out, const void *member)
{
    const struct labels *labels = member;

    emit_raw(out, "[");
    for (size_t i = 0; i < labels->count; i++) {
        auto_text struct text label = {0};
        text_appends(&label, labels->items[i].key);
        if (labels->items[i].value)
            text_appendf(&label, ":%s", labels->items[i].value);
        emit_item(out);
        emit_text(out, text_str(&label), label.len);
        out->failed |= text_failed(&label);
    }
    emit_raw(out, "]");
}

static bool read_status(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    const char *name = field_get_string(value, field->max, place);

    if (!name)
        return false;
    enum snapshot_status status = snapshot_status_of_name(name);
    if (status == SNAPSHOT__COUNT)
        return place_fault(place, "must be ready, incomplete or damaged");
    *(enum snapshot_status *)member = status;
    return true;
}

static void write_status(struct text *out, const void *member)
{
    emit_string(out, snapshot_status_name(*(const enum snapshot_status *)member));
}

static const char *check_part(const void *member)
{
    return **(char *const *)member ? NULL : "must not be empty";
}

static const struct field_type field_label_list = {read_label_list, write_label_list};
static const struct field_type field_status = {read_status, write_status};

static const struct field rows[] = {
    FIELD_AS("label", snapshot_filter, labels, label_list),
    FIELD(snapshot_filter, architecture, string, GIVEN(snapshot_filter, has_architecture)),
    FIELD(snapshot_filter, status, status, GIVEN(snapshot_filter, has_status)),
    FIELD(snapshot_filter, held, boolean, GIVEN(snapshot_filter, has_held)),
    FIELD(snapshot_filter, created_after, timestamp, GIVEN(snapshot_filter, has_created_after)),
    FIELD(snapshot_filter, created_before, timestamp, GIVEN(snapshot_filter, has_created_before)),
    FIELD(snapshot_filter, memory_min, u64, GIVEN(snapshot_filter, has_memory_min)),
    FIELD(snapshot_filter, memory_max, u64, GIVEN(snapshot_filter, has_memory_max)),
    FIELD(snapshot_filter, openvmm_version, string, GIVEN(snapshot_filter, has_openvmm_version)),
    FIELD_AS("q", snapshot_filter, part, string, GIVEN(snapshot_filter, has_part),
             .check = check_part),
};
static const struct fields filter_fields = {FIELDS(rows)};

static bool read_filter(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    (void)field;
    return fields_read(&filter_fields, value, place, member);
}

static void write_filter(struct text *out, const void *member)
{
    fields_write(&filter_fields, member, out);
}

const struct field_type field_filter = {read_filter, write_filter};

bool filter_from_json(const char *json, size_t len, struct snapshot_filter *out,
                      struct faults *faults, struct error *err)
{
    auto_snapshot_filter struct snapshot_filter made = {0};

    if (!fields_parse(&filter_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct snapshot_filter){0});
    return true;
}

bool filter_to_json(const struct snapshot_filter *filter, struct text *out, struct error *err)
{
    fields_write(&filter_fields, filter, out);
    return emit_done(out, err);
}
