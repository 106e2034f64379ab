#include "codec/snapshot.h"

#include <inttypes.h>
#include <stdio.h>

#include "codec/emit.h"
#include "codec/field_types.h"
#include "codec/manifest_json.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

static void emit_memory(struct text *out, const struct snapshot *snapshot)
{
    enum capture capture = snapshot->has_record ? snapshot->record.capture : CAPTURE_UNKNOWN;

    emit_raw(out, "{");
    emit_key(out, "capture");
    emit_string(out, capture_name(capture));
    emit_key(out, "size_bytes");
    emit_u64(out, snapshot->memory_size_bytes);
    emit_raw(out, "}");
}

/* The digest is of the file as published: one of another size is another file. */
static const char *known_sha256(const struct snapshot *snapshot)
{
    const struct record *record = &snapshot->record;

    if (!snapshot->has_record || record->state_size_bytes != snapshot->state_size_bytes)
        return NULL;
    return record->state_sha256[0] ? record->state_sha256 : NULL;
}

static void emit_state(struct text *out, const struct snapshot *snapshot)
{
    emit_raw(out, "{");
    emit_key(out, "size_bytes");
    emit_u64(out, snapshot->state_size_bytes);
    emit_key(out, "sha256");
    emit_string(out, known_sha256(snapshot));
    emit_raw(out, "}");
}

static void emit_labels(struct text *out, const struct snapshot *snapshot)
{
    if (snapshot->has_record)
        field_labels.write(out, &snapshot->record.labels);
    else
        emit_raw(out, "{}");
}

static void emit_argument(struct text *out, const char *argument)
{
    emit_item(out);
    emit_string(out, argument);
}

/* OpenVMM reads a size as digits with M or K (1024-based) or with nothing (parse_memory in its
 * openvmm_entry/src/cli_args.rs). */
static void emit_memory_arguments(struct text *out, uint64_t size)
{
    char argument[32];

    if (size % MIB == 0)
        snprintf(argument, sizeof argument, "size=%" PRIu64 "M", size / MIB);
    else if (size % KIB == 0)
        snprintf(argument, sizeof argument, "size=%" PRIu64 "K", size / KIB);
    else
        snprintf(argument, sizeof argument, "size=%" PRIu64, size);
    emit_argument(out, "--memory");
    emit_argument(out, argument);
}

static void emit_processors_arguments(struct text *out, uint32_t count)
{
    char argument[16];

    snprintf(argument, sizeof argument, "%" PRIu32, count);
    emit_argument(out, "--processors");
    emit_argument(out, argument);
}

static void emit_restore(struct text *out, const struct snapshot *snapshot)
{
    const struct record *record = &snapshot->record; /* empty where there is none */

    emit_raw(out, "{");
    emit_key(out, "openvmm_args");
    emit_raw(out, "[");
    for (size_t i = 0; i < record->vmm_args.count; i++)
        emit_argument(out, record->vmm_args.items[i]);
    emit_memory_arguments(out, snapshot->manifest.memory_size_bytes);
    emit_processors_arguments(out, snapshot->manifest.vp_count);
    emit_argument(out, "--restore-snapshot");
    emit_argument(out, snapshot->path);
    emit_raw(out, "]");
    emit_key(out, "complete");
    emit_bool(out, snapshot->has_record && record->has_vmm_args);
    emit_raw(out, "}");
}

static void emit_live(struct text *out, const struct live *live)
{
    emit_key(out, "live");
    emit_raw(out, "{");
    emit_key(out, "allocated_bytes");
    emit_u64(out, live->allocated_bytes);
    emit_key(out, "link_count");
    emit_u64(out, live->link_count);
    emit_key(out, "shared");
    emit_bool(out, live->shared);
    if (live->has_writer) {
        emit_key(out, "writer");
        emit_string(out, writer_name(live->writer));
    }
    emit_raw(out, "}");
}

static void emit_warnings(struct text *out, const char *linked_to)
{
    auto_text struct text warning = {0};

    text_appendf(&warning, "memory.bin is also %s: starting that VM again rewrites this snapshot",
                 linked_to);
    out->failed |= text_failed(&warning);
    emit_key(out, "warnings");
    emit_raw(out, "[");
    emit_string(out, text_str(&warning));
    emit_raw(out, "]");
}

typedef void emit_part(struct text *out, const struct snapshot *snapshot);

static void emit_part_or_null(struct text *out, const char *name, bool has, emit_part *emit,
                              const struct snapshot *snapshot)
{
    emit_key(out, name);
    if (has)
        emit(out, snapshot);
    else
        emit_raw(out, "null");
}

static void emit_manifest(struct text *out, const struct snapshot *snapshot)
{
    struct error ignored; /* the text remembers */

    manifest_to_json(&snapshot->manifest, out, &ignored);
}

static void emit_identity(struct text *out, const struct snapshot *snapshot)
{
    emit_key(out, "id");
    emit_string(out, snapshot->id);
    emit_key(out, "status");
    emit_string(out, snapshot_status_name(snapshot->status));
    emit_key(out, "problem");
    emit_string(out, snapshot->problem);
    emit_key(out, "path");
    emit_string(out, snapshot->path);
}

bool snapshot_to_json(const struct snapshot *snapshot, struct text *out, struct error *err)
{
    bool is_restorable = snapshot->has_manifest && snapshot->status == SNAPSHOT_READY;

    emit_raw(out, "{");
    emit_identity(out, snapshot);
    emit_part_or_null(out, "manifest", snapshot->has_manifest, emit_manifest, snapshot);
    emit_part_or_null(out, "memory", snapshot->has_memory, emit_memory, snapshot);
    emit_part_or_null(out, "state", snapshot->has_state, emit_state, snapshot);
    emit_key(out, "labels");
    emit_labels(out, snapshot);
    emit_key(out, "held");
    emit_bool(out, snapshot->has_record && snapshot->record.held);
    emit_part_or_null(out, "restore", is_restorable, emit_restore, snapshot);
    if (snapshot->has_live)
        emit_live(out, &snapshot->live);
    if (snapshot->linked_to)
        emit_warnings(out, snapshot->linked_to);
    emit_raw(out, "}");
    return emit_done(out, err);
}

bool snapshot_add_live(struct text *document, const struct live *live, struct error *err)
{
    document->len--; /* the closing brace, which comes again */
    emit_live(document, live);
    emit_raw(document, "}");
    return emit_done(document, err);
}

static void emit_unit(struct text *out, const struct state_unit *unit)
{
    emit_raw(out, "{");
    emit_key(out, "name");
    emit_text(out, text_str(&unit->name), unit->name.len);
    emit_key(out, "type_url");
    emit_text(out, text_str(&unit->type_url), unit->type_url.len);
    emit_key(out, "size_bytes");
    emit_u64(out, unit->size_bytes);
    emit_raw(out, "}");
}

void state_units_emit(const struct state_units *units, struct text *out)
{
    emit_raw(out, "[");
    for (size_t i = 0; i < units->count; i++) {
        emit_item(out);
        emit_unit(out, &units->items[i]);
    }
    emit_raw(out, "]");
}

bool state_units_to_json(const struct state_units *units, struct text *out, struct error *err)
{
    emit_raw(out, "{");
    emit_key(out, "units");
    state_units_emit(units, out);
    emit_raw(out, "}");
    return emit_done(out, err);
}
