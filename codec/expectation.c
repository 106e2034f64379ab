#include "codec/expectation.h"

#include <stdlib.h>

#include "codec/emit.h"
#include "codec/field_types.h"

static bool read_names(json_t *list, const struct place *place, struct expectation *out)
{
    bool good = true;

    for (size_t i = 0; i < json_array_size(list); i++) {
        struct place at = {.reading = place->reading, .parent = place, .index = i};
        struct text *name = &out->state_units[out->state_unit_count++];
        good &= field_copy_text(json_array_get(list, i), 0, &at, name);
    }
    return good;
}

static bool read_units(const struct field *field, json_t *value, const struct place *place,
                       void *object)
{
    struct expectation *out = object;

    (void)field;
    if (!json_is_array(value))
        return place_fault(place, "must be an array of strings");
    if (json_array_size(value) == 0)
        return true;
    out->state_units = calloc(json_array_size(value), sizeof *out->state_units);
    if (!out->state_units)
        return place_no_memory(place);
    return read_names(value, place, out);
}

/* Fills two members of the struct, so the row has no offset. */
static const struct field_type field_units = {read_units, NULL};

static void check_any(const void *object, const struct place *whole)
{
    const struct expectation *given = object;

    if (!given->has_architecture && !given->has_memory_size && !given->has_vp_count
        && !given->has_page_size && !given->has_state_units && whole->reading->faults->count == 0)
        place_fault(whole, "must have at least one member");
}

static const struct field rows[] = {
    FIELD(expectation, architecture, text, GIVEN(expectation, has_architecture)),
    FIELD(expectation, memory_size_bytes, u64, GIVEN(expectation, has_memory_size)),
    FIELD(expectation, vp_count, u32, GIVEN(expectation, has_vp_count)),
    FIELD(expectation, page_size, u32, GIVEN(expectation, has_page_size)),
    {.name = "state_units", .type = &field_units, GIVEN(expectation, has_state_units)},
};
static const struct fields expectation_fields = {FIELDS(rows), .check = check_any};

bool expectation_from_json(const char *json, size_t len, struct expectation *out,
                           struct faults *faults, struct error *err)
{
    auto_expectation struct expectation made = {0};

    if (!fields_parse(&expectation_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct expectation){0});
    return true;
}

static void emit_side(struct text *out, bool has, bool is_text, const struct text *text,
                      uint64_t number)
{
    if (!has)
        emit_raw(out, "null");
    else if (is_text)
        emit_text(out, text_str(text), text->len);
    else
        emit_u64(out, number);
}

static void emit_mismatch(struct text *out, const struct mismatch *miss)
{
    emit_raw(out, "{");
    emit_key(out, "field");
    emit_string(out, expect_field_name(miss->field));
    emit_key(out, "expected");
    emit_side(out, miss->has_expected, miss->is_text, &miss->expected_text, miss->expected_number);
    emit_key(out, "actual");
    emit_side(out, miss->has_actual, miss->is_text, &miss->actual_text, miss->actual_number);
    emit_key(out, "message");
    emit_text(out, text_str(&miss->message), miss->message.len);
    emit_raw(out, "}");
}

static void emit_mismatches(struct text *out, const struct verdict *verdict)
{
    emit_key(out, "mismatches");
    emit_raw(out, "[");
    for (size_t i = 0; i < verdict->mismatch_count; i++) {
        emit_item(out);
        emit_mismatch(out, &verdict->mismatches[i]);
    }
    emit_raw(out, "]");
}

static void emit_warnings(struct text *out, const struct verdict *verdict)
{
    emit_key(out, "warnings");
    emit_raw(out, "[");
    for (size_t i = 0; i < verdict->warning_count; i++) {
        emit_item(out);
        emit_text(out, text_str(&verdict->warnings[i]), verdict->warnings[i].len);
    }
    emit_raw(out, "]");
}

/* Named as in the request, where what is checked against the state is the list of units. */
static const char *name_in_request(enum expect_field field)
{
    return field == EXPECT_STATE ? "state_units" : expect_field_name(field);
}

static void emit_unchecked(struct text *out, const struct verdict *verdict)
{
    emit_key(out, "unchecked");
    emit_raw(out, "[");
    for (enum expect_field i = 0; i < EXPECT__COUNT; i++) {
        if (!verdict->unchecked[i])
            continue;
        emit_item(out);
        emit_string(out, name_in_request(i));
    }
    emit_raw(out, "]");
}

void verdict_emit_members(const struct verdict *verdict, struct text *out)
{
    emit_mismatches(out, verdict);
    emit_warnings(out, verdict);
    emit_unchecked(out, verdict);
}

bool verdict_to_json(const struct verdict *verdict, struct text *out, struct error *err)
{
    emit_raw(out, "{");
    emit_key(out, "valid");
    emit_bool(out, verdict->mismatch_count == 0);
    verdict_emit_members(verdict, out);
    emit_raw(out, "}");
    return emit_done(out, err);
}
