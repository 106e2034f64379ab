/* Any bytes are judged as a patch; what is accepted makes a record that can be written and read
 * back, and the same patch again changes nothing. */
#include "base/id.h"
#include "codec/creation.h"
#include "codec/patch.h"
#include "codec/record.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/refusal.h"

static const char start[] = "{\"capture\":null,\"labels\":{\"a\":\"1\",\"vm\":\"web\"},"
                            "\"held\":true,\"request_sha256\":\"\",\"manifest_sha256\":\"\","
                            "\"state_size_bytes\":0,\"state_sha256\":\"\"}";

static void check_record(const struct record *record)
{
    struct error err = {0};
    auto_text struct text json = {0};
    auto_record struct record again = {0};

    MUST(record_to_json(record, &json, &err));
    MUST(json.len <= RECORD_MAX);
    MUST(record_from_json(json.data, json.len, &again, &err));
    MUST(again.held == record->held && labels_equal(&again.labels, &record->labels));
}

static void check_accepted(const struct patch *patch)
{
    struct error err = {0};
    auto_record struct record record = {0};
    bool changed;

    MUST(record_from_json(start, strlen(start), &record, &err));
    if (!patch_apply(patch, &record, &changed, &err)) {
        MUST(err.code == ERR_INVALID && patch->labels.labels.count > LABELS_MAX - 2);
        return;
    }
    check_record(&record);
    MUST(patch_apply(patch, &record, &changed, &err));
    MUST(!changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_patch struct patch patch = {0};

    if (patch_from_json((const char *)data, size, &patch, &faults, &err))
        check_accepted(&patch);
    else
        check_refusal(&err, &faults);
    return 0;
}
