#include "codec/manifest_json.h"

#include "codec/emit.h"
#include "codec/field_types.h"

/* In the order of their tags in manifest.proto. */
static const struct field rows[] = {
    FIELD(manifest, version, u32, REQUIRED),
    FIELD(manifest, created_at, timestamp, REQUIRED),
    FIELD(manifest, openvmm_version, text, REQUIRED),
    FIELD(manifest, memory_size_bytes, u64, REQUIRED),
    FIELD(manifest, vp_count, u32, REQUIRED),
    FIELD(manifest, page_size, u32, REQUIRED),
    FIELD(manifest, architecture, text, REQUIRED),
};
static const struct fields manifest_fields = {FIELDS(rows)};

bool manifest_to_json(const struct manifest *manifest, struct text *out, struct error *err)
{
    fields_write(&manifest_fields, manifest, out);
    return emit_done(out, err);
}

bool manifest_from_json(const char *json, size_t len, struct manifest *out, struct faults *faults,
                        struct error *err)
{
    auto_manifest struct manifest made = {0};

    if (!fields_parse(&manifest_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct manifest){0});
    return true;
}
