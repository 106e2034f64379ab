/* Any bytes are judged as a manifest's JSON; what is one is written to JSON that reads the same. */
#include "codec/manifest_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/refusal.h"
#include "tests/golden/vectors.h"

static void write_again(const struct manifest *manifest)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_text struct text json = {0};
    auto_manifest struct manifest again = {0};

    MUST(manifest_to_json(manifest, &json, &err));
    MUST(manifest_from_json(json.data, json.len, &again, &faults, &err));
    MUST(manifests_equal(manifest, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_manifest struct manifest manifest = {0};

    if (manifest_from_json((const char *)data, size, &manifest, &faults, &err))
        write_again(&manifest);
    else
        check_refusal(&err, &faults);
    return 0;
}
