/* How guest memory gets into a snapshot: by hard link, by reflink, or by copying its data. */
#pragma once

#include "codec/model.h"
#include "service/source.h"
#include "service/stage.h"

/* Makes memory.bin in the stage from the source, flushed. `target_path`, for messages, is where the
 * snapshot will be. `as` is how it was captured in the end:
 * CAPTURE_ISOLATE becomes reflink or copy. Errors name the source's member:
 * - ERR_DIFFERENT_FILESYSTEM, ERR_TOO_MANY_LINKS, ERR_INVALID if it is removed meanwhile: link;
 * - ERR_REFLINK_UNSUPPORTED: reflink;
 * - ERR_NO_SPACE before the first byte where it can be known; ERR_IN_USE if the file changes its
 *   length meanwhile: copy;
 * - ERR_PERMISSION, ERR_IO. */
bool capture_memory(const struct stage *stage, const struct source *memory, enum capture capture,
                    const char *target_path, enum capture *as, struct error *err);
