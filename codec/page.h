/* A page of a list, and the opaque cursor that finds the next. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

#define PAGE_LIMIT_DEFAULT 100
#define PAGE_LIMIT_MAX     1000

/* Appends {"snapshots":[…],"next":CURSOR or null}; `next` may be NULL. ERR_INTERNAL without
 * memory. */
bool snapshot_page_to_json(const struct snapshot_page *page, const char *next, struct text *out,
                           struct error *err);

/* Appends the cursor of the page that follows the item named `last`. */
bool cursor_encode(const char *last, struct text *out, struct error *err);

/* ERR_INVALID if this is none of our cursors. The caller frees *last. */
bool cursor_decode(const char *cursor, char **last, struct error *err);
