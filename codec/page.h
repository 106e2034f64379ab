/* A page of a list, and the opaque cursor that finds the next. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

#define PAGE_LIMIT_DEFAULT 100
#define PAGE_LIMIT_MAX     1000

/* Appends {"snapshots":[…],"next":CURSOR or null,"total":N}; `next` may be NULL. ERR_INTERNAL
 * without memory. */
bool snapshot_page_to_json(const struct snapshot_page *page, const char *next, struct text *out,
                           struct error *err);

/* Appends the cursor of the page that follows what stands at `last` in the list that the query is
 * about. ERR_INTERNAL without memory. */
bool cursor_encode(const struct snapshot_query *query, const struct snapshot_key *last,
                   struct text *out, struct error *err);

/* Sets where the query's page begins. ERR_INVALID if this is no cursor of that very list: same
 * filter, same order. ERR_INTERNAL. */
bool cursor_decode(const char *cursor, struct snapshot_query *query, struct error *err);
