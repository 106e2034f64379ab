/* An entry of the catalogue in memory, and what filters hold against it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "codec/model.h"
#include "service/sighting.h"

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

/* Of texts that differ, it does too, nearly always: most are told apart without being read. */
typedef uint32_t text_mark;

struct label_mark {
    text_mark key, value;
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
    text_mark architecture, openvmm_version;
    /* Where the other texts begin, behind the id. Words are the id and each label as KEY:VALUE, in
     * lower case. */
    uint32_t architecture_at, version_at, labels_at, words_at;
    uint32_t label_count;
    struct label_mark marks[]; /* of each label; behind them are the texts */
};

/* NULL without memory. The caller frees it, or puts it into an index. */
struct index_entry *index_make(const struct index_row *row);

const char *index_id(const struct index_entry *entry);
void index_copy_id(const struct index_entry *entry, char out[ID_MAX + 1]);

/* What a list tells of an entry beside its document, with the value of the label `key`, if that is
 * not NULL. The caller clears `out`. False without memory. */
bool index_describe(const struct index_entry *entry, const char *key, struct listed *out);

/* A filter, and what of it is worked out once for all entries. */
struct sieve {
    const struct snapshot_filter *filter;
    bool wants_manifest;
    text_mark architecture, openvmm_version;
    struct label_mark *labels;
    char *part; /* in lower case */
    struct letters letters;
};

/* Makes ready to hold `filter`, which must outlive it, against entries. The caller clears `out`,
 * after a failure too. False without memory. */
bool sieve_prepare(const struct snapshot_filter *filter, struct sieve *out);
void sieve_clear(struct sieve *sieve);

static inline void sieve_clear_p(struct sieve *sieve)
{
    sieve_clear(sieve);
}
#define auto_sieve AUTO(sieve_clear)

/* Whether the filter means this entry. */
bool sieve_passes(const struct sieve *sieve, const struct index_entry *entry);
