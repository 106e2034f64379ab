#include "codec/inspection.h"

#include "codec/emit.h"
#include "codec/record.h"
#include "codec/snapshot.h"

static bool emit_record(struct text *out, const struct snapshot *snapshot, struct error *err)
{
    emit_key(out, "record");
    if (snapshot->has_record)
        return record_to_json(&snapshot->record, out, err);
    emit_raw(out, "null");
    return true;
}

static void emit_reasons(struct text *out, const struct inspection *inspection)
{
    emit_key(out, "restorable");
    emit_bool(out, inspection->reason_count == 0);
    emit_key(out, "reasons");
    emit_raw(out, "[");
    for (size_t i = 0; i < inspection->reason_count; i++) {
        emit_item(out);
        emit_text(out, text_str(&inspection->reasons[i]), inspection->reasons[i].len);
    }
    emit_raw(out, "]");
}

bool inspection_to_json(const struct inspection *inspection, struct text *out, struct error *err)
{
    if (!snapshot_to_json(&inspection->snapshot, out, err))
        return false;
    out->len--; /* the closing brace, which comes again */
    if (!emit_record(out, &inspection->snapshot, err))
        return false;
    emit_key(out, "units");
    if (inspection->has_units)
        state_units_emit(&inspection->units, out);
    else
        emit_raw(out, "null");
    emit_reasons(out, inspection);
    emit_raw(out, "}");
    return emit_done(out, err);
}
