#include "service/making.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "codec/creation.h"
#include "codec/manifest_pb.h"
#include "codec/record.h"
#include "service/capture.h"
#include "service/writer.h"

#define MEMORY_FIELD "/memory_file_path"
#define STATE_FIELD  "/state_file_path"

void making_clear(struct making *making)
{
    draft_free(making->own);
    source_close(making->memory);
    source_close(making->state);
    saved_clear(&making->saved);
    free(making->memory_path);
    snapshot_clear(&making->snapshot);
}

char *making_memory_name(const struct creation *creation)
{
    const char *dir = creation->snapshot_dir_path;

    return dir ? saved_path_of(dir, MEMORY_FILE) : strdup(creation->memory_file_path);
}

static struct draft *draft_of(const struct making *making)
{
    return making->uploaded ? making->uploaded : making->own;
}

struct stage *making_stage(const struct making *making)
{
    return draft_of(making)->stage;
}

static bool name_snapshot(struct making *making, struct error *err)
{
    making->snapshot.id = strdup(making->id);
    making->snapshot.path = store_path_of(making->service->store, making->id, NULL);
    making->memory_path = store_path_of(making->service->store, making->id, MEMORY_FILE);
    return (making->snapshot.id && making->snapshot.path && making->memory_path)
        || error_memory(err);
}

/* The request's fingerprint, by which its repetition is known. */
static bool identify_request(struct making *making, struct error *err)
{
    const struct creation *creation = making->creation;
    struct draft *uploaded = making->uploaded;
    char bytes_sha256[DIGEST_HEX_SIZE];
    const char *state_sha256 = NULL;
    auto_text struct text canonical = {0};

    if (uploaded) {
        if (!draft_finish(uploaded, err))
            return false;
        state_sha256 = uploaded->state_sha256;
    } else if (creation->has_state_bytes) {
        if (!digest_of(creation->state_bytes.data, creation->state_bytes.len, bytes_sha256, err))
            return false;
        state_sha256 = bytes_sha256;
    }
    return creation_canonical(creation, state_sha256, making->service->capture, &canonical, err)
        && digest_of(canonical.data, canonical.len, making->snapshot.record.request_sha256, err);
}

bool making_begin(struct making *making, struct error *err)
{
    return name_snapshot(making, err) && identify_request(making, err);
}

/* The memory may lie in the snapshot's own directory, which need not be beneath a root. */
static bool open_memory(struct making *making, struct error *err)
{
    const struct store *store = making->service->store;
    const char *path = making->creation->memory_file_path;
    size_t home_len = strlen(store->path) + strlen("/snapshots/");

    if (strcmp(path, making->memory_path) == 0)
        making->memory = source_open_beneath(store->snapshots, "the store", path + home_len, path,
                                             MEMORY_FIELD, err);
    else
        making->memory = source_open(making->service->roots, path, MEMORY_FIELD, err);
    if (!making->memory)
        return false;
    making->in_place = source_is_at(making->memory, making->memory_path);
    return true;
}

/* OpenVMM would refuse a wrong length at restore; here it is refused before anything is written. */
static bool check_memory_size(const struct making *making, struct error *err)
{
    const struct creation *creation = making->creation;
    uint64_t size = (uint64_t)making->memory->stat.st_size;

    if (size == 0)
        return error_field(err, making->memory->field, "%s is empty", making->memory->path);
    if (creation->has_memory_size && creation->memory_size_bytes != size)
        return error_field(err, "/memory_size_bytes", "%s is %" PRIu64 " bytes long, not %" PRIu64,
                           making->memory->path, size, creation->memory_size_bytes);
    return true;
}

static bool check_memory_writer(const struct making *making, struct error *err)
{
    const struct source *memory = making->memory;

    if (making->creation->allow_writer || making->snapshot.record.capture == CAPTURE_LINK)
        return true;
    switch (writer_check(memory->fd)) {
    case WRITER_NONE:
        return true;
    case WRITER_PRESENT:
        error_set(err, ERR_IN_USE, "%s is open for writing in another process", memory->path);
        return error_blame(err, memory->field);
    default:
        error_set(err, ERR_PERMISSION,
                  "it cannot be known whether a process is writing %s: that takes the file's "
                  "owner or CAP_LEASE, and a local filesystem",
                  memory->path);
        return error_blame(err, memory->field);
    }
}

static bool choose_capture(struct making *making, struct error *err)
{
    enum capture capture = making->creation->capture;

    if (capture == CAPTURE_UNKNOWN)
        capture = making->in_place ? CAPTURE_LINK : making->service->capture;
    if (making->in_place && capture != CAPTURE_LINK)
        return error_field(err, "/capture",
                           "must be \"link\": the memory file is the snapshot's own " MEMORY_FILE);
    making->snapshot.record.capture = capture;
    return true;
}

static bool open_state(struct making *making, struct error *err)
{
    const char *path = making->creation->state_file_path;

    if (path)
        making->state = source_open(making->service->roots, path, STATE_FIELD, err);
    return !path || making->state;
}

static bool open_saved(struct making *making, struct error *err)
{
    const struct service *service = making->service;

    if (!saved_open(service->store, service->roots, making->creation->snapshot_dir_path,
                    &making->saved, err))
        return false;
    making->memory = TAKE(making->saved.memory);
    making->state = TAKE(making->saved.state);
    return true;
}

static bool is_taken_in(const struct making *making)
{
    return making->creation->snapshot_dir_path != NULL;
}

static bool check_state_size(const struct making *making, struct error *err)
{
    const struct source *state = making->state;
    uint64_t max = making->service->state_max_bytes;

    if (!state || (uint64_t)state->stat.st_size <= max)
        return true;
    error_set(err, ERR_TOO_LARGE, "%s is larger than --max-state allows (%" PRIu64 " bytes)",
              state->path, max);
    return error_blame(err, state->field);
}

bool making_open(struct making *making, struct error *err)
{
    return (is_taken_in(making) ? open_saved(making, err)
                                : open_memory(making, err) && open_state(making, err))
        && check_state_size(making, err) && check_memory_size(making, err)
        && choose_capture(making, err) && check_memory_writer(making, err);
}

static bool begin_draft(struct making *making, struct error *err)
{
    if (!making->uploaded)
        making->own = draft_begin(making->service->store, making->service->state_max_bytes, err);
    return draft_of(making) != NULL;
}

static bool receive_state(struct making *making, struct error *err)
{
    const struct creation *creation = making->creation;
    struct draft *draft = draft_of(making);

    if (making->state && !draft_write_source(draft, making->state, err))
        return false;
    if (creation->has_state_bytes
        && !draft_write(draft, creation->state_bytes.data, creation->state_bytes.len, err))
        return false;
    return draft_finish(draft, err) && draft_settle(draft, &making->memory->stat, err);
}

static bool flush_in_place(const struct making *making, struct error *err)
{
    return TEMP_FAILURE_RETRY(fdatasync(making->memory->fd)) == 0
        || error_errno(err, "cannot flush %s", making->memory->path);
}

static bool capture(struct making *making, struct error *err)
{
    struct metrics *metrics = making->service->metrics;
    enum capture *how = &making->snapshot.record.capture;
    const uint64_t begun = clock_monotonic_ns();

    if (making->in_place ? !flush_in_place(making, err)
                         : !capture_memory(making_stage(making), making->memory, *how,
                                           making->snapshot.path, how, err))
        return false;
    metrics_observe(metrics, METRIC_CAPTURE_DURATION, *how, clock_monotonic_ns() - begun);
    metrics_add(metrics, METRIC_CAPTURED_BYTES, *how, (uint64_t)making->memory->stat.st_size);
    return true;
}

static bool copy_text(struct text *to, const struct text *from)
{
    return text_append(to, from->data, from->len);
}

static bool fill_manifest(struct making *making, struct error *err)
{
    const struct creation *creation = making->creation;
    struct manifest *manifest = &making->snapshot.manifest;
    struct timespec now = clock_now();

    making->snapshot.has_manifest = true;
    if (is_taken_in(making))
        return manifest_copy(manifest, &making->saved.manifest) || error_memory(err);
    manifest->version = MANIFEST_VERSION;
    manifest->created_at = creation->has_created_at
        ? creation->created_at
        : (struct timestamp){.seconds = now.tv_sec, .nanos = (int32_t)now.tv_nsec};
    manifest->memory_size_bytes = (uint64_t)making->memory->stat.st_size;
    manifest->vp_count = creation->vp_count;
    manifest->page_size = creation->page_size;
    return (copy_text(&manifest->openvmm_version, &creation->openvmm_version)
            && text_appends(&manifest->architecture, creation->architecture))
        || error_memory(err);
}

static bool fill_snapshot(struct making *making, struct error *err)
{
    const struct creation *creation = making->creation;
    struct snapshot *snapshot = &making->snapshot;
    struct record *record = &snapshot->record;

    snapshot->has_record = snapshot->has_memory = snapshot->has_state = true;
    snapshot->memory_size_bytes = (uint64_t)making->memory->stat.st_size;
    snapshot->state_size_bytes = draft_of(making)->state_size_bytes;
    record->state_size_bytes = draft_of(making)->state_size_bytes;
    memcpy(record->state_sha256, draft_of(making)->state_sha256, sizeof record->state_sha256);
    record->has_vmm_args = creation->has_vmm_args;
    if (record->capture == CAPTURE_LINK && !making->in_place) {
        snapshot->linked_to = strdup(making->memory->path);
        if (!snapshot->linked_to)
            return error_memory(err);
    }
    return (labels_copy(&record->labels, &creation->labels)
            && strings_copy(&record->vmm_args, &creation->vmm_args))
        || error_memory(err);
}

/* The bytes of manifest.bin: what OpenVMM wrote is kept as it is. */
static bool encode(const struct making *making, struct text *out, struct error *err)
{
    const struct text *bytes = &making->saved.bytes;

    if (!is_taken_in(making))
        return manifest_encode(&making->snapshot.manifest, out, err);
    return text_append(out, bytes->data, bytes->len) || error_memory(err);
}

static bool check_unchanged(const struct making *making, struct error *err)
{
    return !is_taken_in(making)
        || saved_check_unchanged(&making->saved, making->memory, making->state, err);
}

/* The manifest is written last: it is what makes a directory a snapshot to OpenVMM. */
static bool write_documents(struct making *making, struct error *err)
{
    const struct stage *stage = making_stage(making);
    const struct stat *owner = &making->memory->stat;
    struct snapshot *snapshot = &making->snapshot;
    auto_text struct text manifest = {0};
    auto_text struct text record = {0};

    return encode(making, &manifest, err)
        && digest_of(manifest.data, manifest.len, snapshot->record.manifest_sha256, err)
        && record_to_json(&snapshot->record, &record, err)
        && stage_write(stage, RECORD_FILE, record.data, record.len, owner, err)
        && stage_write(stage, MANIFEST_FILE, manifest.data, manifest.len, owner, err);
}

bool making_fill(struct making *making, struct error *err)
{
    return begin_draft(making, err) && capture(making, err) && check_memory_writer(making, err)
        && receive_state(making, err) && check_unchanged(making, err) && fill_manifest(making, err)
        && fill_snapshot(making, err) && write_documents(making, err);
}
