#include "service/catalog_index.h"

#include <assert.h>
#include <stdio.h>
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
    int64_t memory;
    struct timestamp created_at;
    struct letters letters;
    enum snapshot_status status;
    bool held, has_manifest;
    mark architecture, openvmm_version;
    uint32_t label_count;
    /* Where the other texts begin, behind the id. Words are the id and each label as KEY:VALUE, in
     * lower case. */
    uint32_t architecture_at, version_at, labels_at, words_at;
    uint64_t bytes;
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

/* ---- packed labels ---- */

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

static char fold(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static void add_word(struct text *words, const struct label *label)
{
    text_appendf(words, "%c%s:%s", WORD_END, label->key, label->value);
}

static void fold_all(char *text)
{
    for (; *text; text++)
        *text = fold(*text);
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

/* Tells where the text begins. */
static uint32_t add_text(struct text *texts, const struct text *text)
{
    const uint32_t at = (uint32_t)texts->len;

    text_append(texts, text_str(text), text->len);
    return at;
}

static uint32_t add_words(struct text *texts, const struct index_row *row)
{
    const uint32_t at = (uint32_t)texts->len;
    const char *next = text_str(&row->labels);
    struct label label;

    text_appends(texts, row->id);
    while (next_label(&next, end_of(&row->labels), &label))
        add_word(texts, &label);
    if (text_append(texts, "", 1))
        fold_all(texts->data + at);
    return at;
}

/* All texts of a row, and where in them each begins. */
static void add_texts(struct text *texts, const struct index_row *row, struct index_entry *out)
{
    text_append(texts, row->id, strlen(row->id) + 1);
    out->architecture_at = add_text(texts, &row->architecture);
    out->version_at = add_text(texts, &row->openvmm_version);
    out->labels_at = add_text(texts, &row->labels);
    out->words_at = add_words(texts, row);
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
    auto_text struct text texts = {0};
    struct index_entry head = {
        .memory = row->memory,
        .created_at = row->created_at,
        .status = row->status,
        .held = row->held,
        .has_manifest = row->has_manifest,
        .architecture = mark_of(text_str(&row->architecture), row->architecture.len),
        .openvmm_version = mark_of(text_str(&row->openvmm_version), row->openvmm_version.len),
        .label_count = count_labels(&row->labels),
    };
    const size_t front = sizeof head + head.label_count * sizeof *head.marks;

    if (__builtin_add_overflow(row->allocated_bytes, row->state_bytes, &head.bytes))
        head.bytes = UINT64_MAX;
    add_texts(&texts, row, &head);
    struct index_entry *entry = text_failed(&texts) ? NULL : malloc(front + texts.len);
    if (!entry)
        return NULL;
    head.letters = letters_of(texts.data + head.words_at);
    *entry = head;
    memcpy((char *)entry + front, texts.data, texts.len);
    mark_labels(entry);
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
                           .bytes = entry->bytes,
                           .label = value ? strdup(value) : NULL};
    snprintf(out->id, sizeof out->id, "%s", id_of(entry));
    return !value || out->label;
}

/* ---- orders ---- */

/* Where an entry stands in a list: as struct snapshot_key, but the id is borrowed. */
struct standing {
    int64_t major, minor;
    const char *id;
};

static struct standing standing_of(const struct index_entry *entry, enum snapshot_sort sort)
{
    struct standing standing = {.id = id_of(entry)};

    if (sort == SORT_CREATED_AT) {
        standing.major = entry->created_at.seconds;
        standing.minor = entry->created_at.nanos;
    } else if (sort == SORT_MEMORY_SIZE) {
        standing.major = entry->memory;
    }
    return standing;
}

void index_key(const struct index_entry *entry, enum snapshot_sort sort, struct snapshot_key *out)
{
    const struct standing standing = standing_of(entry, sort);

    *out = (struct snapshot_key){.major = standing.major, .minor = standing.minor};
    snprintf(out->id, sizeof out->id, "%s", standing.id);
}

static int compare(struct standing a, struct standing b)
{
    if (a.major != b.major)
        return a.major < b.major ? -1 : 1;
    if (a.minor != b.minor)
        return a.minor < b.minor ? -1 : 1;
    return strcmp(a.id, b.id);
}

static int compare_items(const void *a, const void *b, void *context)
{
    const enum snapshot_sort sort = *(const enum snapshot_sort *)context;

    return compare(standing_of(*(struct index_entry *const *)a, sort),
                   standing_of(*(struct index_entry *const *)b, sort));
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

static bool sort_entries(struct catalog_index *index, enum snapshot_sort sort)
{
    const size_t size = sizeof(struct index_entry *);

    if (index->orders[sort] || index->count == 0)
        return true;
    index->orders[sort] = malloc(index->room * size);
    if (!index->orders[sort])
        return false;
    memcpy(index->orders[sort], index->entries, index->count * size);
    qsort_r(index->orders[sort], index->count, size, compare_items, &sort);
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

void index_remove(struct catalog_index *index, int64_t number)
{
    const size_t at = place_of(index, number);

    if (has_number(index, at, number))
        remove_at(index, at);
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
    fold_all(sieve->part);
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
    const struct standing after = {query->after.major, query->after.minor, query->after.id};

    if (!query->has_after)
        return query->is_descending ? index->count : 0;
    return count_before(index, query->sort, after, !query->is_descending);
}

static void select_page(const struct catalog_index *index, const struct snapshot_query *query,
                        const struct sieve *sieve, const struct index_entry **out, size_t *count)
{
    struct index_entry *const *items = index->orders[query->sort];
    size_t start = find_start(index, query);

    *count = 0;
    if (query->is_descending)
        while (start > 0 && *count <= query->limit) {
            if (is_meant(items[--start], sieve))
                out[(*count)++] = items[start];
        }
    else
        for (; start < index->count && *count <= query->limit; start++)
            if (is_meant(items[start], sieve))
                out[(*count)++] = items[start];
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
