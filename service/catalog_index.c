#include "service/catalog_index.h"

#include <stdlib.h>

#include "base/hash.h"

/* In the words of an entry, between one and the next: in UTF-8 there is no such byte. */
#define WORD_END '\xff'

/* Of texts that differ, it does too, nearly always: most are told apart without being read. */
typedef uint32_t mark;

static mark mark_of(const char *text, size_t len)
{
    return (mark)hash_add(HASH_SEED, text, len);
}

static mark mark_of_string(const char *string)
{
    return mark_of(string, strlen(string));
}

struct label_mark {
    mark key, value;
};

/* Which bytes occur in words, and which pairs of them, the latter by a hash: where those of a part
 * are not among them, it does not occur either. */
struct letters {
    uint64_t singles[2];
    uint64_t pairs[4];
};

struct index_entry {
    int64_t number;
    uint64_t state_bytes;
    struct sighting seen;
    struct letters letters;
    int64_t memory;
    struct timestamp created_at;
    enum snapshot_status status;
    bool held, has_manifest;
    mark architecture, openvmm_version;
    /* Where the other texts begin, behind the id. Words are the id and each label as KEY:VALUE, in
     * lower case. */
    uint32_t architecture_at, version_at, labels_at, words_at;
    uint32_t label_count;
    struct label_mark marks[]; /* of each label; behind them are the texts */
};

static const char *text_at(const struct index_entry *entry, uint32_t at)
{
    return (const char *)&entry->marks[entry->label_count] + at;
}

static const char *id_of(const struct index_entry *entry)
{
    return text_at(entry, 0);
}

static void copy_id(const struct index_entry *entry, char out[ID_MAX + 1])
{
    memcpy(out, id_of(entry), entry->architecture_at); /* which begins behind its NUL */
}

/* ---- packed labels ---- */

bool index_labels_are_packed(const struct text *labels)
{
    const char *at = text_str(labels);
    size_t ends = 0;

    for (size_t i = 0; i < labels->len; i++)
        ends += at[i] == '\0';
    return ends % 2 == 0 && (labels->len == 0 || at[labels->len - 1] == '\0');
}

bool index_pack_label(struct text *labels, const struct label *label)
{
    return text_append(labels, label->key, strlen(label->key) + 1)
        && text_append(labels, label->value, strlen(label->value) + 1);
}

static const char *behind(const char *text)
{
    return text + strlen(text) + 1;
}

/* The next label from `at` on, a borrowed one; false behind the last, at `end`. */
static bool next_label(const char **at, const char *end, struct label *out)
{
    if (*at == end)
        return false;
    out->key = (char *)*at;
    out->value = (char *)behind(*at);
    *at = behind(out->value);
    return true;
}

/* ---- words ---- */

static void fold(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

/* Of an id and packed labels behind it: what ends each becomes what is between words, but at the
 * end of all. */
static void make_words(char *texts, size_t len)
{
    char between = WORD_END;

    for (char *at = texts; (at = memchr(at, '\0', len - 1 - (size_t)(at - texts)));) {
        *at = between;
        between = between == ':' ? WORD_END : ':';
    }
    fold(texts);
}

static void set_bit(uint64_t *words, unsigned bit)
{
    words[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Those of a text in lower case. A pair across the end of a word is none that is ever looked for,
 * and does no harm. */
static struct letters letters_of(const char *text)
{
    struct letters letters = {0};

    for (; *text; text++) {
        const unsigned char first = (unsigned char)text[0];
        const unsigned char second = (unsigned char)text[1];
        set_bit(letters.singles, first % 128);
        if (second)
            set_bit(letters.pairs, (first * 31u + second) % 256);
    }
    return letters;
}

static bool has_letters(const struct letters *all, const struct letters *some)
{
    uint64_t missing = 0;

    for (size_t i = 0; i < 2; i++)
        missing |= some->singles[i] & ~all->singles[i];
    for (size_t i = 0; i < 4; i++)
        missing |= some->pairs[i] & ~all->pairs[i];
    return missing == 0;
}

/* ---- entries ---- */

static const char *end_of(const struct text *text)
{
    return text_str(text) + text->len;
}

static uint32_t count_labels(const struct text *labels)
{
    const char *at = text_str(labels);
    struct label label;
    uint32_t count = 0;

    while (next_label(&at, end_of(labels), &label))
        count++;
    return count;
}

/* Of all texts of an entry. */
static size_t count_bytes(const struct index_row *row)
{
    return 2 * (strlen(row->id) + 1) + row->architecture.len + row->openvmm_version.len
        + 2 * row->labels.len;
}

/* Copies a text to where the others end, and tells where that was. */
static uint32_t add_text(char *texts, uint32_t *len, const void *text, size_t text_len)
{
    const uint32_t at = *len;

    memcpy(texts + at, text, text_len);
    *len += (uint32_t)text_len;
    return at;
}

static void add_texts(struct index_entry *entry, const struct index_row *row)
{
    char *texts = (char *)&entry->marks[entry->label_count];
    const struct text *labels = &row->labels;
    const size_t id_size = strlen(row->id) + 1;
    uint32_t len = 0;

    add_text(texts, &len, row->id, id_size);
    entry->architecture_at =
        add_text(texts, &len, text_str(&row->architecture), row->architecture.len);
    entry->version_at =
        add_text(texts, &len, text_str(&row->openvmm_version), row->openvmm_version.len);
    entry->labels_at = add_text(texts, &len, text_str(labels), labels->len);
    entry->words_at = add_text(texts, &len, row->id, id_size);
    add_text(texts, &len, text_str(labels), labels->len);
    make_words(texts + entry->words_at, id_size + labels->len);
}

static void mark_labels(struct index_entry *entry)
{
    const char *next = text_at(entry, entry->labels_at);
    const char *end = text_at(entry, entry->words_at);
    struct label label;

    for (size_t i = 0; next_label(&next, end, &label); i++)
        entry->marks[i] =
            (struct label_mark){mark_of_string(label.key), mark_of_string(label.value)};
}

struct index_entry *index_make(const struct index_row *row)
{
    const struct index_entry head = {
        .state_bytes = row->state_bytes,
        .seen = row->seen,
        .memory = row->memory,
        .created_at = row->created_at,
        .status = row->status,
        .held = row->held,
        .has_manifest = row->has_manifest,
        .architecture = mark_of(text_str(&row->architecture), row->architecture.len),
        .openvmm_version = mark_of(text_str(&row->openvmm_version), row->openvmm_version.len),
        .label_count = count_labels(&row->labels),
    };
    struct index_entry *entry =
        malloc(sizeof head + head.label_count * sizeof *head.marks + count_bytes(row));

    if (!entry)
        return NULL;
    *entry = head;
    add_texts(entry, row);
    mark_labels(entry);
    entry->letters = letters_of(text_at(entry, entry->words_at));
    return entry;
}

int64_t index_number(const struct index_entry *entry)
{
    return entry->number;
}

/* The value of a label; NULL if there is none of this key. */
static const char *value_of(const struct index_entry *entry, const char *key)
{
    const char *next = text_at(entry, entry->labels_at);
    struct label label;

    while (next_label(&next, text_at(entry, entry->words_at), &label))
        if (strcmp(label.key, key) == 0)
            return label.value;
    return NULL;
}

bool index_describe(const struct index_entry *entry, const char *key, struct listed *out)
{
    const char *value = key ? value_of(entry, key) : NULL;

    *out = (struct listed){.status = entry->status,
                           .held = entry->held,
                           .created_at = entry->created_at,
                           .label = value ? strdup(value) : NULL};
    copy_id(entry, out->id);
    if (__builtin_add_overflow(entry->seen.allocated_bytes, entry->state_bytes, &out->bytes))
        out->bytes = UINT64_MAX;
    return !value || out->label;
}

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

static struct standing standing_of(const struct index_entry *entry, enum snapshot_sort sort)
{
    const bool by_time = sort == SORT_CREATED_AT;

    return standing_at(sort, by_time ? entry->created_at.seconds : entry->memory,
                       entry->created_at.nanos, id_of(entry));
}

void index_key(const struct index_entry *entry, enum snapshot_sort sort, struct snapshot_key *out)
{
    *out = (struct snapshot_key){0};
    if (sort == SORT_CREATED_AT) {
        out->major = entry->created_at.seconds;
        out->minor = entry->created_at.nanos;
    } else if (sort == SORT_MEMORY_SIZE) {
        out->major = entry->memory;
    }
    copy_id(entry, out->id);
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
    for (size_t i = 0; i < SORT__COUNT; i++) {
        const enum snapshot_sort sort = (enum snapshot_sort)i;
        if (index->orders[i])
            open_gap(index->orders[i], index->count,
                     count_before(index, sort, standing_of(entry, sort), false), entry);
    }
    open_gap(index->entries, index->count, at, entry);
    index->count++;
}

static void remove_at(struct catalog_index *index, size_t at)
{
    struct index_entry *entry = index->entries[at];

    for (size_t i = 0; i < SORT__COUNT; i++) {
        const enum snapshot_sort sort = (enum snapshot_sort)i;
        if (index->orders[i])
            close_gap(index->orders[i], index->count,
                      count_before(index, sort, standing_of(entry, sort), false));
    }
    close_gap(index->entries, index->count, at);
    index->count--;
    free(entry);
}

static bool has_number(const struct catalog_index *index, size_t at, int64_t number)
{
    return at < index->count && index->entries[at]->number == number;
}

void index_put(struct catalog_index *index, int64_t number, struct index_entry *entry)
{
    const size_t at = place_of(index, number);

    if (has_number(index, at, number))
        remove_at(index, at);
    entry->number = number;
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
        copy_id(entry, out[count].id);
    }
    return count;
}

/* ---- filters ---- */

/* A filter, and what of it is worked out once for all entries. */
struct sieve {
    const struct snapshot_filter *filter;
    bool wants_manifest;
    mark architecture, openvmm_version;
    struct label_mark *labels;
    char *part; /* in lower case */
    struct letters letters;
};

static void sieve_clear_p(struct sieve *sieve)
{
    free(sieve->labels);
    free(sieve->part);
}
#define auto_sieve AUTO(sieve_clear)

static bool prepare_labels(struct sieve *sieve)
{
    const struct labels *labels = &sieve->filter->labels;

    sieve->labels = calloc(labels->count + 1, sizeof *sieve->labels);
    for (size_t i = 0; sieve->labels && i < labels->count; i++) {
        const struct label *label = &labels->items[i];
        sieve->labels[i].key = mark_of_string(label->key);
        sieve->labels[i].value = label->value ? mark_of_string(label->value) : 0;
    }
    return sieve->labels;
}

static bool prepare_part(struct sieve *sieve)
{
    if (!sieve->filter->has_part)
        return true;
    sieve->part = strdup(sieve->filter->part);
    if (!sieve->part)
        return false;
    fold(sieve->part);
    sieve->letters = letters_of(sieve->part);
    return true;
}

static bool prepare(const struct snapshot_filter *filter, struct sieve *out)
{
    *out = (struct sieve){
        .filter = filter,
        .wants_manifest = filter->has_architecture || filter->has_openvmm_version
            || filter->has_created_after || filter->has_created_before || filter->has_memory_min
            || filter->has_memory_max,
    };
    if (filter->has_architecture)
        out->architecture = mark_of_string(filter->architecture);
    if (filter->has_openvmm_version)
        out->openvmm_version = mark_of_string(filter->openvmm_version);
    return prepare_labels(out) && prepare_part(out);
}

static bool is_in_range(const struct index_entry *entry, const struct snapshot_filter *filter)
{
    return (!filter->has_created_after
            || timestamp_compare(entry->created_at, filter->created_after) >= 0)
        && (!filter->has_created_before
            || timestamp_compare(entry->created_at, filter->created_before) < 0)
        && (!filter->has_memory_min || entry->memory >= index_memory(filter->memory_min))
        && (!filter->has_memory_max || entry->memory <= index_memory(filter->memory_max));
}

/* Whether the text from one place to another, which may hold NUL, is this. */
static bool is_text(const struct index_entry *entry, uint32_t from, uint32_t to, const char *text)
{
    return strlen(text) == to - from && memcmp(text_at(entry, from), text, to - from) == 0;
}

static bool is_of_origin(const struct index_entry *entry, const struct sieve *sieve)
{
    const char *architecture = sieve->filter->architecture;
    const char *version = sieve->filter->openvmm_version;

    return (!sieve->filter->has_architecture
            || (entry->architecture == sieve->architecture
                && is_text(entry, entry->architecture_at, entry->version_at, architecture)))
        && (!sieve->filter->has_openvmm_version
            || (entry->openvmm_version == sieve->openvmm_version
                && is_text(entry, entry->version_at, entry->labels_at, version)));
}

/* One without a value applies to any. */
static bool has_label(const struct index_entry *entry, const struct label *label,
                      struct label_mark wanted)
{
    for (size_t i = 0; i < entry->label_count; i++)
        if (entry->marks[i].key == wanted.key
            && (!label->value || entry->marks[i].value == wanted.value)) {
            const char *value = value_of(entry, label->key);
            return value && (!label->value || strcmp(value, label->value) == 0);
        }
    return false;
}

static bool has_labels(const struct index_entry *entry, const struct sieve *sieve)
{
    const struct labels *labels = &sieve->filter->labels;

    for (size_t i = 0; i < labels->count; i++)
        if (!has_label(entry, &labels->items[i], sieve->labels[i]))
            return false;
    return true;
}

static bool has_part(const struct index_entry *entry, const struct sieve *sieve)
{
    return !sieve->part
        || (has_letters(&entry->letters, &sieve->letters)
            && strstr(text_at(entry, entry->words_at), sieve->part));
}

static bool is_meant(const struct index_entry *entry, const struct sieve *sieve)
{
    const struct snapshot_filter *filter = sieve->filter;

    return (!filter->has_status || entry->status == filter->status)
        && (!filter->has_held || entry->held == filter->held)
        && (!sieve->wants_manifest
            || (entry->has_manifest && is_in_range(entry, filter) && is_of_origin(entry, sieve)))
        && has_labels(entry, sieve) && has_part(entry, sieve);
}

static uint64_t count_meant(const struct catalog_index *index, const struct sieve *sieve)
{
    uint64_t count = 0;

    for (size_t i = 0; i < index->count; i++)
        count += is_meant(index->entries[i], sieve);
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
            if (is_meant(items[--start], sieve))
                out[(*count)++] = items[start];
        }
    else
        for (; start < index->count && *count <= query->limit; start++) {
            ask_for(index, query->sort, start + AHEAD);
            if (is_meant(items[start], sieve))
                out[(*count)++] = items[start];
        }
}

bool index_find(struct catalog_index *index, const struct snapshot_query *query,
                const struct index_entry **out, size_t *count, uint64_t *total)
{
    auto_sieve struct sieve sieve = {0};

    if (!sort_entries(index, query->sort) || !prepare(&query->filter, &sieve))
        return false;
    select_page(index, query, &sieve, out, count);
    if (total)
        *total = count_meant(index, &sieve);
    return true;
}
