#include "codec/creation.h"

#include <linux/limits.h>
#include <string.h>

#include "base/id.h"
#include "codec/base64.h"
#include "codec/emit.h"
#include "codec/field_types.h"

#define VERSION_MAX 256 /* bytes */

static const char *check_id(const void *member)
{
    return id_is_valid(*(char *const *)member) ? NULL : ID_RULE;
}

static const char *check_path(const void *member)
{
    return **(char *const *)member == '/' ? NULL : "must be an absolute path";
}

static const char *check_power(const void *member)
{
    uint32_t size = *(const uint32_t *)member;

    return (size & (size - 1)) == 0 ? NULL : "must be a power of two";
}

static const char *check_architecture(const void *member)
{
    const char *name = *(char *const *)member;

    if (strcmp(name, "x86_64") == 0 || strcmp(name, "aarch64") == 0)
        return NULL;
    return "must be x86_64 or aarch64";
}

static bool read_base64(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    struct text *bytes = member;
    const char *string = field_get_string(value, field->max, place);

    if (!string)
        return false;
    if (base64_decode(string, strlen(string), bytes))
        return true;
    return text_failed(bytes) ? place_no_memory(place) : place_fault(place, "must be base64");
}

/* Only the canonical text writes this member: there the digest stands for the bytes. */
static void write_digest(struct text *out, const void *member)
{
    const struct text *digest = member;

    emit_text(out, digest->data, digest->len);
}

static const struct field_type field_base64 = {read_base64, write_digest};

static void check_state(const void *object, const struct place *whole)
{
    const struct creation *creation = object;
    struct place at = {.reading = whole->reading, .parent = whole, .name = "state_base64"};

    if (creation->state_file_path && creation->has_state_bytes)
        place_fault(&at, "give state_file_path or state_base64, not both");
}

#define PATH_BYTES (PATH_MAX - 1)
#define REPLACED   .replaced = true /* by snapshot_dir_path */

/* Sorted by name, which makes the canonical text so. */
static const struct field rows[] = {
    FIELD(creation, allow_writer, boolean),
    FIELD(creation, architecture, string, REPLACED, REQUIRED, .check = check_architecture),
    FIELD(creation, capture, capture),
    FIELD(creation, created_at, timestamp, REPLACED, GIVEN(creation, has_created_at)),
    FIELD(creation, id, string, .check = check_id),
    FIELD(creation, labels, labels),
    FIELD(creation, memory_file_path, string, REPLACED, REQUIRED,
          .max = PATH_BYTES, .check = check_path),
    FIELD(creation, memory_size_bytes, u64, REPLACED, GIVEN(creation, has_memory_size), .min = 1),
    FIELD(creation, openvmm_version, text, REPLACED, REQUIRED, .max = VERSION_MAX),
    FIELD(creation, page_size, u32, REPLACED,
          .min = PAGE_SIZE_MIN, .max = PAGE_SIZE_MAX, .check = check_power),
    FIELD(creation, snapshot_dir_path, string, .max = PATH_BYTES, .check = check_path),
    FIELD_AS("state_base64", creation, state_bytes, base64, REPLACED,
             GIVEN(creation, has_state_bytes)),
    FIELD(creation, state_file_path, string, REPLACED, .max = PATH_BYTES, .check = check_path),
    FIELD(creation, vmm_args, strings, GIVEN(creation, has_vmm_args), .max = VMM_ARGS_MAX),
    FIELD(creation, vp_count, u32, REPLACED, REQUIRED, .min = 1),
};
static const struct fields creation_fields = {
    FIELDS(rows), .instead = "snapshot_dir_path", .check = check_state};

static const struct creation defaults = {.page_size = PAGE_SIZE_MIN, .allow_writer = true};

bool creation_from_json(const char *json, size_t len, struct creation *out, struct faults *faults,
                        struct error *err)
{
    auto_creation struct creation made = defaults;

    if (!fields_parse(&creation_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct creation){0});
    return true;
}

/* Whether a request without the member would mean another one. */
static bool is_telling(const struct field *field, const struct creation *creation,
                       const struct creation *unset, struct text *out)
{
    auto_text struct text value = {0};
    auto_text struct text other = {0};

    if (creation->snapshot_dir_path && field->replaced)
        return false;
    if (field->required || field->flag != 0)
        return field_is_given(field, creation);
    field->type->write(&value, field_member(field, creation));
    field->type->write(&other, field_member(field, unset));
    out->failed |= text_failed(&value) || text_failed(&other);
    return !text_equals(&value, other.data, other.len);
}

bool creation_canonical(const struct creation *creation, const char *state_sha256,
                        enum capture fallback, struct text *out, struct error *err)
{
    struct creation told = *creation; /* owns nothing */
    struct creation unset = defaults;

    unset.capture = fallback;
    if (told.capture == CAPTURE_UNKNOWN)
        told.capture = fallback;
    told.id = NULL;
    told.has_state_bytes = state_sha256 != NULL;
    told.state_bytes = (struct text){.data = (char *)state_sha256,
                                     .len = state_sha256 ? strlen(state_sha256) : 0};
    emit_raw(out, "{");
    for (size_t i = 0; i < creation_fields.count; i++)
        if (is_telling(&rows[i], &told, &unset, out))
            field_write(&rows[i], &told, out);
    emit_raw(out, "}");
    return emit_done(out, err);
}
