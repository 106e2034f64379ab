#include "codec/record.h"

#include "codec/creation.h"
#include "codec/emit.h"
#include "codec/field_types.h"

static const char *check_capture(const void *member)
{
    enum capture capture = *(const enum capture *)member;

    return capture != CAPTURE_ISOLATE ? NULL : "must be link, reflink or copy";
}

static const struct field rows[] = {
    FIELD(record, capture, capture, REQUIRED, .nullable = true, .check = check_capture),
    FIELD(record, labels, labels, REQUIRED),
    FIELD(record, held, boolean), /* none in records of earlier versions */
    FIELD(record, vmm_args, strings, GIVEN(record, has_vmm_args), .max = VMM_ARGS_MAX),
    FIELD(record, request_sha256, sha256, REQUIRED),
    FIELD(record, manifest_sha256, sha256, REQUIRED),
    FIELD(record, state_size_bytes, u64, REQUIRED),
    FIELD(record, state_sha256, sha256, REQUIRED),
};
static const struct fields record_fields = {FIELDS(rows), .open = true};

bool record_to_json(const struct record *record, struct text *out, struct error *err)
{
    fields_write(&record_fields, record, out);
    return emit_done(out, err);
}

static bool damaged(const struct error *why, struct error *err)
{
    if (why->code == ERR_INTERNAL)
        return error_memory(err);
    return error_set(err, ERR_DAMAGED, "snapshot.json is not a record: %s%s%s", why->field,
                     why->field[0] ? " " : "", why->message);
}

bool record_from_json(const char *json, size_t len, struct record *out, struct error *err)
{
    auto_record struct record made = {0};
    struct faults faults = {0};
    struct error why = {0};

    if (!fields_parse(&record_fields, json, len, &made, &faults, &why))
        return damaged(&why, err);
    *out = TAKE_AS(made, (struct record){0});
    return true;
}
