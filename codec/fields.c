#include "codec/fields.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/emit.h"
#include "codec/fields_table.h"

static void note_fault(struct faults *faults, const char *pointer, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void note_fault(struct faults *faults, const char *pointer, const char *fmt, va_list args)
{
    if (faults->count < FAULTS_MAX) {
        struct fault *fault = &faults->items[faults->count];
        snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
        vsnprintf(fault->detail, sizeof fault->detail, fmt, args);
    }
    faults->count++;
}

void faults_add(struct faults *faults, const char *pointer, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    note_fault(faults, pointer, fmt, args);
    va_end(args);
}

bool faults_none(const struct faults *faults, struct error *err)
{
    if (faults->count == 0)
        return true;
    if (faults->count == 1)
        return error_field(err, faults->items[0].pointer, "%s", faults->items[0].detail);
    return error_set(err, ERR_INVALID, "%zu members of the request are not acceptable",
                     faults->count);
}

/* A reference token of RFC 6901: '~' and '/' are escaped. */
static void append_token(struct text *pointer, const char *name)
{
    text_append(pointer, "/", 1);
    for (; *name != '\0'; name++)
        if (*name == '~')
            text_append(pointer, "~0", 2);
        else if (*name == '/')
            text_append(pointer, "~1", 2);
        else
            text_append(pointer, name, 1);
}

static void append_step(struct text *pointer, const struct place *place)
{
    if (place->name)
        append_token(pointer, place->name);
    else
        text_appendf(pointer, "/%zu", place->index);
}

#define DEPTH_MAX 4 /* of places: no document goes deeper than /created_at/seconds */

static void append_pointer(struct text *pointer, const struct place *place)
{
    const struct place *steps[DEPTH_MAX];
    size_t depth = 0;

    for (; place->parent; place = place->parent) {
        assert(depth < DEPTH_MAX);
        steps[depth++] = place;
    }
    while (depth > 0)
        append_step(pointer, steps[--depth]);
}

bool place_fault(const struct place *place, const char *fmt, ...)
{
    auto_text struct text pointer = {.max = sizeof(((struct fault *)0)->pointer) - 1};
    va_list args;

    append_pointer(&pointer, place);
    va_start(args, fmt);
    note_fault(place->reading->faults, text_str(&pointer), fmt, args);
    va_end(args);
    return false;
}

bool place_no_memory(const struct place *place)
{
    place->reading->no_memory = true;
    return false;
}

const void *field_member(const struct field *field, const void *object)
{
    return (const char *)object + field->offset;
}

static bool *flag_of(const struct field *field, const void *object)
{
    return field->flag == 0 ? NULL : (bool *)((char *)object + field->flag - 1);
}

static bool read_field(const struct field *field, json_t *value, const struct place *place,
                       void *object)
{
    void *member = (char *)object + field->offset;
    bool *flag = flag_of(field, object);

    if (json_is_null(value) && !field->nullable)
        return place_fault(place, "must not be null");
    if (!field->type->read(field, value, place, member))
        return false;
    if (flag)
        *flag = true;
    const char *complaint = field->check ? field->check(member) : NULL;
    return !complaint || place_fault(place, "%s", complaint);
}

static size_t find_field(const struct fields *fields, const char *name)
{
    size_t i = 0;

    while (i < fields->count && strcmp(fields->items[i].name, name) != 0)
        i++;
    return i;
}

static bool read_members(const struct fields *fields, json_t *object, const struct place *place,
                         void *out, uint64_t *seen)
{
    bool good = true;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        struct place at = {.reading = place->reading, .parent = place, .name = name};
        size_t i = find_field(fields, name);

        if (i < fields->count) {
            *seen |= UINT64_C(1) << i;
            good &= read_field(&fields->items[i], value, &at, out);
        } else if (!fields->open) {
            good = place_fault(&at, "unknown member");
        }
    }
    return good;
}

/* What is missing, or stands beside the member that was given instead. */
static bool find_missing(const struct fields *fields, const struct place *place, uint64_t seen)
{
    const char *instead = fields->instead;
    bool is_instead = instead && (seen >> find_field(fields, instead) & 1);
    bool good = true;

    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];
        struct place at = {place->reading, place, field->name, 0};
        bool is_given = seen >> i & 1;

        if (is_instead && field->replaced && is_given)
            good = place_fault(&at, "must not be given beside %s", instead);
        else if (field->required && !is_given && !(is_instead && field->replaced))
            good = place_fault(&at, "is required");
    }
    return good;
}

bool fields_read(const struct fields *fields, json_t *value, const struct place *place,
                 void *object)
{
    uint64_t seen = 0;

    if (!json_is_object(value))
        return place_fault(place, "must be an object");
    bool good = read_members(fields, value, place, object, &seen);
    return find_missing(fields, place, seen) && good;
}

bool fields_parse(const struct fields *fields, const char *json, size_t len, void *object,
                  struct faults *faults, struct error *err)
{
    auto_document struct document document = {0};
    struct reading reading = {.document = &document, .faults = faults};
    struct place whole = {.reading = &reading};

    if (!document_parse(json, len, &document, err))
        return false;
    fields_read(fields, document.root, &whole, object);
    if (reading.no_memory)
        return error_memory(err);
    if (fields->check)
        fields->check(object, &whole);
    return faults_none(faults, err);
}

bool field_is_given(const struct field *field, const void *object)
{
    const bool *flag = flag_of(field, object);

    return !flag || *flag;
}

void field_write(const struct field *field, const void *object, struct text *out)
{
    emit_key(out, field->name);
    field->type->write(out, field_member(field, object));
}

void fields_write(const struct fields *fields, const void *object, struct text *out)
{
    emit_raw(out, "{");
    for (size_t i = 0; i < fields->count; i++)
        if (field_is_given(&fields->items[i], object))
            field_write(&fields->items[i], object, out);
    emit_raw(out, "}");
}
