/* The nouns, as plain structs. Each owns what it points to and has a _clear() that leaves it
 * zeroed; a zeroed struct is valid and empty. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "base/text.h"

/* google.protobuf.Timestamp, with any value that its wire form can hold. */
struct timestamp {
    int64_t seconds; /* since 1970-01-01T00:00:00Z */
    int32_t nanos;
};

/* openvmm.snapshot.SnapshotManifest. The strings are UTF-8 and may hold U+0000. */
struct manifest {
    uint32_t version;
    struct timestamp created_at;
    struct text openvmm_version;
    uint64_t memory_size_bytes;
    uint32_t vp_count;
    uint32_t page_size;
    struct text architecture;
};

#define MANIFEST_VERSION 1 /* the only one that OpenVMM writes and restores */

/* A device's entry in state.bin; its name is what OpenVMM restores it by. */
struct state_unit {
    struct text name;
    struct text type_url;
    uint64_t size_bytes; /* of the device's own blob */
};

struct state_units {
    struct state_unit *items;
    size_t count;
    size_t cap;
};

/* Strings without U+0000, in order. */
struct strings {
    char **items;
    size_t count;
};

struct label {
    char *key;
    char *value;
};

/* Sorted by key, each key once. */
struct labels {
    struct label *items;
    size_t count;
};

/* How memory gets into a snapshot. */
enum capture {
    CAPTURE_UNKNOWN, /* not recorded: OpenVMM wrote the snapshot by itself */
    CAPTURE_LINK,
    CAPTURE_REFLINK,
    CAPTURE_COPY,
    CAPTURE_ISOLATE, /* asked for only: recorded as what it turned out to be */
    CAPTURE__COUNT
};

/* What a client asks for when it creates or replaces a snapshot. */
struct creation {
    char *id;                /* NULL if none was given */
    char *snapshot_dir_path; /* NULL, or it stands for memory, state and manifest */
    char *memory_file_path;
    enum capture capture;  /* CAPTURE_UNKNOWN if none was given */
    char *state_file_path; /* at most one of the ways to give state is set; none is empty state */
    struct text state_bytes;
    bool has_state_bytes; /* from state_base64 */
    struct text openvmm_version;
    uint32_t vp_count;
    char *architecture;
    uint32_t page_size; /* bytes; defaults to 4096 */
    bool has_memory_size;
    uint64_t memory_size_bytes;
    bool has_created_at;
    struct timestamp created_at;
    bool has_vmm_args; /* an empty list is an answer too */
    struct strings vmm_args;
    struct labels labels;
    bool allow_writer; /* defaults to true */
};

#define SHA256_HEX_SIZE 65 /* 64 digits and a NUL */

/* snapshot.json: what vmsnapd knows of a snapshot that OpenVMM's three files do not say. */
struct record {
    enum capture capture; /* link, reflink or copy; CAPTURE_UNKNOWN if OpenVMM captured it */
    struct labels labels;
    bool held; /* not to be deleted, replaced or pruned */
    bool has_vmm_args;
    struct strings vmm_args;
    char request_sha256[SHA256_HEX_SIZE];  /* the request that made it; "" if none did */
    char manifest_sha256[SHA256_HEX_SIZE]; /* of manifest.bin as published */
    uint64_t state_size_bytes;
    char state_sha256[SHA256_HEX_SIZE]; /* of state.bin as published */
};

/* Changes to what is recorded of a snapshot; what they do not name stays (RFC 7396). */
struct patch {
    bool has_labels;
    struct label_changes {
        bool from_none;       /* all that there were are removed */
        struct labels labels; /* to be set, or, where the value is NULL, to be removed */
    } labels;
    bool has_held;
    bool held;
};

enum snapshot_status {
    SNAPSHOT_READY,
    SNAPSHOT_INCOMPLETE,
    SNAPSHOT_DAMAGED,
    SNAPSHOT__COUNT
};

/* Whether a process can write to memory.bin at this moment. */
enum writer {
    WRITER_NONE,
    WRITER_PRESENT,
    WRITER_UNKNOWN,
    WRITER__COUNT
};

/* What moves by itself, answered only when asked for. */
struct live {
    uint64_t allocated_bytes; /* of memory.bin, on disk */
    uint64_t link_count;
    bool shared;     /* link_count above 1, or extents shared by reflink */
    bool has_writer; /* lists do not probe */
    enum writer writer;
};

/* A snapshot as it is found on disk. */
struct snapshot {
    char *id;
    char *path; /* absolute */
    enum snapshot_status status;
    char *problem; /* why it is incomplete or damaged; NULL if it is ready */
    bool has_manifest;
    struct manifest manifest;
    bool has_record;
    struct record record;
    bool has_memory; /* memory.bin is there */
    uint64_t memory_size_bytes;
    bool has_state; /* state.bin is there */
    uint64_t state_size_bytes;
    bool has_live;
    struct live live;
    char *linked_to; /* a create by link: the source, when it lives on; else NULL */
};

/* In what order a list comes; those that are alike in the order of their ids. */
enum snapshot_sort {
    SORT_ID,
    SORT_CREATED_AT,
    SORT_MEMORY_SIZE,
    SORT__COUNT
};

/* Which snapshots are meant: those to which all that is given applies. */
struct snapshot_filter {
    struct labels labels; /* in any order; one without a value applies to any */
    bool has_architecture, has_openvmm_version, has_part;
    char *architecture, *openvmm_version;
    char *part; /* of an id or a label, in upper or lower case */
    bool has_status;
    enum snapshot_status status;
    bool has_held, held;
    bool has_created_after, has_created_before;
    struct timestamp created_after;  /* or then */
    struct timestamp created_before; /* not then */
    bool has_memory_min, has_memory_max;
    uint64_t memory_min, memory_max; /* bytes, of the manifest; both included */
};

/* Where a snapshot stands in a list: numbers by which it is sorted, as the catalogue has them, and
 * its id. */
struct snapshot_key {
    int64_t major, minor; /* 0 where they do not count */
    char id[ID_MAX + 1];
};

/* Part of a list that is wanted. */
struct snapshot_query {
    struct snapshot_filter filter;
    enum snapshot_sort sort;
    bool is_descending;
    bool has_after;
    struct snapshot_key after; /* what comes before the part */
    size_t limit;
    bool wants_total;
    const char *label; /* NULL, or the key of one whose value is to be told of each */
};

/* A snapshot as the catalogue has it: its document, as it is answered, and what retention asks. */
struct listed {
    char id[ID_MAX + 1];
    struct text json;
    enum snapshot_status status;
    bool held;
    struct timestamp created_at;
    uint64_t bytes; /* of disk that memory.bin occupies, and the size of state.bin */
    char *label;    /* the value of the one that was asked for; NULL if there is none */
};

/* Part of a list. */
struct snapshot_page {
    struct listed *items;
    size_t count;
    bool more;                /* the list goes on after the last item, */
    struct snapshot_key last; /* which stands here */
    bool has_total;
    uint64_t total; /* of the whole list */
};

/* How long: first by the calendar, then by the clock. */
struct duration {
    uint64_t months, seconds;
};

/* The newest snapshot of each of the last so many hours, days … that have any. */
enum keep_rule {
    KEEP_LAST, /* the newest ones */
    KEEP_HOURLY,
    KEEP_DAILY,
    KEEP_WEEKLY,
    KEEP_MONTHLY,
    KEEP_YEARLY,
    KEEP__COUNT
};

/* Which snapshots are to be kept when they are thinned out. */
struct retention_policy {
    bool has_keep[KEEP__COUNT];
    uint32_t keep[KEEP__COUNT]; /* how many; at least 1 */
    bool has_within;
    struct duration within; /* what is not older is kept */
    bool has_max_bytes;
    uint64_t max_bytes; /* that all which are kept hold together */
    bool has_group_by;
    char *group_by;                /* a label: each value of it is thinned by itself */
    struct snapshot_filter filter; /* what is not meant is let be */
};

/* Why a snapshot is kept, or dropped. */
enum retention_reason {
    REASON_LAST, /* these are rules, in their order */
    REASON_HOURLY,
    REASON_DAILY,
    REASON_WEEKLY,
    REASON_MONTHLY,
    REASON_YEARLY,
    REASON_WITHIN,
    REASON_FITS,    /* no rule says what to keep, and it is not too much */
    REASON_HELD,    /* this and those below are never dropped */
    REASON_FUTURE,  /* created later than now */
    REASON_UNDATED, /* created at a time that no calendar has */
    REASON_INCOMPLETE,
    REASON_DAMAGED,
    REASON_NO_RULE,   /* dropped: nothing keeps it */
    REASON_MAX_BYTES, /* dropped: with it they would hold too much */
    REASON__COUNT
};

/* A snapshot as retention sees it, what it decides, and what comes of that. */
struct retention_item {
    const char *id;
    const char *group; /* the value of the label; NULL if it has none */
    enum snapshot_status status;
    bool held;
    struct timestamp created_at;
    uint64_t bytes;           /* that it holds */
    unsigned char digest[32]; /* of its document */
    bool is_dropped;
    unsigned reasons;        /* 1 << enum retention_reason, at least one of them */
    uint64_t frees_bytes;    /* at least, when it is dropped with all others that are */
    enum error_code failure; /* it was to be dropped, and could not be */
    char *detail;            /* of the failure; owned */
};

/* What a policy comes to: all snapshots that it is about, newest first. */
struct retention_plan {
    struct retention_item *items;
    size_t count, cap;
    struct text names;    /* in which the items' strings lie */
    struct timestamp now; /* of which it tells what is future, and what is old */
    size_t drop_count;
    uint64_t kept_bytes;  /* that those kept hold */
    uint64_t frees_bytes; /* that dropping the others frees, at least */
};

/* By what a plan is known again: it says what was asked for, and what came of it. */
struct retention_ticket {
    struct retention_policy policy;
    struct timestamp now;
    char set_sha256[SHA256_HEX_SIZE]; /* of all snapshots, and what was decided of them */
};

/* What a restoring VM will be like; members not given are not checked. */
struct expectation {
    bool has_architecture, has_memory_size, has_vp_count, has_page_size, has_state_units;
    struct text architecture;
    uint64_t memory_size_bytes;
    uint32_t vp_count;
    uint32_t page_size;
    struct text *state_units; /* unit names, may hold U+0000 */
    size_t state_unit_count;
};

/* What an expectation can miss, in OpenVMM's order. */
enum expect_field {
    EXPECT_MANIFEST, /* that there is one; a snapshot without is asked nothing through the API */
    EXPECT_VERSION,
    EXPECT_ARCHITECTURE,
    EXPECT_MEMORY_SIZE,
    EXPECT_VP_COUNT,
    EXPECT_PAGE_SIZE,
    EXPECT_MEMORY,
    EXPECT_STATE,
    EXPECT__COUNT
};

/* One way in which a snapshot is not what was expected. A side that has no value is null. */
struct mismatch {
    enum expect_field field;
    bool is_text; /* the values are strings, else numbers */
    bool has_expected, has_actual;
    struct text expected_text, actual_text;
    uint64_t expected_number, actual_number;
    struct text message; /* OpenVMM's own words */
};

struct verdict {
    struct mismatch *mismatches;
    size_t mismatch_count;
    struct text *warnings;
    size_t warning_count;
    bool unchecked[EXPECT__COUNT]; /* no expectation was given */
};

/* A directory, wherever it is, and why OpenVMM would not restore from it. */
struct inspection {
    struct snapshot snapshot;
    bool has_units;
    struct state_units units;
    struct text *reasons; /* none: it would, on the VM that the manifest describes */
    size_t reason_count;
};

void manifest_clear(struct manifest *manifest);
/* False without memory: `to` is cleared then. So are the copies below. */
bool manifest_copy(struct manifest *to, const struct manifest *from);
void state_units_clear(struct state_units *units);
void strings_clear(struct strings *strings);
bool strings_copy(struct strings *to, const struct strings *from);
void labels_clear(struct labels *labels);
bool labels_copy(struct labels *to, const struct labels *from);
bool labels_equal(const struct labels *a, const struct labels *b);
void creation_clear(struct creation *creation);
void patch_clear(struct patch *patch);
void record_clear(struct record *record);
void snapshot_clear(struct snapshot *snapshot);
void snapshot_filter_clear(struct snapshot_filter *filter);
void snapshot_page_clear(struct snapshot_page *page);
void retention_policy_clear(struct retention_policy *policy);
void retention_plan_clear(struct retention_plan *plan);
void retention_ticket_clear(struct retention_ticket *ticket);
void expectation_clear(struct expectation *expectation);
void verdict_clear(struct verdict *verdict);
void inspection_clear(struct inspection *inspection);

/* Less than, equal to or greater than 0, as `a` is earlier than, the same as or later than `b`. */
int timestamp_compare(struct timestamp a, struct timestamp b);

/* Whether any rule says what to keep; max_bytes is none. */
bool retention_policy_has_rules(const struct retention_policy *policy);

/* Spellings, as in documents. capture_name(CAPTURE_UNKNOWN) is NULL. */
const char *capture_name(enum capture capture);
enum capture capture_of_name(const char *name); /* CAPTURE_UNKNOWN if it is none */
const char *snapshot_status_name(enum snapshot_status status);
enum snapshot_status snapshot_status_of_name(const char *name); /* SNAPSHOT__COUNT for none */
const char *writer_name(enum writer writer);
const char *snapshot_sort_name(enum snapshot_sort sort);
enum snapshot_sort snapshot_sort_of_name(const char *name); /* SORT__COUNT if it is none */
const char *expect_field_name(enum expect_field field);

#define MODEL_OWN(type)                                 \
    static inline void type##_clear_p(struct type *one) \
    {                                                   \
        type##_clear(one);                              \
    }
MODEL_OWN(manifest)
MODEL_OWN(state_units)
MODEL_OWN(strings)
MODEL_OWN(labels)
MODEL_OWN(creation)
MODEL_OWN(patch)
MODEL_OWN(record)
MODEL_OWN(snapshot)
MODEL_OWN(snapshot_filter)
MODEL_OWN(snapshot_page)
MODEL_OWN(retention_policy)
MODEL_OWN(retention_plan)
MODEL_OWN(retention_ticket)
MODEL_OWN(expectation)
MODEL_OWN(verdict)
MODEL_OWN(inspection)
#undef MODEL_OWN

#define auto_manifest         AUTO(manifest_clear)
#define auto_state_units      AUTO(state_units_clear)
#define auto_strings          AUTO(strings_clear)
#define auto_labels           AUTO(labels_clear)
#define auto_creation         AUTO(creation_clear)
#define auto_patch            AUTO(patch_clear)
#define auto_record           AUTO(record_clear)
#define auto_snapshot         AUTO(snapshot_clear)
#define auto_snapshot_filter  AUTO(snapshot_filter_clear)
#define auto_snapshot_page    AUTO(snapshot_page_clear)
#define auto_retention_policy AUTO(retention_policy_clear)
#define auto_retention_plan   AUTO(retention_plan_clear)
#define auto_retention_ticket AUTO(retention_ticket_clear)
#define auto_expectation      AUTO(expectation_clear)
#define auto_verdict          AUTO(verdict_clear)
#define auto_inspection       AUTO(inspection_clear)
