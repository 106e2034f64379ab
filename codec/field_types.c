#include "codec/field_types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "codec/creation.h"
#include "codec/emit.h"

static bool read_bool(const struct field *field, json_t *value, const struct place *place,
                      void *member)
{
    (void)field;
    if (!json_is_boolean(value) && !json_is_null(value))
        return place_fault(place, "must be true or false");
    *(bool *)member = json_is_true(value);
    return true;
}

static void write_bool(struct text *out, const void *member)
{
    emit_bool(out, *(const bool *)member);
}

const struct field_type field_boolean = {read_bool, write_bool};

static bool is_below(const struct integer *integer, int64_t min)
{
    if (!integer->negative)
        return !integer->huge && min > 0 && integer->magnitude < (uint64_t)min;
    return min >= 0 || integer->huge || integer->magnitude > 0 - (uint64_t)min;
}

static bool is_above(const struct integer *integer, uint64_t max)
{
    return !integer->negative && (integer->huge || integer->magnitude > max);
}

struct range {
    int64_t min;
    uint64_t max;
};

/* `out` is the value modulo 2^64, which the width of the member cuts to itself. */
static bool read_integer(const struct field *field, json_t *value, const struct place *place,
                         struct range type, uint64_t *out)
{
    int64_t min = field->min ? field->min : type.min;
    uint64_t max = field->max ? field->max : type.max;
    struct integer integer;

    if (!document_integer(place->reading->document, value, &integer))
        return place_fault(place, "must be an integer");
    if (is_below(&integer, min))
        return place_fault(place, "must be at least %" PRId64, min);
    if (is_above(&integer, max))
        return place_fault(place, "must be at most %" PRIu64, max);
    *out = integer.negative ? 0 - integer.magnitude : integer.magnitude;
    return true;
}

#define INTEGER(name, type, least, greatest, emit)                                        \
    static bool read_##name(const struct field *field, json_t *value,                     \
                            const struct place *place, void *member)                      \
    {                                                                                     \
        uint64_t number = 0;                                                              \
                                                                                          \
        if (!read_integer(field, value, place, (struct range){least, greatest}, &number)) \
            return false;                                                                 \
        *(type *)member = (type)number;                                                   \
        return true;                                                                      \
    }                                                                                     \
    static void write_##name(struct text *out, const void *member)                        \
    {                                                                                     \
        emit(out, *(const type *)member);                                                 \
    }

INTEGER(u32, uint32_t, 0, UINT32_MAX, emit_u64)
INTEGER(u64, uint64_t, 0, UINT64_MAX, emit_u64)
INTEGER(i32, int32_t, INT32_MIN, INT32_MAX, emit_i64)
INTEGER(i64, int64_t, INT64_MIN, INT64_MAX, emit_i64)

const struct field_type field_u32 = {read_u32, write_u32};
const struct field_type field_u64 = {read_u64, write_u64};
static const struct field_type field_i32 = {read_i32, write_i32};
static const struct field_type field_i64 = {read_i64, write_i64};

static bool check_string(json_t *value, uint64_t max, const struct place *place)
{
    if (!json_is_string(value))
        return place_fault(place, "must be a string");
    if (max != 0 && json_string_length(value) > max)
        return place_fault(place, "must be at most %" PRIu64 " bytes", max);
    return true;
}

bool field_copy_text(json_t *value, uint64_t max, const struct place *place, struct text *out)
{
    if (!check_string(value, max, place))
        return false;
    return text_set(out, json_string_value(value), json_string_length(value))
        || place_no_memory(place);
}

const char *field_get_string(json_t *value, uint64_t max, const struct place *place)
{
    if (!check_string(value, max, place))
        return NULL;
    const char *string = json_string_value(value);
    if (strlen(string) == json_string_length(value))
        return string;
    place_fault(place, "must not hold U+0000");
    return NULL;
}

static char *copy_string(json_t *value, uint64_t max, const struct place *place)
{
    const char *string = field_get_string(value, max, place);
    char *copy = string ? strdup(string) : NULL;

    if (string && !copy)
        place_no_memory(place);
    return copy;
}

static bool read_text(const struct field *field, json_t *value, const struct place *place,
                      void *member)
{
    return field_copy_text(value, field->max, place, member);
}

static void write_text(struct text *out, const void *member)
{
    const struct text *text = member;

    emit_text(out, text_str(text), text->len);
}

const struct field_type field_text = {read_text, write_text};

static bool read_string(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    char *copy = copy_string(value, field->max, place);

    *(char **)member = copy;
    return copy;
}

static void write_string(struct text *out, const void *member)
{
    emit_string(out, *(char *const *)member);
}

const struct field_type field_string = {read_string, write_string};

static bool read_items(json_t *list, const struct place *place, struct strings *strings)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct place at = {.reading = place->reading, .parent = place, .index = i};
        char *item = copy_string(json_array_get(list, i), 0, &at);

        if (item)
            strings->items[strings->count++] = item;
    }
    return strings->count == json_array_size(list);
}

static uint64_t total_bytes(json_t *list)
{
    uint64_t total = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        total += json_string_length(json_array_get(list, i));
    return total;
}

static bool read_strings(const struct field *field, json_t *value, const struct place *place,
                         void *member)
{
    struct strings *strings = member;

    if (!json_is_array(value))
        return place_fault(place, "must be an array of strings");
    if (json_array_size(value) == 0)
        return true;
    strings->items = calloc(json_array_size(value), sizeof *strings->items);
    if (!strings->items)
        return place_no_memory(place);
    if (!read_items(value, place, strings))
        return false;
    return field->max == 0 || total_bytes(value) <= field->max
        || place_fault(place, "must be at most %" PRIu64 " bytes in all", field->max);
}

static void write_strings(struct text *out, const void *member)
{
    const struct strings *strings = member;

    emit_raw(out, "[");
    for (size_t i = 0; i < strings->count; i++) {
        emit_item(out);
        emit_string(out, strings->items[i]);
    }
    emit_raw(out, "]");
}

const struct field_type field_strings = {read_strings, write_strings};

/* `value` is null only where that is good. */
static bool read_label(const char *key, json_t *value, const struct place *place,
                       struct label *label)
{
    if (!id_is_valid(key))
        return place_fault(place, "a label's name " ID_RULE);
    if (!json_is_null(value) && !(label->value = copy_string(value, LABEL_VALUE_MAX, place)))
        return false;
    label->key = strdup(key);
    return label->key || place_no_memory(place);
}

static int compare_labels(const void *a, const void *b)
{
    const struct label *left = a;
    const struct label *right = b;

    return strcmp(left->key, right->key);
}

bool field_read_labels(json_t *value, const struct place *place, bool nullable,
                       struct labels *labels)
{
    bool good = true;
    const char *key;
    json_t *item;

    if (!json_is_object(value))
        return place_fault(place, "must be an object of strings");
    labels->items = calloc(json_object_size(value) + 1, sizeof *labels->items);
    if (!labels->items)
        return place_no_memory(place);
    json_object_foreach(value, key, item)
    {
        struct place at = {.reading = place->reading, .parent = place, .name = key};
        if (json_is_null(item) && !nullable)
            good = place_fault(&at, "must be a string");
        else
            good &= read_label(key, item, &at, &labels->items[labels->count++]);
    }
    if (good)
        qsort(labels->items, labels->count, sizeof *labels->items, compare_labels);
    return good;
}

static bool read_labels(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    (void)field;
    if (json_is_object(value) && json_object_size(value) > LABELS_MAX)
        return place_fault(place, "must have at most %d members", LABELS_MAX);
    return field_read_labels(value, place, false, member);
}

static void write_labels(struct text *out, const void *member)
{
    const struct labels *labels = member;

    emit_raw(out, "{");
    for (size_t i = 0; i < labels->count; i++) {
        emit_key(out, labels->items[i].key);
        emit_string(out, labels->items[i].value);
    }
    emit_raw(out, "}");
}

const struct field_type field_labels = {read_labels, write_labels};

static bool read_capture(const struct field *field, json_t *value, const struct place *place,
                         void *member)
{
    if (json_is_null(value)) {
        *(enum capture *)member = CAPTURE_UNKNOWN;
        return true;
    }
    const char *name = field_get_string(value, field->max, place);
    if (!name)
        return false;
    enum capture capture = capture_of_name(name);
    if (capture == CAPTURE_UNKNOWN)
        return place_fault(place, "must be link, reflink, copy or isolate");
    *(enum capture *)member = capture;
    return true;
}

static void write_capture(struct text *out, const void *member)
{
    emit_string(out, capture_name(*(const enum capture *)member));
}

const struct field_type field_capture = {read_capture, write_capture};

static const struct field timestamp_rows[] = {
    FIELD(timestamp, seconds, i64, REQUIRED),
    FIELD(timestamp, nanos, i32, REQUIRED),
};
static const struct fields timestamp_fields = {FIELDS(timestamp_rows)};

static bool read_timestamp(const struct field *field, json_t *value, const struct place *place,
                           void *member)
{
    struct timestamp *time = member;

    (void)field;
    if (json_is_object(value))
        return fields_read(&timestamp_fields, value, place, time);
    if (json_is_string(value)
        && clock_parse_rfc3339(json_string_value(value), json_string_length(value),
                               &time->seconds, &time->nanos))
        return true;
    return place_fault(place, "must be an RFC 3339 time, or an object of seconds and nanos");
}

static bool has_rfc3339(const struct timestamp *time)
{
    return time->seconds >= RFC3339_MIN && time->seconds <= RFC3339_MAX
        && time->nanos >= 0 && time->nanos <= 999999999;
}

static void write_timestamp(struct text *out, const void *member)
{
    const struct timestamp *time = member;
    char string[RFC3339_SIZE];

    if (!has_rfc3339(time)) {
        fields_write(&timestamp_fields, time, out);
        return;
    }
    clock_format_rfc3339(time->seconds, time->nanos, string);
    emit_string(out, string);
}

const struct field_type field_timestamp = {read_timestamp, write_timestamp};

/* An empty string stands for a digest that was not recorded. */
static bool read_sha256(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    const char *digits = field_get_string(value, field->max, place);

    if (!digits)
        return false;
    size_t len = strlen(digits);
    if (strspn(digits, "0123456789abcdef") != len || (len != 0 && len != SHA256_HEX_SIZE - 1))
        return place_fault(place, "must be %d lower-case hexadecimal digits", SHA256_HEX_SIZE - 1);
    memcpy(member, digits, len + 1);
    return true;
}

static void write_sha256(struct text *out, const void *member)
{
    emit_string(out, member);
}

const struct field_type field_sha256 = {read_sha256, write_sha256};
