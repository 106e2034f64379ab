/* Pages of lists: which entries they have is found in memory, their documents in the database. */
#include "service/catalog_db.h"

/* A page ends early when its documents come to this much. */
#define PAGE_BYTES_MAX ((size_t)4 << 20)

static int read_document(sqlite3_stmt *query, int64_t number, struct text *out)
{
    sqlite3_bind_int64(query, 1, number);
    int code = sqlite3_step(query);
    if (code == SQLITE_ROW
        && !text_append(out, sqlite3_column_text(query, 0), (size_t)sqlite3_column_bytes(query, 0)))
        code = SQLITE_NOMEM;
    sqlite3_reset(query);
    return code == SQLITE_DONE ? SQLITE_CORRUPT : code; /* each entry has one */
}

static int add_item(sqlite3_stmt *query, const struct index_entry *entry, const char *label,
                    struct snapshot_page *page)
{
    struct listed *item = &page->items[page->count++];

    return index_describe(entry, label, item)
        ? read_document(query, entry->number, &item->json)
        : SQLITE_NOMEM;
}

/* One entry more than the page has room for tells that there is more. */
static int read_page(sqlite3_stmt *document, const struct snapshot_query *query,
                     const struct index_entry *const *entries, size_t count,
                     struct snapshot_page *page)
{
    size_t bytes = 0;
    int code = SQLITE_ROW;

    while (code == SQLITE_ROW && page->count < count && page->count < query->limit
           && bytes < PAGE_BYTES_MAX) {
        code = add_item(document, entries[page->count], query->label, page);
        bytes += page->items[page->count - 1].json.len;
    }
    page->more = page->count < count;
    if (page->count > 0)
        index_key(entries[page->count - 1], query->sort, &page->last);
    return code;
}

static int list(struct catalog *catalog, const struct snapshot_query *query,
                const struct index_entry **entries, struct snapshot_page *page)
{
    size_t count;

    page->has_total = query->wants_total;
    if (!index_find(&catalog->index, query, entries, &count,
                    query->wants_total ? &page->total : NULL))
        return SQLITE_NOMEM;
    return read_page(catalog_statement(catalog, STATEMENT_DOCUMENT), query, entries, count, page);
}

/* False without an error: the catalogue is being mended, and to be asked again. */
static bool ask(struct catalog *catalog, const struct snapshot_query *query,
                const struct index_entry **entries, struct snapshot_page *page, struct error *err)
{
    if (!catalog_lock(catalog, err))
        return false;
    int code = list(catalog, query, entries, page);
    bool is_read = code == SQLITE_NOMEM || catalog_check(catalog, code);
    pthread_mutex_unlock(&catalog->mutex);
    return is_read && (code != SQLITE_NOMEM || error_memory(err));
}

bool catalog_query(struct catalog *catalog, const struct snapshot_query *query,
                   struct snapshot_page *out, struct error *err)
{
    auto_snapshot_page struct snapshot_page page = {0};
    auto_free const struct index_entry **entries =
        calloc(query->limit + 1, sizeof(struct index_entry *));
    bool is_read;

    err->code = ERR_NONE;
    do {
        snapshot_page_clear(&page);
        page.items = calloc(query->limit, sizeof *page.items);
        if (!entries || !page.items)
            return error_memory(err);
        is_read = ask(catalog, query, entries, &page, err);
    } while (!is_read && err->code == ERR_NONE);
    if (is_read)
        *out = TAKE_AS(page, (struct snapshot_page){0});
    return is_read;
}
