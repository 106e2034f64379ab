#include "service/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/digest.h"
#include "codec/manifest_pb.h"
#include "codec/patch.h"
#include "codec/record.h"
#include "codec/snapshot.h"
#include "codec/state.h"
#include "service/expect.h"
#include "service/file.h"
#include "service/findings.h"
#include "service/making.h"
#include "service/reconcile.h"
#include "service/writer.h"

/* Later, in a lane: at most one such job waits, and it takes all there is. */
static void empty_trash(void *context)
{
    struct service *service = context;

    atomic_store(&service->trash_waiting, false);
    stage_empty_trash(service->store);
}

/* If the lane is full the trash waits for the next time, or for the next start. */
static void schedule_trash(struct service *service)
{
    if (atomic_exchange(&service->trash_waiting, true))
        return;
    if (!lane_submit(service->lanes[LANE_BULK], empty_trash, service))
        atomic_store(&service->trash_waiting, false);
}

/* Whether the snapshot of that id, if there is one, came from this very request; if it did not,
 * the id is taken. A directory that has no manifest yet can be joined. */
static bool find_repetition(const struct making *making, struct snapshot *existing, bool *repeated,
                            struct error *err)
{
    const struct record *ours = &making->snapshot.record;
    const struct service *service = making->service;

    *repeated = false;
    if (!load_snapshot(service->store, making->id, LIVE_NONE, existing, err))
        return err->code == ERR_NOT_FOUND;
    *repeated = existing->has_record
        && strcmp(existing->record.request_sha256, ours->request_sha256) == 0;
    if (*repeated || (!existing->has_manifest && existing->status == SNAPSHOT_INCOMPLETE))
        return true;
    return error_set(err, ERR_EXISTS,
                     "there is a snapshot %s already, and this request did not make it",
                     making->id);
}

/* What a repeated request answers. The source may be gone by now. */
static bool answer_repetition(const struct making *making, struct snapshot *existing,
                              struct snapshot *out, struct error *err)
{
    struct stat memory;
    auto_fd int dir = store_open_snapshot(making->service->store, making->id, err);

    if (dir < 0)
        return false;
    if (existing->record.capture == CAPTURE_LINK
        && fstatat(dir, MEMORY_FILE, &memory, AT_SYMLINK_NOFOLLOW) == 0 && memory.st_nlink > 1) {
        existing->linked_to = making_memory_name(making->creation);
        if (!existing->linked_to)
            return error_memory(err);
    }
    *out = TAKE_AS(*existing, (struct snapshot){0});
    return true;
}

/* After an attempt to put it in place, with its claim held: one that failed may have left another
 * than there was, and one in place has another directory than the stage's. */
static void take_note(struct making *making, bool is_written)
{
    if (is_written && !making->in_place) {
        const struct sighting seen = sighting_take(stage_dir(making_stage(making)));
        catalog_note(making->service->catalog, &making->snapshot, &seen, CAUSE_REQUEST);
    } else {
        reconcile_claimed(making->service, making->id);
    }
}

static bool publish(struct making *making, struct error *err)
{
    if (!making_open(making, err) || !making_fill(making, err))
        return false;
    bool is_written = making->in_place
        ? stage_join(making_stage(making), making->id, false, err)
        : stage_publish(making_stage(making), making->id, err);
    take_note(making, is_written);
    return is_written;
}

static bool create(struct making *making, struct made *out, struct error *err)
{
    auto_snapshot struct snapshot existing = {0};
    bool repeated;

    if (!making_begin(making, err) || !find_repetition(making, &existing, &repeated, err))
        return false;
    if (repeated) {
        out->outcome = OUTCOME_REPEATED;
        return answer_repetition(making, &existing, &out->snapshot, err);
    }
    if (!publish(making, err))
        return false;
    *out = (struct made){TAKE_AS(making->snapshot, (struct snapshot){0}), OUTCOME_CREATED};
    return true;
}

bool snapshot_create(struct service *service, const struct creation *creation,
                     struct draft *uploaded, struct made *out, struct error *err)
{
    char made_up[ID_NEW_SIZE];
    const char *id = creation->id ? creation->id : made_up;
    auto_claim struct claim claim = {0};
    auto_making struct making making = {
        .service = service, .creation = creation, .id = id, .uploaded = uploaded};

    if (!creation->id)
        id_new(made_up);
    return claim_take(&service->claims, id, &claim, err) && create(&making, out, err);
}

/* Removing the last name of memory that a process is writing would lose a running VM its memory;
 * where there are other names, the bytes live on. */
static bool check_removable(int dir, const char *id, const struct guard *guard, struct error *err)
{
    struct stat memory;

    if (!load_check_own(dir, id, err))
        return false;
    if (guard->force || fstatat(dir, MEMORY_FILE, &memory, AT_SYMLINK_NOFOLLOW) != 0
        || memory.st_nlink > 1 || writer_check_memory(dir) != WRITER_PRESENT)
        return true;
    return error_set(err, ERR_IN_USE,
                     "a process has the memory of snapshot %s open for writing, and this is its "
                     "only name: stop that VM, or use force=1",
                     id);
}

/* What the guard asks, and that nobody wants the snapshot kept, which nothing overrides. */
static bool check_allowed(const struct service *service, const char *id, const struct guard *guard,
                          struct error *err)
{
    auto_snapshot struct snapshot current = {0};
    bool found = load_snapshot(service->store, id, LIVE_NONE, &current, err);

    if (!found && err->code != ERR_NOT_FOUND)
        return false;
    if (guard->allow && !guard->allow(guard->context, found ? &current : NULL, err))
        return false;
    return !current.record.held
        || error_set(err, ERR_HELD, "snapshot %s is held: let it go first (PATCH \"held\": false)",
                     id);
}

/* Over what is there: in place, by exchange, or, where nothing is, as a new one. */
static bool put_in_place(const struct making *making, int old, const struct guard *guard,
                         struct error *err)
{
    struct stage *stage = making_stage(making);

    if (making->in_place)
        return stage_join(stage, making->id, true, err);
    if (old < 0)
        return stage_publish(stage, making->id, err);
    return check_removable(old, making->id, guard, err) && stage_replace(stage, making->id, err);
}

static bool replace(struct making *making, const struct guard *guard, struct made *out,
                    struct error *err)
{
    auto_fd int old = store_open_snapshot(making->service->store, making->id, err);

    if (old < 0 && err->code != ERR_NOT_FOUND)
        return false;
    bool is_new = old < 0 || faccessat(old, MANIFEST_FILE, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    if (!check_allowed(making->service, making->id, guard, err) || !making_begin(making, err)
        || !making_open(making, err))
        return false;
    /* Refused before the work, and again after it. */
    if (old >= 0 && !making->in_place && !check_removable(old, making->id, guard, err))
        return false;
    if (!making_fill(making, err))
        return false;
    bool is_written = put_in_place(making, old, guard, err);
    take_note(making, is_written);
    if (!is_written)
        return false;
    *out = (struct made){TAKE_AS(making->snapshot, (struct snapshot){0}),
                         is_new ? OUTCOME_CREATED : OUTCOME_REPLACED};
    return true;
}

bool snapshot_replace(struct service *service, const struct creation *creation,
                      struct draft *uploaded, const struct guard *guard, struct made *out,
                      struct error *err)
{
    auto_claim struct claim claim = {0};
    auto_making struct making making = {
        .service = service, .creation = creation, .id = creation->id, .uploaded = uploaded};

    if (!claim_take(&service->claims, creation->id, &claim, err)
        || !replace(&making, guard, out, err))
        return false;
    schedule_trash(service);
    return true;
}

bool snapshot_delete(struct service *service, const char *id, const struct guard *guard,
                     struct error *err)
{
    auto_claim struct claim claim = {0};

    if (!claim_take(&service->claims, id, &claim, err))
        return false;
    auto_fd int dir = store_open_snapshot(service->store, id, err);
    if (dir < 0 || !check_allowed(service, id, guard, err) || !check_removable(dir, id, guard, err))
        return false;
    if (!stage_retire(service->store, id, err)) {
        reconcile_claimed(service, id);
        return false;
    }
    catalog_remove(service->catalog, id, guard->cause);
    schedule_trash(service);
    return true;
}

/* The record of a snapshot as it may be written: where there is none, or one that an older manifest
 * had, a new one, of a snapshot that no request made. `owner` is what the manifest's file is of. */
static bool begin_record(const struct service *service, const char *id, struct snapshot *current,
                         struct stat *owner, struct error *err)
{
    auto_fd int dir = store_open_snapshot(service->store, id, err);
    auto_text struct text manifest = {.max = MANIFEST_MAX + 65536};
    char sha256[DIGEST_HEX_SIZE];

    if (dir < 0)
        return false;
    if (!file_read(dir, MANIFEST_FILE, MANIFEST_MAX, &manifest, owner, err))
        return err->code == ERR_NOT_FOUND
            && error_set(err, ERR_BUSY,
                         "snapshot %s has no " MANIFEST_FILE ": a save seems to be under way", id);
    if (!digest_of(manifest.data, manifest.len, sha256, err))
        return false;
    if (current->has_record && strcmp(current->record.manifest_sha256, sha256) != 0)
        return error_set(err, ERR_BUSY, "another process is writing snapshot %s at this moment",
                         id);
    current->has_record = true;
    memcpy(current->record.manifest_sha256, sha256, sizeof sha256);
    return true;
}

static bool write_record(struct service *service, const struct snapshot *snapshot,
                         const struct stat *owner, struct error *err)
{
    auto_stage struct stage *stage = stage_begin(service->store, err);
    auto_text struct text json = {0};

    if (!stage || !record_to_json(&snapshot->record, &json, err)
        || !stage_write(stage, RECORD_FILE, json.data, json.len, owner, err))
        return false;
    bool is_written = stage_put(stage, snapshot->id, RECORD_FILE, err);
    reconcile_claimed(service, snapshot->id);
    return is_written;
}

bool snapshot_patch(struct service *service, const char *id, const struct patch *patch,
                    const struct guard *guard, struct snapshot *out, struct error *err)
{
    auto_claim struct claim claim = {0};
    auto_snapshot struct snapshot current = {0};
    struct stat owner;
    bool changed;

    if (!claim_take(&service->claims, id, &claim, err)
        || !load_snapshot(service->store, id, LIVE_NONE, &current, err)
        || (guard->allow && !guard->allow(guard->context, &current, err))
        || !begin_record(service, id, &current, &owner, err)
        || !patch_apply(patch, &current.record, &changed, err)
        || (changed && !write_record(service, &current, &owner, err)))
        return false;
    *out = TAKE_AS(current, (struct snapshot){0});
    return true;
}

bool snapshot_get(struct service *service, const char *id, enum load_live live,
                  struct snapshot *out, struct error *err)
{
    bool found = load_snapshot(service->store, id, live, out, err);

    if (found ? !catalog_agrees(service->catalog, out)
              : err->code == ERR_NOT_FOUND && catalog_has(service->catalog, id))
        reconcile_if_idle(service, id);
    return found;
}

/* What is gone meanwhile, or may not be read, has nothing that moves. */
static bool add_live(const struct service *service, struct snapshot_page *page, struct error *err)
{
    struct live live;
    struct error why;

    for (size_t i = 0; i < page->count; i++)
        if (load_live_only(service->store, page->items[i].id, LIVE_COUNTS, &live, &why)
            && !snapshot_add_live(&page->items[i].json, &live, err))
            return false;
    return true;
}

bool snapshot_list(struct service *service, const struct snapshot_query *query, bool live,
                   struct snapshot_page *out, struct error *err)
{
    auto_snapshot_page struct snapshot_page page = {0};

    if (!catalog_query(service->catalog, query, &page, err)
        || (live && !add_live(service, &page, err)))
        return false;
    *out = TAKE_AS(page, (struct snapshot_page){0});
    return true;
}

int snapshot_open_state(struct service *service, const char *id, struct stat *stat,
                        struct error *err)
{
    for (;;) {
        auto_fd int dir = store_open_snapshot(service->store, id, err);
        auto_fd int fd = dir < 0 ? -1 : file_open(dir, STATE_FILE, stat, err);
        if (fd >= 0 || dir < 0 || err->code != ERR_NOT_FOUND
            || store_is_current(service->store, id, dir))
            return TAKE_FD(fd);
    }
}

bool snapshot_units(struct service *service, const char *id, struct state_units *out,
                    struct error *err)
{
    struct stat stat;
    auto_fd int fd = snapshot_open_state(service, id, &stat, err);

    return fd >= 0 && state_decode(file_read_piece, &fd, (uint64_t)stat.st_size, out, err);
}

bool snapshot_validate_cached(struct service *service, const char *id,
                              const struct expectation *expectation, struct verdict *out)
{
    struct error err;
    struct stat memory;

    if (expectation->has_state_units
        || store_stat(service->store, id, MEMORY_FILE, 0, &memory) != 0
        || S_ISDIR(memory.st_mode))
        return false;
    const struct expect_files files = {.memory_size_bytes = (uint64_t)memory.st_size};
    /* Looked up second: if the manifest is current now, the memory was its own before. */
    auto_cached const struct cached *cached = cache_find(service->cache, id);
    return cached && expect_check(&cached->manifest, &files, expectation, out, &err);
}

static bool validate(struct service *service, const char *id, const struct cached *cached,
                     const struct expectation *expectation, struct verdict *out, struct error *err)
{
    auto_findings struct findings findings = {.links = LINKS_REFUSED};
    auto_fd int dir = store_open_snapshot(service->store, id, err);
    auto_free char *path = store_path_of(service->store, id, NULL);

    if (dir < 0)
        return false;
    if (!path)
        return error_memory(err);
    return findings_memory(&findings, dir, path, err)
        && (!expectation->has_state_units || findings_state(&findings, dir, path, err))
        && expect_check(&cached->manifest, &findings.files, expectation, out, err);
}

bool snapshot_validate(struct service *service, const char *id,
                       const struct expectation *expectation, struct verdict *out,
                       struct error *err)
{
    for (;;) {
        auto_cached const struct cached *cached = cache_load(service->cache, id, err);
        if (!cached)
            return false;
        bool done = validate(service, id, cached, expectation, out, err);
        if (cache_confirms(service->cache, cached))
            return done;
        verdict_clear(out); /* replaced meanwhile: the files were not of one snapshot */
    }
}
