#include "service/catalog.h"

#include <stdio.h>

#include "codec/snapshot.h"
#include "service/catalog_db.h"

/* An entry as it is in the database; `json` is good until its statement is reset. */
struct found {
    int64_t number;
    struct sighting seen;
    enum snapshot_status status;
    uint64_t bytes[FILE__COUNT];
    const char *json;
    size_t json_len;
};

/* An entry as it is to be. */
struct fresh {
    const struct snapshot *snapshot;
    const struct sighting *seen;
    struct text json;
    struct text labels;        /* packed */
    struct index_row row;      /* borrows from all that is above */
    struct index_entry *entry; /* NULL once it is in the index */
};

/* SQLITE_ROW with what was found, SQLITE_DONE if there is none. `find` is to be reset. */
static int find(sqlite3_stmt *find, const char *id, struct found *out)
{
    sqlite3_bind_text(find, 1, id, -1, SQLITE_STATIC);
    int code = sqlite3_step(find);
    if (code != SQLITE_ROW)
        return code;
    *out = (struct found){
        .number = sqlite3_column_int64(find, 0),
        .seen = {.inode = (uint64_t)sqlite3_column_int64(find, 1),
                 .fingerprint = (uint64_t)sqlite3_column_int64(find, 2),
                 .allocated_bytes = (uint64_t)sqlite3_column_int64(find, 6)},
        .status = catalog_status(sqlite3_column_int(find, 3)),
        .json = (const char *)sqlite3_column_text(find, 7),
        .json_len = (size_t)sqlite3_column_bytes(find, 7),
    };
    out->bytes[FILE_MEMORY] = (uint64_t)sqlite3_column_int64(find, 4);
    out->bytes[FILE_STATE] = (uint64_t)sqlite3_column_int64(find, 5);
    return out->json ? code : SQLITE_NOMEM;
}

/* Of what is recorded alone. */
static bool render(const struct snapshot *snapshot, struct text *out)
{
    struct snapshot plain = *snapshot;
    struct error ignored;

    plain.has_live = false;
    plain.linked_to = NULL;
    return snapshot_to_json(&plain, out, &ignored);
}

static bool pack_labels(const struct snapshot *snapshot, struct text *out)
{
    const struct labels *labels = &snapshot->record.labels; /* empty where there is no record */

    for (size_t i = 0; i < labels->count; i++)
        index_pack_label(out, &labels->items[i]);
    return !text_failed(out);
}

/* What has no manifest comes before all that has. */
static struct index_row row_of(const struct fresh *fresh)
{
    const struct snapshot *snapshot = fresh->snapshot;
    const struct manifest *manifest = &snapshot->manifest;
    struct index_row row = {
        .id = snapshot->id,
        .status = snapshot->status,
        .held = snapshot->has_record && snapshot->record.held,
        .created_at = {INT64_MIN, INT32_MIN},
        .memory = INT64_MIN,
        .labels = fresh->labels,
        .state_bytes = snapshot->state_size_bytes,
        .seen = *fresh->seen,
    };

    if (snapshot->has_manifest) {
        row.has_manifest = true;
        row.created_at = manifest->created_at;
        row.memory = index_memory(manifest->memory_size_bytes);
        row.architecture = manifest->architecture;
        row.openvmm_version = manifest->openvmm_version;
    }
    return row;
}

static void bind_text(sqlite3_stmt *statement, int place, bool has, const struct text *text)
{
    if (has)
        sqlite3_bind_text(statement, place, text_str(text), (int)text->len, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, place);
}

static bool prepare(struct fresh *fresh)
{
    if (!render(fresh->snapshot, &fresh->json) || !pack_labels(fresh->snapshot, &fresh->labels))
        return false;
    fresh->row = row_of(fresh);
    fresh->entry = index_make(&fresh->row);
    return fresh->entry;
}

static void fresh_clear_p(struct fresh *fresh)
{
    text_clear(&fresh->json);
    text_clear(&fresh->labels);
    free(fresh->entry);
}
#define auto_fresh AUTO(fresh_clear)

static void bind_row(sqlite3_stmt *statement, const struct fresh *fresh)
{
    const struct index_row *row = &fresh->row;

    sqlite3_bind_text(statement, 1, row->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)row->seen.inode);
    sqlite3_bind_int64(statement, 3, (int64_t)row->seen.fingerprint);
    sqlite3_bind_int(statement, 4, (int)row->status);
    sqlite3_bind_int(statement, 5, row->held);
    sqlite3_bind_int64(statement, 6, row->created_at.seconds);
    sqlite3_bind_int(statement, 7, row->created_at.nanos);
    sqlite3_bind_int64(statement, 8, row->memory);
    bind_text(statement, 9, row->has_manifest, &row->architecture);
    bind_text(statement, 10, row->has_manifest, &row->openvmm_version);
    sqlite3_bind_int64(statement, 11, (int64_t)fresh->snapshot->memory_size_bytes);
    sqlite3_bind_int64(statement, 12, (int64_t)row->state_bytes);
    sqlite3_bind_int64(statement, 13, (int64_t)row->seen.allocated_bytes);
    sqlite3_bind_blob(statement, 14, text_str(&row->labels), (int)row->labels.len, SQLITE_STATIC);
}

static bool run(struct catalog *catalog, sqlite3_stmt *statement)
{
    return catalog_check(catalog, database_run(statement));
}

static bool put_document(struct catalog *catalog, enum statement kind, int64_t number,
                         const struct text *json)
{
    sqlite3_stmt *statement = catalog_statement(catalog, kind);

    sqlite3_bind_int64(statement, 1, number);
    sqlite3_bind_text(statement, 2, text_str(json), (int)json->len, SQLITE_STATIC);
    return run(catalog, statement);
}

static bool add(struct catalog *catalog, const struct fresh *fresh, int64_t *number)
{
    sqlite3_stmt *statement = catalog_statement(catalog, STATEMENT_ADD);

    bind_row(statement, fresh);
    if (!run(catalog, statement))
        return false;
    *number = sqlite3_last_insert_rowid(catalog->database.handle);
    return put_document(catalog, STATEMENT_ADD_DOCUMENT, *number, &fresh->json);
}

static bool change(struct catalog *catalog, const struct found *found, bool is_other,
                   const struct fresh *fresh, int64_t *number)
{
    sqlite3_stmt *statement = catalog_statement(catalog, STATEMENT_CHANGE);

    *number = found->number;
    bind_row(statement, fresh);
    return run(catalog, statement)
        && (!is_other
            || put_document(catalog, STATEMENT_CHANGE_DOCUMENT, *number, &fresh->json));
}

void catalog_set_totals(struct catalog *catalog)
{
    const struct catalog_totals *totals = &catalog->totals;

    if (!catalog->is_complete)
        return;
    for (size_t i = 0; i < SNAPSHOT__COUNT; i++)
        metrics_set(catalog->metrics, METRIC_SNAPSHOTS, i, totals->counts[i]);
    for (size_t i = 0; i < FILE__COUNT; i++)
        metrics_set(catalog->metrics, METRIC_SNAPSHOT_BYTES, i, totals->bytes[i]);
    metrics_set(catalog->metrics, METRIC_SNAPSHOT_ALLOCATED_BYTES, 0, totals->allocated_bytes);
}

static void count_out(struct catalog_totals *totals, const struct found *found)
{
    totals->counts[found->status]--;
    for (size_t i = 0; i < FILE__COUNT; i++)
        totals->bytes[i] -= found->bytes[i];
    totals->allocated_bytes -= found->seen.allocated_bytes;
}

static void count_in(struct catalog_totals *totals, const struct fresh *fresh)
{
    totals->counts[fresh->snapshot->status]++;
    totals->bytes[FILE_MEMORY] += fresh->snapshot->memory_size_bytes;
    totals->bytes[FILE_STATE] += fresh->snapshot->state_size_bytes;
    totals->allocated_bytes += fresh->seen->allocated_bytes;
}

/* What the difference to the entry before comes to. */
static enum event_kind event_of(const struct found *found, enum snapshot_status now)
{
    if (found && found->status == now)
        return EVENT_UPDATED;
    if (now == SNAPSHOT_READY)
        return !found || found->status == SNAPSHOT_INCOMPLETE ? EVENT_CREATED : EVENT_UPDATED;
    return now == SNAPSHOT_INCOMPLETE ? EVENT_INCOMPLETE : EVENT_DAMAGED;
}

static bool looks_same(const struct found *found, const struct sighting *seen)
{
    return found->seen.inode == seen->inode && found->seen.fingerprint == seen->fingerprint;
}

/* There is room for it in the index. */
static bool note(struct catalog *catalog, sqlite3_stmt *query, struct fresh *fresh)
{
    struct found found;
    int64_t number;
    const int code = find(query, fresh->snapshot->id, &found);
    const bool is_known = code == SQLITE_ROW;
    const bool is_other =
        !is_known || !text_equals(&fresh->json, found.json, found.json_len);

    if (!catalog_check(catalog, code))
        return false;
    if (!is_other && looks_same(&found, fresh->seen))
        return true;
    sqlite3_reset(query); /* what it read is not to be changed under it */
    if (!catalog_begin(catalog)
        || !(is_known ? change(catalog, &found, is_other, fresh, &number)
                      : add(catalog, fresh, &number)))
        return false;
    index_put(&catalog->index, number, TAKE_AS(fresh->entry, NULL));
    if (is_known)
        count_out(&catalog->totals, &found);
    count_in(&catalog->totals, fresh);
    catalog_set_totals(catalog);
    if (is_other)
        catalog_tell(catalog, event_of(is_known ? &found : NULL, fresh->snapshot->status),
                     fresh->snapshot->id);
    return true;
}

void catalog_note(struct catalog *catalog, const struct snapshot *snapshot,
                  const struct sighting *seen, enum catalog_cause cause)
{
    auto_fresh struct fresh fresh = {.snapshot = snapshot, .seen = seen};

    (void)cause;
    bool is_prepared = prepare(&fresh);
    pthread_mutex_lock(&catalog->mutex);
    if (catalog->database.handle) {
        if (!is_prepared || !index_reserve(&catalog->index))
            catalog_fall_behind(catalog);
        else if (note(catalog, catalog_statement(catalog, STATEMENT_FIND), &fresh))
            sqlite3_reset(catalog_statement(catalog, STATEMENT_FIND));
    }
    pthread_mutex_unlock(&catalog->mutex);
}

static bool run_for(struct catalog *catalog, enum statement kind, int64_t number)
{
    sqlite3_stmt *statement = catalog_statement(catalog, kind);

    sqlite3_bind_int64(statement, 1, number);
    return run(catalog, statement);
}

static void forget(struct catalog *catalog, const char *id, enum catalog_cause cause)
{
    sqlite3_stmt *query = catalog_statement(catalog, STATEMENT_FIND);
    struct found found;
    int code = find(query, id, &found);

    if (!catalog_check(catalog, code))
        return;
    sqlite3_reset(query);
    if (code != SQLITE_ROW || !catalog_begin(catalog)
        || !run_for(catalog, STATEMENT_REMOVE, found.number)
        || !run_for(catalog, STATEMENT_REMOVE_DOCUMENT, found.number))
        return;
    index_remove(&catalog->index, found.number);
    count_out(&catalog->totals, &found);
    catalog_set_totals(catalog);
    catalog_tell(catalog, cause == CAUSE_PRUNED ? EVENT_PRUNED : EVENT_DELETED, id);
}

void catalog_remove(struct catalog *catalog, const char *id, enum catalog_cause cause)
{
    pthread_mutex_lock(&catalog->mutex);
    if (catalog->database.handle)
        forget(catalog, id, cause);
    pthread_mutex_unlock(&catalog->mutex);
}

/* Whether there is an entry, and, unless `json` is NULL, of just this document. */
static bool has(struct catalog *catalog, const char *id, const struct text *json)
{
    sqlite3_stmt *query = catalog_statement(catalog, STATEMENT_FIND);
    struct found found;
    int code = find(query, id, &found);
    bool is_so =
        code == SQLITE_ROW && (!json || text_equals(json, found.json, found.json_len));

    if (catalog_check(catalog, code))
        sqlite3_reset(query);
    return is_so;
}

static bool ask(struct catalog *catalog, const char *id, const struct text *json)
{
    pthread_mutex_lock(&catalog->mutex);
    bool is_so = catalog->database.handle && has(catalog, id, json);
    pthread_mutex_unlock(&catalog->mutex);
    return is_so;
}

bool catalog_has(struct catalog *catalog, const char *id)
{
    return ask(catalog, id, NULL);
}

bool catalog_agrees(struct catalog *catalog, const struct snapshot *snapshot)
{
    auto_text struct text json = {0};

    return render(snapshot, &json) && ask(catalog, snapshot->id, &json);
}

static struct catalog_entry take_entry(sqlite3_stmt *query)
{
    const char *id = (const char *)sqlite3_column_text(query, 1);
    struct catalog_entry entry = {
        .number = sqlite3_column_int64(query, 0),
        .seen = {.inode = (uint64_t)sqlite3_column_int64(query, 2),
                 .fingerprint = (uint64_t)sqlite3_column_int64(query, 3),
                 .allocated_bytes = (uint64_t)sqlite3_column_int64(query, 4)},
        .status = catalog_status(sqlite3_column_int(query, 5)),
    };

    snprintf(entry.id, sizeof entry.id, "%s", id ? id : "");
    return entry;
}

static bool look(struct catalog *catalog, const char *id, struct catalog_entry *out)
{
    sqlite3_stmt *query = catalog_statement(catalog, STATEMENT_LOOK);

    sqlite3_bind_text(query, 1, id, -1, SQLITE_STATIC);
    const int code = sqlite3_step(query);
    if (code == SQLITE_ROW)
        *out = take_entry(query);
    sqlite3_reset(query);
    return catalog_check(catalog, code) && code == SQLITE_ROW;
}

bool catalog_find(struct catalog *catalog, const char *id, struct catalog_entry *out)
{
    pthread_mutex_lock(&catalog->mutex);
    bool is_found = catalog->database.handle && look(catalog, id, out);
    pthread_mutex_unlock(&catalog->mutex);
    return is_found;
}

bool catalog_walk(struct catalog *catalog, int64_t number, struct catalog_entry *out, size_t max,
                  size_t *count)
{
    pthread_mutex_lock(&catalog->mutex);
    bool is_known = catalog->database.handle;
    *count = is_known ? index_walk(&catalog->index, number, out, max) : 0;
    pthread_mutex_unlock(&catalog->mutex);
    return is_known;
}
