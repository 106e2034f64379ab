/* The entries of the catalogue in memory, in every order that a list has.
 *
 * A filter is held against one entry after the other, a hundred thousand of which take a
 * millisecond or two: what a list costs does not depend on how many a part of its filter means, nor
 * on where in the order they stand. Guarded by the lock of the catalogue. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "codec/model.h"
#include "service/catalog.h"

/* An entry as its row in the database has it, which has a number. Texts are borrowed. */
struct index_row {
    const char *id;
    enum snapshot_status status;
    bool held;
    bool has_manifest;
    struct timestamp created_at; /* of the manifest; least where there is none */
    int64_t memory;              /* see index_memory(); INT64_MIN where there is no manifest */
    struct text architecture, openvmm_version;
    struct text labels;   /* packed: see index_pack_label() */
    uint64_t state_bytes; /* the size of state.bin */
    struct sighting seen;
};

/* The size of guest memory so that all of uint64 keeps its order. */
static inline int64_t index_memory(uint64_t bytes)
{
    return (int64_t)(bytes ^ UINT64_C(1) << 63);
}

/* Adds one to labels that are packed: key, NUL, value, NUL. */
bool index_pack_label(struct text *labels, const struct label *label);

/* Whether this is what index_pack_label() made. */
bool index_labels_are_packed(const struct text *labels);

/* NULL without memory. The caller frees it, or puts it into an index. */
struct index_entry *index_make(const struct index_row *row);

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

int64_t index_number(const struct index_entry *entry);

/* What a list tells of an entry beside its document, with the value of the label `key`, if that is
 * not NULL. The caller clears `out`. False without memory. */
bool index_describe(const struct index_entry *entry, const char *key, struct listed *out);

/* Where an entry stands in a list. */
void index_key(const struct index_entry *entry, enum snapshot_sort sort, struct snapshot_key *out);
