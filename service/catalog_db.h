/* What the catalogue's own files share: the handle, its database and its statements. The one
 * include of SQLite. */
#pragma once

#include <pthread.h>
#include <sqlite3.h>

#include "service/catalog.h"
#include "service/catalog_index.h"

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_FIND,
    STATEMENT_ADD,
    STATEMENT_CHANGE,
    STATEMENT_ADD_DOCUMENT,
    STATEMENT_CHANGE_DOCUMENT,
    STATEMENT_REMOVE,
    STATEMENT_REMOVE_DOCUMENT,
    STATEMENT_LOOK,
    STATEMENT_LOAD,
    STATEMENT_DOCUMENT,
    STATEMENT_SET_META,
    STATEMENT_ADD_EVENT,
    STATEMENT_TRIM_EVENTS,
    STATEMENT_HISTORY,
    STATEMENT__COUNT
};

/* An open database, zeroed if it is none. */
struct database {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENT__COUNT];
    bool is_complete, was_closed; /* as it says of itself, when it is opened */
};

/* SQLITE_OK; SQLITE_NOTADB, with `why`, if it is whole and not for us; or what failed. A failure
 * leaves `out` zeroed. */
int database_open(const char *path, const char *store, struct database *out, const char **why);
void database_close(struct database *database);

/* Runs a statement that gives no rows. */
int database_run(sqlite3_stmt *statement);

/* The one integer that a query gives; what it was where it gives none. */
int database_ask(sqlite3 *handle, const char *sql, int64_t *out);

/* Keeps a fact about the database in it; in the transaction that is open, if one is. */
int database_set_meta(struct database *database, const char *key, int64_t value);

struct catalog_totals {
    uint64_t counts[SNAPSHOT__COUNT];
    uint64_t bytes[FILE__COUNT];
    uint64_t allocated_bytes;
};

struct catalog {
    const struct store *store;
    struct metrics *metrics;
    char *path;
    struct event_hub *events;
    catalog_hook *hook;
    void *hook_context;

    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    struct database database; /* without a handle after a failure */
    bool in_memory, is_damaged, was_closed, is_stopped;
    bool is_behind;   /* something could not be noted: the disk is to be looked at again */
    bool is_filled;   /* it was once compared with the disk: what differs now is news */
    bool is_complete; /* it was so by this process: it answers */
    size_t pending;   /* changes in the open transaction; 0: there is none */
    int wal_pages;    /* written since the log last began anew */
    /* By the monotonic clock. */
    uint64_t reopen_due_ns, commit_due_ns, reopened_ns;
    struct catalog_index index; /* of what is in the database */
    struct catalog_totals totals;
};

/* Under the mutex: whether `code` is a success. Anything else closes the database, to be reopened
 * by upkeep. */
bool catalog_check(struct catalog *catalog, int code);

/* Under the mutex, before each change: there is a transaction, which upkeep ends in time. */
bool catalog_begin(struct catalog *catalog);

/* Under the mutex: sets the gauges of snapshots, once it is known how many there are. */
void catalog_set_totals(struct catalog *catalog);

/* Under the mutex: the database is another one. Its events are told from now on, or none if it is
 * yet to be filled. */
bool catalog_load_events(struct catalog *catalog);

/* Under the mutex, in a transaction: tells of a change that was made, and keeps it. */
void catalog_tell(struct catalog *catalog, enum event_kind kind, const char *id);

/* Under the mutex: what was to be noted is lost, for want of memory. */
void catalog_fall_behind(struct catalog *catalog);

/* Locks the catalogue once it can be asked; false, unlocked, if that takes too long. */
bool catalog_lock(struct catalog *catalog, struct error *err);

/* A status as it is stored. */
enum snapshot_status catalog_status(int value);

static inline sqlite3_stmt *catalog_statement(struct catalog *catalog, enum statement statement)
{
    return catalog->database.statements[statement];
}
