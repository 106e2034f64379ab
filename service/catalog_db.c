#include "service/catalog_db.h"

#include "service/catalog_schema.h"

/* How long another process, which somebody started to look into it, may keep us from writing. */
#define BUSY_MS 1000

static const char *const sources[STATEMENT__COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_FIND] = "SELECT number, inode, fingerprint, status, memory_bytes, state_bytes,"
                       " allocated_bytes, json FROM snapshot JOIN document USING (number)"
                       " WHERE id = ?1",
    [STATEMENT_ADD] = "INSERT INTO snapshot (id, inode, fingerprint, status, held, created_s,"
                      " created_ns, memory, architecture, openvmm_version, memory_bytes,"
                      " state_bytes, allocated_bytes, labels)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [STATEMENT_CHANGE] = "UPDATE snapshot SET inode = ?2, fingerprint = ?3, status = ?4,"
                         " held = ?5, created_s = ?6, created_ns = ?7, memory = ?8,"
                         " architecture = ?9, openvmm_version = ?10, memory_bytes = ?11,"
                         " state_bytes = ?12, allocated_bytes = ?13, labels = ?14"
                         " WHERE id = ?1",
    [STATEMENT_ADD_DOCUMENT] = "INSERT INTO document VALUES (?1, ?2)",
    [STATEMENT_CHANGE_DOCUMENT] = "UPDATE document SET json = ?2 WHERE number = ?1",
    [STATEMENT_REMOVE] = "DELETE FROM snapshot WHERE number = ?1",
    [STATEMENT_REMOVE_DOCUMENT] = "DELETE FROM document WHERE number = ?1",
    [STATEMENT_LOOK] = "SELECT number, id, inode, fingerprint, allocated_bytes, status"
                       " FROM snapshot WHERE id = ?1",
    [STATEMENT_LOAD] = "SELECT number, id, inode, fingerprint, status, held, created_s, created_ns,"
                       " memory, architecture, openvmm_version, memory_bytes, state_bytes,"
                       " allocated_bytes, labels FROM snapshot ORDER BY number",
    [STATEMENT_DOCUMENT] = "SELECT json FROM document WHERE number = ?1",
    [STATEMENT_ADD_EVENT] = "INSERT INTO event VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_TRIM_EVENTS] = "DELETE FROM event WHERE number <= ?1",
    [STATEMENT_HISTORY] = "SELECT number, kind, id, at_ms FROM event ORDER BY number DESC LIMIT ?1",
    [STATEMENT_SET_META] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
};

static int prepare(struct database *database)
{
    int code = SQLITE_OK;

    for (size_t i = 0; code == SQLITE_OK && i < STATEMENT__COUNT; i++)
        code = sqlite3_prepare_v3(database->handle, sources[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &database->statements[i], NULL);
    return code;
}

/* A power cut may take what was not written out: all but the mark that it is open now, by which the
 * next start knows to look closely, and where the numbers of its events begin. */
static int prepare_handle(sqlite3 *handle)
{
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, BUSY_MS);
    return sqlite3_exec(handle,
                        "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;"
                        "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192;"
                        "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY",
                        NULL, NULL, NULL);
}

int database_ask(sqlite3 *handle, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL);

    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* What was told before a crash may be lost: its numbers are not given again, as long as there were
 * no more than a million. */
static int mark_open(struct database *database)
{
    sqlite3 *handle = database->handle;
    int64_t is_complete = 0;
    int64_t was_closed = 0;
    int code =
        database_ask(handle, "SELECT value FROM meta WHERE key = 'complete'", &is_complete);

    if (code == SQLITE_OK)
        code = database_ask(handle, "SELECT value FROM meta WHERE key = 'closed'", &was_closed);
    database->is_complete = is_complete != 0;
    database->was_closed = was_closed != 0;
    return code == SQLITE_OK
        ? sqlite3_exec(handle,
                       "PRAGMA synchronous = FULL; BEGIN;"
                       "INSERT OR REPLACE INTO meta VALUES ('closed', 0);"
                       "INSERT OR REPLACE INTO meta SELECT 'events_begin', 1048576 +"
                       " max(coalesce((SELECT value FROM meta WHERE key = 'events_begin'), 0),"
                       " coalesce((SELECT max(number) FROM event), 0)); COMMIT;"
                       "PRAGMA synchronous = NORMAL",
                       NULL, NULL, NULL)
        : code;
}

static int open_handle(const char *path, const char *store, struct database *database,
                       const char **why)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &database->handle, flags, NULL);

    if (code == SQLITE_OK)
        code = prepare_handle(database->handle);
    if (code == SQLITE_OK)
        code = schema_migrate(database->handle, schema_version, why);
    if (code == SQLITE_OK)
        code = schema_adopt(database->handle, store, why);
    if (code == SQLITE_OK)
        code = mark_open(database);
    return code == SQLITE_OK ? prepare(database) : code;
}

int database_open(const char *path, const char *store, struct database *out, const char **why)
{
    *out = (struct database){0};
    *why = NULL;
    int code = open_handle(path, store, out, why);
    if (code != SQLITE_OK) {
        if (!*why)
            *why = sqlite3_errstr(code);
        database_close(out);
    }
    return code;
}

void database_close(struct database *database)
{
    for (size_t i = 0; i < STATEMENT__COUNT; i++)
        sqlite3_finalize(database->statements[i]);
    sqlite3_close(database->handle);
    *database = (struct database){0};
}

int database_run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    sqlite3_reset(statement);
    return code;
}

int database_set_meta(struct database *database, const char *key, int64_t value)
{
    sqlite3_stmt *statement = database->statements[STATEMENT_SET_META];

    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, value);
    return database_run(statement);
}

enum snapshot_status catalog_status(int value)
{
    return value >= 0 && value < SNAPSHOT__COUNT ? (enum snapshot_status)value : SNAPSHOT_DAMAGED;
}
