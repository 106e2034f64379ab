/* manifest.bin against OpenVMM's own encoder and decoder, and against protobuf-c's. */
#include <stdio.h>

#include "codec/manifest.pb-c.h"
#include "codec/manifest_pb.h"
#include "tests/check.h"
#include "tests/golden/vectors.h"

#define ENCODE_LINES     991
#define DECODE_LINES     3600
#define RANDOM_MANIFESTS 20000

static bool differs(const char *what)
{
    fprintf(stderr, "  %s\n", what);
    return false;
}

static bool decodes_to(const struct text *bytes, const struct manifest *expected)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};

    if (!manifest_decode(bytes->data, bytes->len, &manifest, &err))
        return differs(err.message);
    return manifests_equal(&manifest, expected) || differs("decoded to other fields");
}

static bool check_encode(const json_t *vector, void *context)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};
    auto_text struct text expected = {0};
    auto_text struct text actual = {0};

    (void)context;
    vector_manifest(vector_get(vector, "manifest"), &manifest);
    vector_hex(vector_get(vector, "hex"), &expected);
    if (!manifest_encode(&manifest, &actual, &err))
        return differs(err.message);
    if (!text_equals(&actual, expected.data, expected.len))
        return differs("encoded to other bytes");
    return decodes_to(&expected, &manifest);
}

static void every_manifest_is_encoded_as_openvmm_does(void **state)
{
    (void)state;
    assert_true(vectors_hold(GOLDEN("manifest_encode.jsonl"), ENCODE_LINES, check_encode, NULL));
}

static bool fails_with(const struct text *bytes, const char *cause)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};
    char expected[sizeof err.message];

    snprintf(expected, sizeof expected, "failed to decode snapshot manifest: %s", cause);
    if (manifest_decode(bytes->data, bytes->len, &manifest, &err))
        return differs("decoded, though it should not");
    return (err.code == ERR_DAMAGED && strcmp(err.message, expected) == 0) || differs(err.message);
}

static bool check_decode(const json_t *vector, void *context)
{
    const json_t *result = vector_get(vector, "result");
    auto_text struct text bytes = {0};
    auto_manifest struct manifest expected = {0};
    size_t *decoded = context;

    vector_hex(vector_get(vector, "hex"), &bytes);
    if (!json_is_true(vector_get(result, "ok")))
        return fails_with(&bytes, json_string_value(vector_get(result, "error")));
    ++*decoded;
    vector_manifest(result, &expected);
    return decodes_to(&bytes, &expected);
}

static void every_input_is_judged_as_openvmm_does(void **state)
{
    size_t decoded = 0;

    (void)state;
    assert_true(vectors_hold(GOLDEN("manifest_decode.jsonl"), DECODE_LINES, check_decode,
                             &decoded));
    assert_int_equal(decoded, 1636);
}

static bool holds_bytes(const ProtobufCBinaryData *data, const struct text *text)
{
    return text_equals(text, data->data, data->len);
}

static bool message_equals(const Openvmm__Snapshot__SnapshotManifest *message,
                           const struct manifest *manifest)
{
    static const Openvmm__Snapshot__Timestamp epoch = OPENVMM__SNAPSHOT__TIMESTAMP__INIT;
    const Openvmm__Snapshot__Timestamp *at = message->created_at ? message->created_at : &epoch;

    return message->version == manifest->version
        && at->seconds == manifest->created_at.seconds
        && at->nanos == manifest->created_at.nanos
        && holds_bytes(&message->openvmm_version, &manifest->openvmm_version)
        && message->memory_size_bytes == manifest->memory_size_bytes
        && message->vp_count == manifest->vp_count
        && message->page_size == manifest->page_size
        && holds_bytes(&message->architecture, &manifest->architecture);
}

static bool protobuf_c_reads(const struct text *bytes, const struct manifest *manifest)
{
    Openvmm__Snapshot__SnapshotManifest *message = openvmm__snapshot__snapshot_manifest__unpack(
        NULL, bytes->len, (const uint8_t *)text_str(bytes));

    if (!message)
        return differs("protobuf-c does not decode it");
    bool equal = message_equals(message, manifest);
    openvmm__snapshot__snapshot_manifest__free_unpacked(message, NULL);
    return equal || differs("protobuf-c decodes it to other fields");
}

static bool both_decoders_agree(const struct manifest *manifest)
{
    struct error err = {0};
    auto_text struct text bytes = {0};

    if (!manifest_encode(manifest, &bytes, &err))
        return differs(err.message);
    return decodes_to(&bytes, manifest) && protobuf_c_reads(&bytes, manifest);
}

static bool check_agreement(const json_t *vector, void *context)
{
    auto_manifest struct manifest manifest = {0};

    (void)context;
    vector_manifest(vector_get(vector, "manifest"), &manifest);
    return both_decoders_agree(&manifest);
}

static void protobuf_c_reads_every_encoded_vector_alike(void **state)
{
    (void)state;
    assert_true(vectors_hold(GOLDEN("manifest_encode.jsonl"), ENCODE_LINES, check_agreement, NULL));
}

/* xorshift64*: the same manifests in every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

static uint64_t pick_number(uint64_t *seed)
{
    static const uint64_t extremes[] = {
        0,
        1,
        127,
        128,
        16383,
        16384,
        4096,
        65536,
        INT32_MAX,
        (uint64_t)INT32_MIN,
        UINT32_MAX,
        UINT32_MAX + UINT64_C(1),
        INT64_MAX,
        (uint64_t)INT64_MIN,
        UINT64_MAX - 1,
        UINT64_MAX,
    };
    uint64_t random = next_random(seed);

    if (random % 2 == 0)
        return extremes[random / 2 % (sizeof extremes / sizeof *extremes)];
    return next_random(seed) >> (random / 2 % 64);
}

static void pick_text(uint64_t *seed, struct text *out)
{
    static const struct {
        const char *bytes;
        size_t len;
    } pieces[] = {
        {"\0",               1},
        {"a",                1},
        {"0.0.0",            5},
        {"\x7F",             1},
        {"\xC2\x80",         2},
        {"\xDF\xBF",         2},
        {"\xE0\xA0\x80",     3},
        {"\xED\x9F\xBF",     3},
        {"\xEE\x80\x80",     3},
        {"\xEF\xBF\xBF",     3},
        {"\xF0\x90\x80\x80", 4},
        {"\xF4\x8F\xBF\xBF", 4},
    };
    uint64_t count = pick_number(seed) % 200;

    for (uint64_t i = 0; i < count; i++) {
        size_t at = next_random(seed) % (sizeof pieces / sizeof *pieces);
        assert_true(text_append(out, pieces[at].bytes, pieces[at].len));
    }
}

static void pick_manifest(uint64_t *seed, struct manifest *out)
{
    out->version = (uint32_t)pick_number(seed);
    out->created_at.seconds = (int64_t)pick_number(seed);
    out->created_at.nanos = (int32_t)pick_number(seed);
    pick_text(seed, &out->openvmm_version);
    out->memory_size_bytes = pick_number(seed);
    out->vp_count = (uint32_t)pick_number(seed);
    out->page_size = (uint32_t)pick_number(seed);
    pick_text(seed, &out->architecture);
}

static void protobuf_c_reads_random_manifests_alike(void **state)
{
    uint64_t seed = 0x5eed;

    (void)state;
    for (int i = 0; i < RANDOM_MANIFESTS; i++) {
        auto_manifest struct manifest manifest = {0};
        pick_manifest(&seed, &manifest);
        assert_true(both_decoders_agree(&manifest));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_manifest_is_encoded_as_openvmm_does),
        cmocka_unit_test(every_input_is_judged_as_openvmm_does),
        cmocka_unit_test(protobuf_c_reads_every_encoded_vector_alike),
        cmocka_unit_test(protobuf_c_reads_random_manifests_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
