#include <stdio.h>

#include "service/catalog_db.h"

/* A page ends early when its documents come to this much. */
#define PAGE_BYTES_MAX ((size_t)4 << 20)

static bool add_row(sqlite3_stmt *rows, struct snapshot_page *page)
{
    struct listed *item = &page->items[page->count++];
    const char *id = (const char *)sqlite3_column_text(rows, 0);
    const char *json = (const char *)sqlite3_column_text(rows, 1);

    snprintf(item->id, sizeof item->id, "%s", id ? id : "");
    return id && json && text_append(&item->json, json, (size_t)sqlite3_column_bytes(rows, 1));
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

static int query(sqlite3 *handle, const struct snapshot_query *query, struct snapshot_page *page)
{
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(handle,
                                  "SELECT id, json FROM snapshot JOIN document USING (number)"
                                  " WHERE id > ?1 ORDER BY id LIMIT ?2",
                                  -1, &rows, NULL);

    if (code == SQLITE_OK) {
        sqlite3_bind_text(rows, 1, query->after, -1, SQLITE_STATIC);
        sqlite3_bind_int64(rows, 2, (int64_t)query->limit + 1);
        code = read_rows(rows, query->limit, page);
    }
    sqlite3_finalize(rows);
    return code;
}

/* False also, without an error, where the catalogue failed: it is being mended then. */
static bool ask(struct catalog *catalog, const struct snapshot_query *wanted,
                struct snapshot_page *page, struct error *err)
{
    if (!catalog_lock(catalog, err))
        return false;
    int code = query(catalog->database.handle, wanted, page);
    bool is_read = code != SQLITE_NOMEM && catalog_check(catalog, code);
    pthread_mutex_unlock(&catalog->mutex);
    return is_read || (code == SQLITE_NOMEM && error_memory(err));
}

bool catalog_query(struct catalog *catalog, const struct snapshot_query *wanted,
                   struct snapshot_page *out, struct error *err)
{
    auto_snapshot_page struct snapshot_page page = {0};
    bool is_read;

    err->code = ERR_NONE;
    do {
        snapshot_page_clear(&page);
        page.items = calloc(wanted->limit, sizeof *page.items);
        if (!page.items)
            return error_memory(err);
        is_read = ask(catalog, wanted, &page, err);
    } while (!is_read && err->code == ERR_NONE);
    if (is_read)
        *out = TAKE_AS(page, (struct snapshot_page){0});
    return is_read;
}
