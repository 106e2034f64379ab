#include "service/catalog_schema.h"

#include <assert.h>
#include <stdio.h>

#include "base/hash.h"
#include "codec/snapshot.h"

#define APPLICATION_ID 0x766d736e /* "vmsn" */

/* A number, once released, never changes its meaning. One whose new columns must be read from disk
 * empties the table `snapshot` and removes `complete` from `meta`: all is then read again. */
static const char *const migrations[] = {
    /* 1. `inode` and `fingerprint`: service/sighting.h. `created_s`, `created_ns` and `memory` are
     * of the manifest, and least where there is none; `memory` is moved by 2^63, so that all of
     * uint64 keeps its order. The document is what GET /snapshots/{id} answers. */
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE snapshot (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,"
    " inode INTEGER NOT NULL, fingerprint INTEGER NOT NULL,"
    " status INTEGER NOT NULL, held INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL, created_ns INTEGER NOT NULL, memory INTEGER NOT NULL,"
    " architecture TEXT, openvmm_version TEXT,"
    " memory_bytes INTEGER NOT NULL, state_bytes INTEGER NOT NULL,"
    " allocated_bytes INTEGER NOT NULL);"
    "CREATE TABLE document (number INTEGER PRIMARY KEY, json TEXT NOT NULL);",

    /* 2. Lists were answered from indexes of these tables. */
    "DROP TABLE snapshot;"
    "CREATE TABLE snapshot (number INTEGER PRIMARY KEY, id TEXT NOT NULL,"
    " inode INTEGER NOT NULL, fingerprint INTEGER NOT NULL,"
    " status INTEGER NOT NULL, held INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL, created_ns INTEGER NOT NULL, memory INTEGER NOT NULL,"
    " architecture TEXT, openvmm_version TEXT,"
    " memory_bytes INTEGER NOT NULL, state_bytes INTEGER NOT NULL,"
    " allocated_bytes INTEGER NOT NULL, words TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX by_id ON snapshot (id, status, held, architecture, openvmm_version, created_s,"
    " created_ns, memory);"
    "CREATE TABLE label (key TEXT NOT NULL, value TEXT NOT NULL, number INTEGER NOT NULL,"
    " PRIMARY KEY (key, value, number)) WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE word USING fts5 (words, content = 'snapshot', content_rowid = 'number',"
    " columnsize = 0, tokenize = 'trigram case_sensitive 1');"
    "CREATE VIRTUAL TABLE word_at USING fts5vocab (word, instance);"
    "DELETE FROM document;"
    "DELETE FROM meta WHERE key = 'complete';",

    /* 3. The latest events, for who comes back: `kind` is an enum event_kind. */
    ("CREATE TABLE event (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id TEXT NOT NULL,"
     " at_ms INTEGER NOT NULL);"),

    /* 4. Lists are answered from memory (catalog_index.h), which is loaded from here. Labels are
     * packed. */
    "DROP TABLE snapshot; DROP TABLE document; DROP TABLE label; DROP TABLE word_at;"
    "DROP TABLE word;"
    "CREATE TABLE snapshot (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,"
    " inode INTEGER NOT NULL, fingerprint INTEGER NOT NULL,"
    " status INTEGER NOT NULL, held INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL, created_ns INTEGER NOT NULL, memory INTEGER NOT NULL,"
    " architecture TEXT, openvmm_version TEXT,"
    " memory_bytes INTEGER NOT NULL, state_bytes INTEGER NOT NULL,"
    " allocated_bytes INTEGER NOT NULL, labels BLOB NOT NULL DEFAULT x'');"
    "CREATE TABLE document (number INTEGER PRIMARY KEY, json TEXT NOT NULL);"
    "DELETE FROM meta WHERE key = 'complete';",
};

const int schema_version = sizeof migrations / sizeof migrations[0];

static int run(sqlite3 *handle, const char *sql)
{
    return sqlite3_exec(handle, sql, NULL, NULL, NULL);
}

static int refuse(const char *reason, const char **why)
{
    *why = reason;
    return SQLITE_NOTADB;
}

/* The version of a database of ours; 0 of one that is empty yet. */
static int find_version(sqlite3 *handle, int64_t *version, const char **why)
{
    int64_t application = 0;
    int64_t tables = 0;
    int code = database_ask(handle, "PRAGMA user_version", version);

    if (code == SQLITE_OK)
        code = database_ask(handle, "PRAGMA application_id", &application);
    if (code == SQLITE_OK)
        code = database_ask(handle, "SELECT count(*) FROM sqlite_schema", &tables);
    if (code != SQLITE_OK)
        return code;
    if (application != APPLICATION_ID && (application != 0 || *version != 0 || tables != 0))
        return refuse("it is another program's database", why);
    if (*version < 0 || *version > schema_version)
        return refuse("it is of a later version of vmsnapd", why);
    return SQLITE_OK;
}

static int carry_out(sqlite3 *handle, int64_t from, int version)
{
    char sql[96];
    int code = SQLITE_OK;

    assert(from >= 0 && version <= schema_version);
    for (int64_t i = from; code == SQLITE_OK && i < version; i++)
        code = run(handle, migrations[i]);
    if (code != SQLITE_OK)
        return code;
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, version);
    return run(handle, sql);
}

int schema_migrate(sqlite3 *handle, int version, const char **why)
{
    int64_t from = 0;
    int code = find_version(handle, &from, why);

    if (code != SQLITE_OK || from >= version)
        return code;
    code = run(handle, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK)
        code = carry_out(handle, from, version);
    if (code == SQLITE_OK)
        code = run(handle, "COMMIT");
    if (code != SQLITE_OK)
        run(handle, "ROLLBACK");
    return code;
}

static void write_sample(struct text *out)
{
    char id[] = "i";
    char path[] = "/p";
    char key[] = "k";
    char value[] = "v";
    char argument[] = "--a";
    char *arguments[] = {argument};
    struct label label = {key, value};
    struct error ignored; /* the text remembers */
    const struct text some = {.data = value, .len = 1};
    struct snapshot sample = {
        .id = id,
        .path = path,
        .has_manifest = true,
        .manifest = {.version = 1,
                     .created_at = {.seconds = 1, .nanos = 1},
                     .openvmm_version = some,
                     .memory_size_bytes = 4096,
                     .vp_count = 1,
                     .page_size = 4096,
                     .architecture = some},
        .has_record = true,
        .record = {.capture = CAPTURE_COPY,
                     .labels = {&label, 1},
                     .held = true,
                     .has_vmm_args = true,
                     .vmm_args = {arguments, 1},
                     .state_sha256 = "s"},
        .has_memory = true,
        .has_state = true,
    };

    snapshot_to_json(&sample, out, &ignored);
    sample.has_record = false;
    snapshot_to_json(&sample, out, &ignored);
}

/* Of a few documents: another number means that this program writes others than the one that filled
 * the catalogue. What is not ready is read at every start anyway. */
static bool find_dialect(int64_t *out)
{
    auto_text struct text sample = {0};

    write_sample(&sample);
    *out = (int64_t)hash_add(HASH_SEED, text_str(&sample), sample.len);
    return !text_failed(&sample);
}

static int set_text(sqlite3 *handle, const char *key, const char *value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, "INSERT INTO meta VALUES (?1, ?2)", -1, &statement, NULL);

    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int check_store(sqlite3 *handle, const char *store, const char **why)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, "SELECT value FROM meta WHERE key = 'store'", -1,
                                  &statement, NULL);
    bool is_ours = true;

    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *known = (const char *)sqlite3_column_text(statement, 0);
        is_ours = known && strcmp(known, store) == 0;
    }
    sqlite3_finalize(statement);
    if (!is_ours)
        return refuse("it is another store's", why);
    return code == SQLITE_DONE ? set_text(handle, "store", store)
                               : (code == SQLITE_ROW ? SQLITE_OK : code);
}

int schema_adopt(sqlite3 *handle, const char *store, const char **why)
{
    char sql[256];
    int64_t known = 0;
    int64_t dialect;
    int code = check_store(handle, store, why);

    if (!find_dialect(&dialect))
        return SQLITE_NOMEM;
    if (code == SQLITE_OK)
        code = database_ask(handle, "SELECT value FROM meta WHERE key = 'dialect'", &known);
    if (code != SQLITE_OK || known == dialect)
        return code;
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; DELETE FROM snapshot; DELETE FROM document;"
             "DELETE FROM meta WHERE key = 'complete';"
             "INSERT OR REPLACE INTO meta VALUES ('dialect', %lld); COMMIT",
             (long long)dialect);
    return run(handle, sql);
}
