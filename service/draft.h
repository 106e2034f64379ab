/* A snapshot being made: a stage, with state.bin in it as it arrives. */
#pragma once

#include <stdint.h>

#include "base/digest.h"
#include "service/source.h"
#include "service/stage.h"

struct draft {
    struct stage *stage;
    int state; /* state.bin, open for writing */
    uint64_t state_size_bytes, state_max_bytes;
    struct digest *digest;              /* of what was written so far; NULL once finished */
    char state_sha256[DIGEST_HEX_SIZE]; /* once finished */
};

/* The caller owns the draft; a draft that is freed unpublished leaves nothing behind. NULL on
 * failure (ERR_IO, ERR_NO_SPACE). */
struct draft *draft_begin(const struct store *store, uint64_t state_max_bytes, struct error *err);
void draft_free(struct draft *draft);
OWN(struct draft, draft_free)
#define auto_draft AUTO(draft_free)

/* Appends to state.bin. ERR_TOO_LARGE beyond the maximum, ERR_IO, ERR_NO_SPACE. */
bool draft_write(struct draft *draft, const void *data, size_t len, struct error *err);

/* Appends the whole of a file. As draft_write. */
bool draft_write_source(struct draft *draft, const struct source *source, struct error *err);

/* No more is to come: the digest is known. A second call changes nothing. */
bool draft_finish(struct draft *draft, struct error *err);

/* state.bin gets the owner, group and mode of the memory file, and is flushed; the stage's
 * directory gets the owner and group. ERR_PERMISSION, ERR_IO. */
bool draft_settle(const struct draft *draft, const struct stat *owner, struct error *err);
