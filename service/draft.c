#include "service/draft.h"

#include <inttypes.h>

#include "service/file.h"

#define PIECE_SIZE ((size_t)256 << 10)

struct draft *draft_begin(const struct store *store, uint64_t state_max_bytes, struct error *err)
{
    auto_draft struct draft *draft = malloc(sizeof *draft);

    if (!draft) {
        error_memory(err);
        return NULL;
    }
    *draft = (struct draft){.state = -1, .state_max_bytes = state_max_bytes};
    return (draft->digest = digest_new(err)) && (draft->stage = stage_begin(store, err))
            && (draft->state = file_create(stage_dir(draft->stage), STATE_FILE, err)) >= 0
        ? TAKE(draft)
        : NULL;
}

void draft_free(struct draft *draft)
{
    if (!draft)
        return;
    close_p(&draft->state);
    digest_free(draft->digest);
    stage_discard(draft->stage);
    free(draft);
}

bool draft_write(struct draft *draft, const void *data, size_t len, struct error *err)
{
    if (len > draft->state_max_bytes - draft->state_size_bytes)
        return error_set(err, ERR_TOO_LARGE,
                         "the device state is larger than --max-state allows (%" PRIu64 " bytes)",
                         draft->state_max_bytes);
    if (!file_write_all(draft->state, data, len, STATE_FILE, err)
        || !digest_update(draft->digest, data, len, err))
        return false;
    draft->state_size_bytes += len;
    return true;
}

bool draft_write_source(struct draft *draft, const struct source *source, struct error *err)
{
    auto_free char *buffer = malloc(PIECE_SIZE);

    if (!buffer)
        return error_memory(err);
    for (;;) {
        ssize_t got = TEMP_FAILURE_RETRY(read(source->fd, buffer, PIECE_SIZE));
        if (got < 0)
            return error_errno(err, "cannot read %s", source->path);
        if (got == 0)
            return true;
        if (!draft_write(draft, buffer, (size_t)got, err))
            return false;
    }
}

bool draft_finish(struct draft *draft, struct error *err)
{
    if (!draft->digest)
        return true;
    if (!digest_finish(draft->digest, draft->state_sha256, err))
        return false;
    digest_free(TAKE(draft->digest));
    return true;
}

bool draft_settle(const struct draft *draft, const struct stat *owner, struct error *err)
{
    /* While it is ours still: afterwards it would take CAP_FOWNER. */
    if (fchmod(draft->state, owner->st_mode & 0777) != 0)
        return error_errno(err, "cannot set the mode of " STATE_FILE);
    return stage_give(draft->state, STATE_FILE, owner, err)
        && file_flush(draft->state, STATE_FILE, err)
        && stage_give(stage_dir(draft->stage), "the snapshot's directory", owner, err);
}
