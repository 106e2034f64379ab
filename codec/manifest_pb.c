#include "codec/manifest_pb.h"

#include "codec/manifest.pb-c.h"
#include "codec/wire.h"

static bool take_timestamp(void *into, const struct wire_field *field, struct error *err)
{
    struct timestamp *timestamp = into;

    switch (field->number) {
    case 1:
        return wire_int64(field, &timestamp->seconds, err);
    case 2:
        return wire_int32(field, &timestamp->nanos, err);
    default:
        return true;
    }
}

static bool take_manifest(void *into, const struct wire_field *field, struct error *err)
{
    struct manifest *manifest = into;

    switch (field->number) {
    case 1:
        return wire_uint32(field, &manifest->version, err);
    case 2: /* given again, it merges */
        return wire_message(field, take_timestamp, &manifest->created_at, err);
    case 3:
        return wire_text(field, &manifest->openvmm_version, err);
    case 4:
        return wire_uint64(field, &manifest->memory_size_bytes, err);
    case 5:
        return wire_uint32(field, &manifest->vp_count, err);
    case 6:
        return wire_uint32(field, &manifest->page_size, err);
    case 7:
        return wire_text(field, &manifest->architecture, err);
    default:
        return true;
    }
}

/* By our own decoder: protobuf-c takes what OpenVMM refuses (strings that are not UTF-8), and
 * refuses what it takes (wire type 6, field 0, overlong tags). */
bool manifest_decode(const void *data, size_t len, struct manifest *out, struct error *err)
{
    const struct wire_input input = {.subject = "snapshot manifest", .size = len, .data = data};
    auto_manifest struct manifest manifest = {0};

    if (!wire_decode(&input, take_manifest, &manifest, err))
        return false;
    *out = manifest;
    manifest = (struct manifest){0};
    return true;
}

static ProtobufCBinaryData borrow(const struct text *text)
{
    return (ProtobufCBinaryData){.len = text->len, .data = (uint8_t *)text->data};
}

bool manifest_encode(const struct manifest *manifest, struct text *out, struct error *err)
{
    Openvmm__Snapshot__Timestamp created_at = OPENVMM__SNAPSHOT__TIMESTAMP__INIT;
    Openvmm__Snapshot__SnapshotManifest message = OPENVMM__SNAPSHOT__SNAPSHOT_MANIFEST__INIT;

    created_at.seconds = manifest->created_at.seconds;
    created_at.nanos = manifest->created_at.nanos;
    message.version = manifest->version;
    if (created_at.seconds != 0 || created_at.nanos != 0) /* OpenVMM leaves out an empty one */
        message.created_at = &created_at;
    message.openvmm_version = borrow(&manifest->openvmm_version);
    message.memory_size_bytes = manifest->memory_size_bytes;
    message.vp_count = manifest->vp_count;
    message.page_size = manifest->page_size;
    message.architecture = borrow(&manifest->architecture);

    if (!text_reserve(out, openvmm__snapshot__snapshot_manifest__get_packed_size(&message)))
        return error_memory(err);
    uint8_t *end = (uint8_t *)out->data + out->len;
    out->len += openvmm__snapshot__snapshot_manifest__pack(&message, end);
    out->data[out->len] = '\0';
    return true;
}
