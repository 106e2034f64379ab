/* Any bytes are judged; what decodes encodes to bytes that mean the same. */
#include "codec/manifest_pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/golden/vectors.h"

static void encode_again(const struct manifest *manifest)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    auto_manifest struct manifest again = {0};

    MUST(manifest_encode(manifest, &bytes, &err));
    MUST(manifest_decode(bytes.data, bytes.len, &again, &err));
    MUST(manifests_equal(manifest, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};

    if (manifest_decode(data, size, &manifest, &err)) {
        encode_again(&manifest);
    } else {
        MUST(err.code == ERR_DAMAGED);
        MUST(strstr(err.message, "failed to decode snapshot manifest: decoding failed: "));
    }
    return 0;
}
