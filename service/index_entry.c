#include "service/index_entry.h"

#include <stdlib.h>

#include "base/hash.h"

/* In the words of an entry, between one and the next: in UTF-8 there is no such byte. */
#define WORD_END '\xff'

static text_mark mark_of(const char *text, size_t len)
{
    return (text_mark)hash_add(HASH_SEED, text, len);
}

static text_mark mark_of_string(const char *string)
{
    return mark_of(string, strlen(string));
}

static const char *text_at(const struct index_entry *entry, uint32_t at)
{
    return (const char *)&entry->marks[entry->label_count] + at;
}

const char *index_id(const struct index_entry *entry)
{
    return text_at(entry, 0);
}

void index_copy_id(const struct index_entry *entry, char out[ID_MAX + 1])
{
    memcpy(out, index_id(entry), entry->architecture_at); /* which begins behind its NUL */
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
    index_copy_id(entry, out->id);
    if (__builtin_add_overflow(entry->seen.allocated_bytes, entry->state_bytes, &out->bytes))
        out->bytes = UINT64_MAX;
    return !value || out->label;
}

/* ---- filters ---- */

void sieve_clear(struct sieve *sieve)
{
    free(sieve->labels);
    free(sieve->part);
}

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

bool sieve_prepare(const struct snapshot_filter *filter, struct sieve *out)
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

bool sieve_passes(const struct sieve *sieve, const struct index_entry *entry)
{
    const struct snapshot_filter *filter = sieve->filter;

    return (!filter->has_status || entry->status == filter->status)
        && (!filter->has_held || entry->held == filter->held)
        && (!sieve->wants_manifest
            || (entry->has_manifest && is_in_range(entry, filter) && is_of_origin(entry, sieve)))
        && has_labels(entry, sieve) && has_part(entry, sieve);
}
