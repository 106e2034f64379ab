#include "service/catalog_index.h"

#include <stdlib.h>

/* ---- orders ---- */

/* Where an entry stands in a list: as struct snapshot_key says, but the numbers that do not count
 * there are the first bytes of the id here, which nearly always tell enough of it. */
struct standing {
    int64_t major, minor;
    const char *id;
};

/* The first eight, so that these order as the bytes do: behind the end there are only the least. */
static int64_t leading_bytes(const char *id, size_t len)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes = bytes << 8 | (i < len ? (unsigned char)id[i] : 0);
    return (int64_t)(bytes ^ UINT64_C(1) << 63);
}

static struct standing standing_at(enum snapshot_sort sort, int64_t major, int64_t minor,
                                   const char *id)
{
    const size_t len = strlen(id);
    const size_t first = len < sizeof major ? len : sizeof major;

    switch (sort) {
    case SORT_CREATED_AT:
        return (struct standing){major, minor, id};
    case SORT_MEMORY_SIZE:
        return (struct standing){major, leading_bytes(id, len), id};
    default:
        return (struct standing){leading_bytes(id, len), leading_bytes(id + first, len - first),
                                 id};
    }
}

static int64_t major_of(const struct index_entry *entry, enum snapshot_sort sort)
{
    if (sort == SORT_CREATED_AT)
        return entry->created_at.seconds;
    return sort == SORT_MEMORY_SIZE ? entry->memory : 0;
}

static int64_t minor_of(const struct index_entry *entry, enum snapshot_sort sort)
{
    return sort == SORT_CREATED_AT ? entry->created_at.nanos : 0;
}

static struct standing standing_of(const struct index_entry *entry, enum snapshot_sort sort)
{
    return standing_at(sort, major_of(entry, sort), minor_of(entry, sort), index_id(entry));
}

void index_key(const struct index_entry *entry, enum snapshot_sort sort, struct snapshot_key *out)
{
    *out = (struct snapshot_key){.major = major_of(entry, sort), .minor = minor_of(entry, sort)};
    index_copy_id(entry, out->id);
}

static int compare(struct standing a, struct standing b)
{
    if (a.major != b.major)
        return a.major < b.major ? -1 : 1;
    if (a.minor != b.minor)
        return a.minor < b.minor ? -1 : 1;
    return strcmp(a.id, b.id);
}

/* How many entries stand before a place, or, if `including`, not behind it. */
static size_t count_before(const struct catalog_index *index, enum snapshot_sort sort,
                           struct standing place, bool including)
{
    struct index_entry *const *items = index->orders[sort];
    size_t low = 0;
    size_t high = index->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare(standing_of(items[middle], sort), place) < (including ? 1 : 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What is compared lies together: to look it up in every entry would take most of the time. */
struct placed {
    struct standing standing;
    struct index_entry *entry;
};

static int compare_placed(const void *a, const void *b)
{
    return compare(((const struct placed *)a)->standing, ((const struct placed *)b)->standing);
}

static bool sort_entries(struct catalog_index *index, enum snapshot_sort sort)
{
    if (index->orders[sort] || index->count == 0)
        return true;
    auto_free struct placed *placed = malloc(index->count * sizeof *placed);
    struct index_entry **order = malloc(index->room * sizeof(struct index_entry *));
    if (!placed || !order) {
        free(order);
        return false;
    }
    for (size_t i = 0; i < index->count; i++)
        placed[i] = (struct placed){standing_of(index->entries[i], sort), index->entries[i]};
    qsort(placed, index->count, sizeof *placed, compare_placed);
    for (size_t i = 0; i < index->count; i++)
        order[i] = placed[i].entry;
    index->orders[sort] = order;
    return true;
}

/* Both before the entry is counted in, or out. */
static void open_gap(struct index_entry **items, size_t count, size_t at,
                     struct index_entry *entry)
{
    memmove(&items[at + 1], &items[at], (count - at) * sizeof(struct index_entry *));
    items[at] = entry;
}

static void close_gap(struct index_entry **items, size_t count, size_t at)
{
    memmove(&items[at], &items[at + 1], (count - at - 1) * sizeof(struct index_entry *));
}

/* ---- the index ---- */

void index_clear(struct catalog_index *index)
{
    for (size_t i = 0; i < index->count; i++)
        free(index->entries[i]);
    free(index->entries);
    for (size_t i = 0; i < SORT__COUNT; i++)
        free(index->orders[i]);
    *index = (struct catalog_index){0};
}

/* Where the entry of a number is, or would be. */
static size_t place_of(const struct catalog_index *index, int64_t number)
{
    size_t low = 0;
    size_t high = index->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (index->entries[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool grow(struct index_entry ***items, size_t room)
{
    struct index_entry **more = realloc(*items, room * sizeof(struct index_entry *));

    if (more)
        *items = more;
    return more;
}

bool index_reserve(struct catalog_index *index)
{
    const size_t room = index->room ? index->room * 2 : 256;

    if (index->count < index->room)
        return true;
    for (size_t i = 0; i < SORT__COUNT; i++)
        if (index->orders[i] && !grow(&index->orders[i], room))
            return false;
    if (!grow(&index->entries, room))
        return false;
    index->room = room;
    return true;
}

static void add_at(struct catalog_index *index, size_t at, struct index_entry *entry)
{
    for (enum snapshot_sort i = 0; i < SORT__COUNT; i++)
        if (index->orders[i])
            open_gap(index->orders[i], index->count,
                     count_before(index, i, standing_of(entry, i), false), entry);
    open_gap(index->entries, index->count, at, entry);
    index->count++;
}

static void remove_at(struct catalog_index *index, size_t at)
{
    struct index_entry *entry = index->entries[at];

    for (enum snapshot_sort i = 0; i < SORT__COUNT; i++)
        if (index->orders[i])
            close_gap(index->orders[i], index->count,
                      count_before(index, i, standing_of(entry, i), false));
    close_gap(index->entries, index->count, at);
    index->count--;
    free(entry);
}

/* Whether both stand at the same place in every order. */
static bool stand_alike(const struct index_entry *a, const struct index_entry *b)
{
    return timestamp_compare(a->created_at, b->created_at) == 0 && a->memory == b->memory
        && strcmp(index_id(a), index_id(b)) == 0;
}

static void replace_at(struct catalog_index *index, size_t at, struct index_entry *entry)
{
    struct index_entry *old = index->entries[at];

    for (enum snapshot_sort i = 0; i < SORT__COUNT; i++)
        if (index->orders[i])
            index->orders[i][count_before(index, i, standing_of(old, i), false)] = entry;
    index->entries[at] = entry;
    free(old);
}

static bool has_number(const struct catalog_index *index, size_t at, int64_t number)
{
    return at < index->count && index->entries[at]->number == number;
}

void index_put(struct catalog_index *index, int64_t number, struct index_entry *entry)
{
    const size_t at = place_of(index, number);
    const bool is_known = has_number(index, at, number);

    entry->number = number;
    if (is_known && stand_alike(index->entries[at], entry)) {
        replace_at(index, at, entry);
        return;
    }
    if (is_known)
        remove_at(index, at);
    add_at(index, at, entry);
}

void index_sort(struct catalog_index *index)
{
    for (enum snapshot_sort i = 0; i < SORT__COUNT; i++)
        (void)sort_entries(index, i);
}

void index_remove(struct catalog_index *index, int64_t number)
{
    const size_t at = place_of(index, number);

    if (has_number(index, at, number))
        remove_at(index, at);
}

size_t index_walk(const struct catalog_index *index, int64_t number, struct catalog_entry *out,
                  size_t max)
{
    const size_t from = place_of(index, number + 1);
    size_t count;

    for (count = 0; count < max && from + count < index->count; count++) {
        const struct index_entry *entry = index->entries[from + count];
        out[count] = (struct catalog_entry){
            .number = entry->number, .seen = entry->seen, .status = entry->status};
        index_copy_id(entry, out[count].id);
    }
    return count;
}

/* ---- lists ---- */

static uint64_t count_meant(const struct catalog_index *index, const struct sieve *sieve)
{
    uint64_t count = 0;

    for (size_t i = 0; i < index->count; i++)
        count += sieve_passes(sieve, index->entries[i]);
    return count;
}

/* How many entries of an order a list has before it begins, or goes on. */
static size_t find_start(const struct catalog_index *index, const struct snapshot_query *query)
{
    const struct snapshot_key *after = &query->after;

    if (!query->has_after)
        return query->is_descending ? index->count : 0;
    return count_before(index, query->sort,
                        standing_at(query->sort, after->major, after->minor, after->id),
                        !query->is_descending);
}

/* Entries lie all over memory, whose answer takes longer than to look at one: so far ahead of that
 * it is asked for, as far as the marks of a label or two. */
#define AHEAD      12
#define CACHE_LINE 64
#define LINES      3

static void ask_for(const struct catalog_index *index, enum snapshot_sort sort, size_t at)
{
    const char *entry = at < index->count ? (const char *)index->orders[sort][at] : NULL;

    for (size_t i = 0; entry && i < LINES; i++)
        __builtin_prefetch(entry + i * CACHE_LINE);
}

static void select_page(const struct catalog_index *index, const struct snapshot_query *query,
                        const struct sieve *sieve, const struct index_entry **out, size_t *count)
{
    struct index_entry *const *items = index->orders[query->sort];
    size_t start = find_start(index, query);

    *count = 0;
    if (query->is_descending)
        while (start > 0 && *count <= query->limit) {
            ask_for(index, query->sort, start - AHEAD);
            if (sieve_passes(sieve, items[--start]))
                out[(*count)++] = items[start];
        }
    else
        for (; start < index->count && *count <= query->limit; start++) {
            ask_for(index, query->sort, start + AHEAD);
            if (sieve_passes(sieve, items[start]))
                out[(*count)++] = items[start];
        }
}

bool index_find(struct catalog_index *index, const struct snapshot_query *query,
                const struct index_entry **out, size_t *count, uint64_t *total)
{
    auto_sieve struct sieve sieve = {0};

    if (!sort_entries(index, query->sort) || !sieve_prepare(&query->filter, &sieve))
        return false;
    select_page(index, query, &sieve, out, count);
    if (total)
        *total = count_meant(index, &sieve);
    return true;
}
