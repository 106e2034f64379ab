/* The entries of the catalogue in memory, in every order that a list has.
 *
 * A filter is held against one entry after the other, a hundred thousand of which take a
 * millisecond or two: what a list costs does not depend on how many a part of its filter means, nor
 * on where in the order they stand. Guarded by the lock of the catalogue. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "service/catalog.h"
#include "service/index_entry.h"

/* Zeroed, it is empty. */
struct catalog_index {
    struct index_entry **entries; /* by number */
    size_t count, room;
    struct index_entry **orders[SORT__COUNT]; /* NULL until they are sorted */
};

void index_clear(struct catalog_index *index);

/* Makes sure that there is room for one entry more. False without memory. */
bool index_reserve(struct catalog_index *index);

/* Adds an entry, for which there is room, or replaces the one of this number; it is the index's
 * from then on. */
void index_put(struct catalog_index *index, int64_t number, struct index_entry *entry);

/* Removes the entry of this number, if there is one. */
void index_remove(struct catalog_index *index, int64_t number);

/* Sorts the entries in every order. Before, to add them costs less; what is not sorted by then,
 * for want of memory too, is so by the first list that needs it. */
void index_sort(struct catalog_index *index);

/* The first entries of a list behind `query->after`, at most one more than its limit, for which
 * `out` has room; and, if `total` is not NULL, how long all of it is. They are good until the index
 * changes. False without memory. */
bool index_find(struct catalog_index *index, const struct snapshot_query *query,
                const struct index_entry **out, size_t *count, uint64_t *total);

/* The next entries after a number: fewer than `max` only at the end. Tells how many. */
size_t index_walk(const struct catalog_index *index, int64_t number, struct catalog_entry *out,
                  size_t max);

/* Where an entry stands in a list. */
void index_key(const struct index_entry *entry, enum snapshot_sort sort, struct snapshot_key *out);
