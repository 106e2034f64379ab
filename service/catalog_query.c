/* Lists, in SQL.
 *
 * Pages are told apart by where their first entry stands, never by how many come before it. A list
 * is either walked in its order, by an index that has it, until the page is full; or, where one
 * part of the filter means but few snapshots, those few are looked up and sorted. Which of the two
 * is decided by counting how many each part means, as far as they are few. */
#include <assert.h>
#include <stdio.h>

#include "service/catalog_db.h"

/* A page ends early when its documents come to this much. */
#define PAGE_BYTES_MAX ((size_t)4 << 20)

/* The index of words knows them by their trigrams. What is shorter is found by those trigrams that
 * begin with it, of which every word has one: see list_words() in catalog.c. */
#define WORD_MIN 3 /* characters */

/* SQL in the making, and the values of its parameters, which are borrowed. */
struct sql {
    struct text text;
    size_t count;
    struct {
        const char *text; /* or NULL, and a number */
        int64_t number;
    } values[64];
};

static inline void sql_clear_p(struct sql *sql)
{
    text_clear(&sql->text);
}
#define auto_sql AUTO(sql_clear)

static void add(struct sql *sql, const char *text)
{
    text_appends(&sql->text, text);
}

static void add_number(struct sql *sql, const char *text, int64_t value)
{
    assert(sql->count < sizeof sql->values / sizeof sql->values[0]);
    add(sql, text);
    sql->values[sql->count].text = NULL;
    sql->values[sql->count++].number = value;
}

static void add_text(struct sql *sql, const char *text, const char *value)
{
    add_number(sql, text, 0);
    sql->values[sql->count - 1].text = value;
}

static int prepare(const struct sql *sql, sqlite3 *handle, sqlite3_stmt **out)
{
    if (text_failed(&sql->text))
        return SQLITE_NOMEM;
    int code = sqlite3_prepare_v2(handle, sql->text.data, -1, out, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < sql->count; i++)
        code = sql->values[i].text
            ? sqlite3_bind_text(*out, (int)i + 1, sql->values[i].text, -1, SQLITE_STATIC)
            : sqlite3_bind_int64(*out, (int)i + 1, sql->values[i].number);
    return code;
}

/* What a query needs of its filter in another form. */
struct listing {
    const struct snapshot_query *query;
    uint64_t few;      /* how many are too many to be sorted */
    char *part;        /* in lower case */
    struct text match; /* of the index of words, where the part is long enough; else */
    struct text end;   /* what comes behind all trigrams that begin with the part */
};

static const char *const walks[] = {
    [SORT_ID] = "snapshot AS s INDEXED BY by_id",
    [SORT_CREATED_AT] = "snapshot AS s INDEXED BY by_created",
    [SORT_MEMORY_SIZE] = "snapshot AS s INDEXED BY by_memory",
};

static void add_order(struct sql *sql, const struct snapshot_query *query)
{
    static const char *const rising[] = {
        [SORT_ID] = " ORDER BY id",
        [SORT_CREATED_AT] = " ORDER BY created_s, created_ns, id",
        [SORT_MEMORY_SIZE] = " ORDER BY memory, id",
    };
    static const char *const falling[] = {
        [SORT_ID] = " ORDER BY id DESC",
        [SORT_CREATED_AT] = " ORDER BY created_s DESC, created_ns DESC, id DESC",
        [SORT_MEMORY_SIZE] = " ORDER BY memory DESC, id DESC",
    };

    add(sql, (query->is_descending ? falling : rising)[query->sort]);
}

static void add_after(struct sql *sql, const struct snapshot_query *query)
{
    static const char *const keys[] = {
        [SORT_ID] = " AND id",
        [SORT_CREATED_AT] = " AND (created_s, created_ns, id)",
        [SORT_MEMORY_SIZE] = " AND (memory, id)",
    };
    const struct snapshot_key *after = &query->after;

    if (!query->has_after)
        return;
    add(sql, keys[query->sort]);
    add(sql, query->is_descending ? " < (" : " > (");
    if (query->sort != SORT_ID)
        add_number(sql, "?, ", after->major);
    if (query->sort == SORT_CREATED_AT)
        add_number(sql, "?, ", after->minor);
    add_text(sql, "?)", after->id);
}

/* As the catalogue has it: moved by 2^63. */
static int64_t memory_of(uint64_t bytes)
{
    return (int64_t)(bytes ^ UINT64_C(1) << 63);
}

static void add_created(struct sql *sql, const struct snapshot_filter *filter)
{
    if (filter->has_created_after) {
        add_number(sql, " AND (created_s, created_ns) >= (?", filter->created_after.seconds);
        add_number(sql, ", ?)", filter->created_after.nanos);
    }
    if (filter->has_created_before) {
        add_number(sql, " AND (created_s, created_ns) < (?", filter->created_before.seconds);
        add_number(sql, ", ?) AND architecture IS NOT NULL", filter->created_before.nanos);
    }
}

static void add_memory(struct sql *sql, const struct snapshot_filter *filter)
{
    if (filter->has_memory_min)
        add_number(sql, " AND memory >= ? AND architecture IS NOT NULL",
                   memory_of(filter->memory_min));
    if (filter->has_memory_max)
        add_number(sql, " AND memory <= ? AND architecture IS NOT NULL",
                   memory_of(filter->memory_max));
}

static void add_label(struct sql *sql, const struct label *label)
{
    add_text(sql, " AND key = ?", label->key);
    if (label->value)
        add_text(sql, " AND value = ?", label->value);
}

/* A key alone means so many labels that an entry's own are looked at, which are few. */
static void add_labelled(struct sql *sql, const struct label *label)
{
    add(sql, " AND EXISTS (SELECT 1 FROM label AS l");
    add(sql, label->value ? "" : " INDEXED BY label_of");
    add(sql, " WHERE l.number = s.number");
    add_label(sql, label);
    add(sql, ")");
}

/* All of the filter, as conditions of an entry. */
static void add_filter(struct sql *sql, const struct listing *listing)
{
    const struct snapshot_filter *filter = &listing->query->filter;

    add(sql, " WHERE 1");
    if (filter->has_status)
        add_number(sql, " AND +status = ?", filter->status);
    if (filter->has_held)
        add_number(sql, " AND +held = ?", filter->held);
    if (filter->has_architecture)
        add_text(sql, " AND +architecture = ?", filter->architecture);
    if (filter->has_openvmm_version)
        add_text(sql, " AND +openvmm_version = ?", filter->openvmm_version);
    add_created(sql, filter);
    add_memory(sql, filter);
    for (size_t i = 0; i < filter->labels.count; i++)
        add_labelled(sql, &filter->labels.items[i]);
    if (filter->has_part)
        add_text(sql, " AND instr(words, ?)", listing->part);
}

/* Parts of a filter that may mean few; labels come behind them. */
enum lead {
    LEAD_HELD,
    LEAD_STATUS,
    LEAD_ARCHITECTURE,
    LEAD_VERSION,
    LEAD_CREATED,
    LEAD_MEMORY,
    LEAD_WORD,
    LEAD_PIECE,
    LEAD_LABEL,
};

/* Entries that this part means: a table, and the conditions that make it few; false if the part
 * was not given, or leads nowhere. */
static bool begin_lead(struct sql *sql, const struct listing *listing, size_t lead)
{
    const struct snapshot_filter *filter = &listing->query->filter;

    switch (lead) {
    case LEAD_HELD:
        add(sql, "snapshot INDEXED BY by_held WHERE held <> 0");
        return filter->has_held && filter->held;
    case LEAD_STATUS:
        add_number(sql, "snapshot INDEXED BY by_status WHERE status <> 0 AND status = ?",
                   filter->status);
        return filter->has_status && filter->status != SNAPSHOT_READY;
    case LEAD_ARCHITECTURE:
        add_text(sql, "snapshot INDEXED BY by_architecture WHERE architecture = ?",
                 filter->architecture);
        return filter->has_architecture;
    case LEAD_VERSION:
        add_text(sql, "snapshot INDEXED BY by_version WHERE openvmm_version = ?",
                 filter->openvmm_version);
        return filter->has_openvmm_version;
    case LEAD_CREATED:
        add(sql, "snapshot INDEXED BY by_created WHERE 1");
        add_created(sql, filter);
        return filter->has_created_after || filter->has_created_before;
    case LEAD_MEMORY:
        add(sql, "snapshot INDEXED BY by_memory WHERE 1");
        add_memory(sql, filter);
        return filter->has_memory_min || filter->has_memory_max;
    case LEAD_WORD:
        add_text(sql, "word WHERE words MATCH ?", text_str(&listing->match));
        return listing->match.len > 0;
    case LEAD_PIECE:
        add_text(sql, "word_at WHERE term >= ?", listing->part);
        add_text(sql, " AND term < ?", text_str(&listing->end));
        return listing->end.len > 0;
    default:
        add(sql, "label WHERE 1");
        add_label(sql, &filter->labels.items[lead - LEAD_LABEL]);
        return true;
    }
}

/* Where such a table has the number of an entry. */
static const char *number_of(size_t lead)
{
    switch (lead) {
    case LEAD_WORD:
        return "rowid";
    case LEAD_PIECE:
        return "DISTINCT doc"; /* once for each place in it */
    default:
        return "number";
    }
}

/* Runs a query of one number. */
static int ask_number(sqlite3 *handle, const struct sql *sql, uint64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int code = prepare(sql, handle, &statement);

    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code;
}

/* How many the part means, but not beyond what is few. */
static int count_lead(sqlite3 *handle, const struct listing *listing, size_t lead, uint64_t *count)
{
    auto_sql struct sql sql = {0};

    *count = listing->few;
    add(&sql, "SELECT count(*) FROM (SELECT 1 FROM ");
    if (!begin_lead(&sql, listing, lead))
        return SQLITE_ROW;
    add_number(&sql, " LIMIT ?)", (int64_t)listing->few);
    return ask_number(handle, &sql, count);
}

/* The part that means the fewest; `*lead` is SIZE_MAX if none means few. */
static int choose_lead(sqlite3 *handle, const struct listing *listing, size_t *lead)
{
    size_t count = LEAD_LABEL + listing->query->filter.labels.count;
    uint64_t fewest = listing->few;
    int code = SQLITE_ROW;

    *lead = SIZE_MAX;
    for (size_t i = 0; code == SQLITE_ROW && i < count; i++) {
        uint64_t found;
        code = count_lead(handle, listing, i, &found);
        if (code == SQLITE_ROW && found < fewest) {
            fewest = found;
            *lead = i;
        }
    }
    return code;
}

/* "FROM … WHERE …" of all that the filter means. */
static void add_source(struct sql *sql, const struct listing *listing, size_t lead)
{
    add(sql, " FROM ");
    if (lead == SIZE_MAX) {
        add(sql, walks[listing->query->sort]);
    } else {
        text_appendf(&sql->text, "(SELECT %s AS few FROM ", number_of(lead));
        begin_lead(sql, listing, lead);
        add(sql, ") CROSS JOIN snapshot AS s ON s.number = few");
    }
    add_filter(sql, listing);
}

#define FACTS "status, held, created_s, created_ns, allocated_bytes, state_bytes"

static bool read_label(sqlite3_stmt *row, struct listed *item)
{
    const char *label = (const char *)sqlite3_column_text(row, 10);

    item->label = label ? strdup(label) : NULL;
    return !label || item->label;
}

static void read_facts(sqlite3_stmt *row, struct listed *item)
{
    item->status = catalog_status(sqlite3_column_int(row, 4));
    item->held = sqlite3_column_int(row, 5);
    item->created_at.seconds = sqlite3_column_int64(row, 6);
    item->created_at.nanos = sqlite3_column_int(row, 7);
    if (__builtin_add_overflow((uint64_t)sqlite3_column_int64(row, 8),
                               (uint64_t)sqlite3_column_int64(row, 9), &item->bytes))
        item->bytes = UINT64_MAX;
}

static bool add_row(sqlite3_stmt *row, struct snapshot_page *page)
{
    struct listed *item = &page->items[page->count++];
    const char *id = (const char *)sqlite3_column_text(row, 0);
    const char *json = (const char *)sqlite3_column_text(row, 1);

    if (!id || !json || !text_append(&item->json, json, (size_t)sqlite3_column_bytes(row, 1))
        || !read_label(row, item))
        return false;
    snprintf(item->id, sizeof item->id, "%s", id);
    read_facts(row, item);
    snprintf(page->last.id, sizeof page->last.id, "%s", id);
    page->last.major = sqlite3_column_int64(row, 2);
    page->last.minor = sqlite3_column_int64(row, 3);
    return true;
}

/* One row more than the page has room for tells that there is more. */
static int read_rows(sqlite3_stmt *rows, size_t limit, struct snapshot_page *page)
{
    size_t bytes = 0;
    int code;

    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        page->more = page->count == limit || bytes >= PAGE_BYTES_MAX;
        if (page->more)
            return code;
        if (!add_row(rows, page))
            return SQLITE_NOMEM;
        bytes += page->items[page->count - 1].json.len;
    }
    return code;
}

/* Of those that are listed: the documents tell it sooner than the index of labels. */
static void add_label_value(struct sql *sql, const char *key)
{
    if (key)
        add_text(sql, ", json_extract(json, '$.labels.\"' || ? || '\"')", key);
    else
        add(sql, ", NULL");
}

/* Documents are read for the entries of the page alone. */
static int read_page(sqlite3 *handle, const struct listing *listing, size_t lead,
                     struct snapshot_page *page)
{
    static const char *const keys[] = {
        [SORT_ID] = "0, 0",
        [SORT_CREATED_AT] = "created_s, created_ns",
        [SORT_MEMORY_SIZE] = "memory, 0",
    };
    const struct snapshot_query *query = listing->query;
    auto_sql struct sql sql = {0};
    sqlite3_stmt *rows = NULL;

    text_appendf(&sql.text, "SELECT id, json, %s, " FACTS, keys[query->sort]);
    add_label_value(&sql, query->label);
    add(&sql, " FROM (SELECT s.*");
    add_source(&sql, listing, lead);
    add_after(&sql, query);
    add_order(&sql, query);
    add_number(&sql, " LIMIT ?) AS page CROSS JOIN document ON document.number = page.number",
               (int64_t)query->limit + 1);
    add_order(&sql, query);
    int code = prepare(&sql, handle, &rows);
    if (code == SQLITE_OK)
        code = read_rows(rows, query->limit, page);
    sqlite3_finalize(rows);
    return code;
}

static int count_all(sqlite3 *handle, const struct listing *listing, size_t lead, uint64_t *out)
{
    auto_sql struct sql sql = {0};

    add(&sql, "SELECT count(*)");
    add_source(&sql, listing, lead);
    return ask_number(handle, &sql, out);
}

static int query_list(sqlite3 *handle, const struct listing *listing, struct snapshot_page *page)
{
    size_t lead;
    int code = choose_lead(handle, listing, &lead);

    page->has_total = listing->query->wants_total;
    if (code == SQLITE_ROW && page->has_total)
        code = count_all(handle, listing, lead, &page->total);
    return code == SQLITE_ROW ? read_page(handle, listing, lead, page) : code;
}

enum snapshot_status catalog_status(int value)
{
    return value >= 0 && value < SNAPSHOT__COUNT ? (enum snapshot_status)value : SNAPSHOT_DAMAGED;
}

void catalog_fold(char *text)
{
    for (; text && *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

static size_t count_characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* A string of FTS5's: in quotes, with those in it doubled. */
static void quote(const char *part, struct text *out)
{
    text_appends(out, "\"");
    for (; *part; part++)
        text_append(out, *part == '"' ? "\"\"" : part, *part == '"' ? 2 : 1);
    text_appends(out, "\"");
}

static bool prepare_listing(struct listing *listing)
{
    const struct snapshot_filter *filter = &listing->query->filter;

    if (!filter->has_part)
        return true;
    listing->part = strdup(filter->part);
    catalog_fold(listing->part);
    if (!listing->part)
        return false;
    if (count_characters(listing->part) >= WORD_MIN)
        quote(listing->part, &listing->match);
    else
        text_appendf(&listing->end, "%s\xff", listing->part); /* no byte of UTF-8 is greater */
    return !text_failed(&listing->match) && !text_failed(&listing->end);
}

/* False without an error: the catalogue is being mended, and to be asked again. */
static bool ask(struct catalog *catalog, const struct listing *listing, struct snapshot_page *page,
                struct error *err)
{
    if (!catalog_lock(catalog, err))
        return false;
    int code = query_list(catalog->database.handle, listing, page);
    bool is_read = code == SQLITE_NOMEM || catalog_check(catalog, code);
    pthread_mutex_unlock(&catalog->mutex);
    return is_read && (code != SQLITE_NOMEM || error_memory(err));
}

static bool ask_until_answered(struct catalog *catalog, const struct listing *listing,
                               struct snapshot_page *out, struct error *err)
{
    auto_snapshot_page struct snapshot_page page = {0};
    bool is_read;

    err->code = ERR_NONE;
    do {
        snapshot_page_clear(&page);
        page.items = calloc(listing->query->limit, sizeof *page.items);
        if (!page.items)
            return error_memory(err);
        is_read = ask(catalog, listing, &page, err);
    } while (!is_read && err->code == ERR_NONE);
    if (is_read)
        *out = TAKE_AS(page, (struct snapshot_page){0});
    return is_read;
}

bool catalog_query(struct catalog *catalog, const struct snapshot_query *query,
                   struct snapshot_page *out, struct error *err)
{
    struct listing listing = {.query = query, .few = catalog->few};
    bool is_read = prepare_listing(&listing) ? ask_until_answered(catalog, &listing, out, err)
                                             : error_memory(err);

    free(listing.part);
    text_clear(&listing.match);
    text_clear(&listing.end);
    return is_read;
}
