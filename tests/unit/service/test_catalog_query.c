/* Lists against a model that filters and sorts by hand. */
#include <stdio.h>

#include "codec/page.h"
#include "service/catalog_db.h"
#include "tests/check.h"
#include "tests/random.h"
#include "tests/store_fixture.h"

#define ENTRIES_MAX 300
#define LABELS_EACH 3

static const char *const keys[] = {"vm", "tier", "Owner"};
/* The last two have the same mark: see service/catalog_index.c. */
static const char *const values[] = {"web-1", "web-10", "DB", "", "\xc3\x84rger \"x\" 100%_*",
                                     "v15561", "v1674710"};

/* What the model knows of a snapshot. */
struct entry {
    char id[40];
    bool exists, has_manifest, held;
    enum snapshot_status status;
    struct timestamp created_at;
    uint64_t memory;
    const char *architecture, *version;
    const char *labels[LABELS_EACH]; /* the value of each key, or NULL */
    unsigned changed;                /* the step in which it last changed */
};

struct model {
    struct catalog *catalog;
    uint64_t random;
    struct entry entries[ENTRIES_MAX];
    unsigned step;
};

#define CHOOSE(model, list) (list)[random_below(&(model)->random, sizeof(list) / sizeof *(list))]

static const char *const architectures[] = {"x86_64", "x86_64", "aarch64", ""};
static const char *const versions[] = {"0.0.0", "1.2.3", "v15561", "v1674710"};
static const int64_t seconds[] = {INT64_MIN, -1, 0, 1700000000, 1700000001, INT64_MAX};
static const int32_t nanos[] = {-5, 0, 0, 999999999};
static const uint64_t memories[] = {0, 4096, UINT64_C(1) << 30, INT64_MAX,
                                    UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};

static void note(struct model *model, const struct entry *entry)
{
    struct label labels[LABELS_EACH];
    size_t count = 0;
    const struct sighting seen = {.inode = 1, .fingerprint = model->step + 1};

    for (size_t i = 0; i < LABELS_EACH; i++)
        if (entry->labels[i])
            labels[count++] = (struct label){(char *)keys[i], (char *)entry->labels[i]};
    const struct snapshot snapshot = {
        .id = (char *)entry->id,
        .path = (char *)"/p",
        .status = entry->status,
        .has_manifest = entry->has_manifest,
        .manifest = {.created_at = entry->created_at,
                     .memory_size_bytes = entry->memory,
                     .architecture = {.data = (char *)entry->architecture,
                                      .len = strlen(entry->architecture)},
                     .openvmm_version = {.data = (char *)entry->version,
                                         .len = strlen(entry->version)}},
        .has_record = true,
        .record = {.held = entry->held, .labels = {labels, count}},
    };
    catalog_note(model->catalog, &snapshot, &seen, CAUSE_FOUND);
}

static void change_one(struct model *model)
{
    struct entry *entry = &model->entries[random_below(&model->random, ENTRIES_MAX)];

    model->step++;
    if (entry->exists && random_below(&model->random, 3) == 0) {
        entry->exists = false;
        catalog_remove(model->catalog, entry->id, CAUSE_FOUND);
        return;
    }
    entry->exists = true;
    entry->has_manifest = random_below(&model->random, 8) != 0;
    entry->held = random_below(&model->random, 10) == 0;
    entry->status = (enum snapshot_status)(random_below(&model->random, 12) % 10 % SNAPSHOT__COUNT);
    entry->created_at = (struct timestamp){CHOOSE(model, seconds), CHOOSE(model, nanos)};
    entry->memory = CHOOSE(model, memories);
    entry->architecture = CHOOSE(model, architectures);
    entry->version = CHOOSE(model, versions);
    for (size_t i = 0; i < LABELS_EACH; i++)
        entry->labels[i] = random_below(&model->random, 3) ? CHOOSE(model, values) : NULL;
    entry->changed = model->step;
    note(model, entry);
}

/* ---- the model of a filter and an order ---- */

static int compare_times(struct timestamp a, struct timestamp b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? -1 : 1;
    return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const struct entry *a, const struct entry *b, const struct snapshot_query *query)
{
    int order = 0;

    if (query->sort == SORT_CREATED_AT)
        order = a->has_manifest - b->has_manifest;
    if (order == 0 && a->has_manifest && query->sort == SORT_CREATED_AT)
        order = compare_times(a->created_at, b->created_at);
    if (query->sort == SORT_MEMORY_SIZE)
        order = compare_numbers(a->has_manifest ? a->memory : 0, b->has_manifest ? b->memory : 0);
    if (order == 0)
        order = strcmp(a->id, b->id);
    return query->is_descending ? -order : order;
}

static bool has_label(const struct entry *entry, const struct label *wanted)
{
    for (size_t i = 0; i < LABELS_EACH; i++)
        if (entry->labels[i] && strcmp(keys[i], wanted->key) == 0)
            return !wanted->value || strcmp(entry->labels[i], wanted->value) == 0;
    return false;
}

static bool has_part(const struct entry *entry, const char *part)
{
    if (strcasestr(entry->id, part))
        return true;
    for (size_t i = 0; i < LABELS_EACH; i++) {
        auto_text struct text label = {0};
        if (entry->labels[i] && text_appendf(&label, "%s:%s", keys[i], entry->labels[i])
            && strcasestr(label.data, part))
            return true;
    }
    return false;
}

static bool is_in_range(const struct entry *entry, const struct snapshot_filter *filter)
{
    bool wants = filter->has_created_after || filter->has_created_before || filter->has_memory_min
        || filter->has_memory_max || filter->has_architecture || filter->has_openvmm_version;

    if (!wants || !entry->has_manifest)
        return !wants;
    return (!filter->has_architecture || strcmp(entry->architecture, filter->architecture) == 0)
        && (!filter->has_openvmm_version || strcmp(entry->version, filter->openvmm_version) == 0)
        && (!filter->has_created_after
            || compare_times(entry->created_at, filter->created_after) >= 0)
        && (!filter->has_created_before
            || compare_times(entry->created_at, filter->created_before) < 0)
        && (!filter->has_memory_min || entry->memory >= filter->memory_min)
        && (!filter->has_memory_max || entry->memory <= filter->memory_max);
}

static bool is_meant(const struct entry *entry, const struct snapshot_filter *filter)
{
    if (!entry->exists || (filter->has_status && entry->status != filter->status)
        || (filter->has_held && entry->held != filter->held) || !is_in_range(entry, filter)
        || (filter->has_part && !has_part(entry, filter->part)))
        return false;
    for (size_t i = 0; i < filter->labels.count; i++)
        if (!has_label(entry, &filter->labels.items[i]))
            return false;
    return true;
}

/* ---- queries at random ---- */

static const char *const parts[] = {"web", "WEB-1", "vm:", "db", "s-", "1", "\xc3\x84rg", "\"x\"",
                                    "0%_", "100", "zzz", "q", "Owner:DB", "er \"x\" 1",
                                    "*", "_*", "\xc3\x84", "b", "wn", "zq"};

static void choose_filter(struct model *model, struct snapshot_filter *out,
                          struct label labels[LABELS_EACH])
{
    unsigned which = random_below(&model->random, 1024);

    *out = (struct snapshot_filter){
        .has_status = which % 4 == 1,
        .status = (enum snapshot_status)random_below(&model->random, SNAPSHOT__COUNT),
        .has_held = which / 4 % 5 == 1,
        .held = random_below(&model->random, 2),
        .has_architecture = which / 8 % 5 == 1,
        .architecture = (char *)CHOOSE(model, architectures),
        .has_openvmm_version = which / 16 % 5 == 1,
        .openvmm_version = (char *)CHOOSE(model, versions),
        .has_created_after = which / 32 % 4 == 1,
        .created_after = {CHOOSE(model, seconds),       CHOOSE(model, nanos)},
        .has_created_before = which / 64 % 4 == 1,
        .created_before = {CHOOSE(model,      seconds),                    CHOOSE(model, nanos)},
        .has_memory_min = which / 128 % 4 == 1,
        .memory_min = CHOOSE(model, memories),
        .has_memory_max = random_below(&model->random, 6) == 0,
        .memory_max = CHOOSE(model, memories),
        .has_part = random_below(&model->random, 4) == 0,
        .part = (char *)CHOOSE(model, parts),
        .labels = {labels,(size_t)which / 256 % LABELS_EACH},
    };
    for (size_t i = 0; i < out->labels.count; i++)
        labels[i] = (struct label){(char *)CHOOSE(model, keys),
                                   random_below(&model->random, 4) ? (char *)CHOOSE(model, values)
                                                                   : NULL};
}

static struct entry *find(struct model *model, const char *id)
{
    size_t i = 0;

    while (i < ENTRIES_MAX - 1 && strcmp(model->entries[i].id, id) != 0)
        i++;
    assert_string_equal(model->entries[i].id, id);
    return &model->entries[i];
}

static uint64_t count_meant(const struct model *model, const struct snapshot_filter *filter)
{
    uint64_t count = 0;

    for (size_t i = 0; i < ENTRIES_MAX; i++)
        count += is_meant(&model->entries[i], filter);
    return count;
}

/* A page, as it must be at this moment. */
static void check_page(struct model *model, const struct snapshot_query *query,
                       const struct snapshot_page *page)
{
    assert_true(page->count <= query->limit);
    assert_int_equal(page->has_total, query->wants_total);
    if (page->has_total)
        assert_int_equal(page->total, count_meant(model, &query->filter));
    for (size_t i = 0; i < page->count; i++) {
        const struct entry *entry = find(model, page->items[i].id);
        assert_true(is_meant(entry, &query->filter));
        if (i > 0)
            assert_true(compare(find(model, page->items[i - 1].id), entry, query) < 0);
    }
}

/* As a client leads it on: through the text of a cursor. */
static void follow(struct snapshot_query *query, const struct snapshot_key *last)
{
    auto_text struct text cursor = {0};
    struct error err;

    assert_succeeds(cursor_encode(query, last, &cursor, &err));
    assert_succeeds(cursor_decode(cursor.data, query, &err));
}

/* Reads the next page and counts what it meets; false if it is the last. */
static bool read_page(struct model *model, struct snapshot_query *query, unsigned *seen)
{
    auto_snapshot_page struct snapshot_page page = {0};
    struct error err;

    assert_succeeds(catalog_query(model->catalog, query, &page, &err));
    check_page(model, query, &page);
    for (size_t i = 0; i < page.count; i++)
        seen[find(model, page.items[i].id) - model->entries]++;
    if (page.more)
        follow(query, &page.last);
    return page.more;
}

/* Leafs through a list while it changes: what stood still comes once, if it is meant. */
static void leaf_through(struct model *model, struct snapshot_query *query, unsigned changes)
{
    const unsigned begun = model->step;
    unsigned seen[ENTRIES_MAX] = {0};

    while (read_page(model, query, seen))
        for (unsigned i = random_below(&model->random, changes + 1); i > 0; i--)
            change_one(model);
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        const struct entry *entry = &model->entries[i];
        if (entry->exists && entry->changed <= begun)
            assert_int_equal(seen[i], is_meant(entry, &query->filter));
    }
}

static void leaf_through_some(struct model *model, unsigned lists, unsigned changes)
{
    struct label labels[LABELS_EACH];

    for (unsigned i = 0; i < lists; i++) {
        struct snapshot_query query = {
            .sort = (enum snapshot_sort)random_below(&model->random, SORT__COUNT),
            .is_descending = random_below(&model->random, 2),
            .limit = 1 + random_below(&model->random, 40),
            .wants_total = random_below(&model->random, 2),
        };
        choose_filter(model, &query.filter, labels);
        leaf_through(model, &query, i % 2 ? changes : 0);
    }
}

/* Of the same database, by what is in there alone. */
static void check_loaded(const struct fixture *fixture, struct model *model)
{
    struct service *service = fixture->service;
    struct error err;

    catalog_commit(model->catalog);
    auto_catalog struct catalog *loaded =
        catalog_open(service->store, service->metrics, service->events, &err);
    assert_non_null(loaded);
    catalog_completed(loaded);
    model->catalog = loaded;
    leaf_through_some(model, 200, 0);
}

static void every_list_is_what_the_model_says(void **state)
{
    static struct model model;
    struct fixture *fixture = *state;

    fixture_hush(fixture); /* nothing is on disk: the catalogue is to believe what it is told */
    model = (struct model){.catalog = fixture->service->catalog, .random = random_seed()};
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        snprintf(model.entries[i].id, sizeof model.entries[i].id, "%s%zx",
                 i % 3 ? "s-" : "Web", i * 2654435761u % 65536);
    for (unsigned i = 0; i < 2 * ENTRIES_MAX; i++)
        change_one(&model);
    leaf_through_some(&model, 1500, 5);
    check_loaded(fixture, &model);
}

static size_t count_listed(struct catalog *catalog, const struct snapshot_filter *filter)
{
    auto_snapshot_page struct snapshot_page page = {0};
    const struct snapshot_query query = {.filter = *filter, .limit = 1};
    struct error err;

    assert_succeeds(catalog_query(catalog, &query, &page, &err));
    return page.count;
}

/* A protobuf's strings may. */
static void what_holds_a_nul_is_not_what_comes_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct catalog *catalog = fixture->service->catalog;
    const struct sighting seen = {.inode = 1, .fingerprint = 1};
    const struct text both = {.data = (char *)"x86\0_64", .len = sizeof "x86\0_64" - 1};
    const struct snapshot snapshot = {
        .id = (char *)"s",
        .path = (char *)"/p",
        .has_manifest = true,
        .manifest = {.architecture = both, .openvmm_version = both},
    };
    const struct snapshot_filter any = {0};
    const struct snapshot_filter by_architecture = {.has_architecture = true,
                                                    .architecture = both.data};
    const struct snapshot_filter by_version = {.has_openvmm_version = true,
                                               .openvmm_version = both.data};

    fixture_hush(fixture);
    catalog_note(catalog, &snapshot, &seen, CAUSE_FOUND);
    assert_int_equal(count_listed(catalog, &any), 1);
    assert_int_equal(count_listed(catalog, &by_architecture), 0);
    assert_int_equal(count_listed(catalog, &by_version), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_list_is_what_the_model_says, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_holds_a_nul_is_not_what_comes_before_it,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
