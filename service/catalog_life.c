/* The catalogue from opening to closing: what becomes of it when its database fails. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "service/catalog_db.h"
#include "service/stage.h"

#define SECOND UINT64_C(1000000000)
#define NEVER  ((uint64_t)INT64_MAX)

/* What is noted is written out when so many changes or so much time have gathered. */
#define COMMIT_CHANGES 1000
#define COMMIT_NS      SECOND

/* While it is filled: each writing out takes most of the index of ids along. */
#define FILLING_CHANGES 20000

/* How long to wait between attempts: after a failure, and from memory back to a file. */
#define FAILURE_REST_NS SECOND
#define MEMORY_REST_NS  (60 * SECOND)

/* A file is not tried again before there is so much room for it. */
#define ROOM_MIN ((uint64_t)16 << 20)

/* Pages of the write-ahead log (of 4 KiB) from which on it is moved into the database; and from
 * which on nobody may add to it meanwhile. */
#define CHECKPOINT_PAGES 4096
#define WAL_PAGES_MAX    32768

/* How long a query waits for a catalogue that is being filled. */
#define QUERY_WAIT_S 10

/* Whether it is the file that is wrong, and not the disk, the rights or the memory. */
static bool is_damage(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_ERROR: /* a table or column is missing */
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return true;
    default:
        return false;
    }
}

/* The latest is kept, for whoever wants to know what befell it. */
static bool set_aside(struct catalog *catalog, const char *why)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char from[4200];
    char to[4200];
    struct error err;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(from, sizeof from, "%s%s", catalog->path, parts[i]);
        snprintf(to, sizeof to, "%s.bad%s", catalog->path, parts[i]);
        if (!stage_set_aside(from, to, &err)) {
            log_event(LOG_ERROR, "catalogue could not be set aside",
                      LOG_TEXT("detail", err.message));
            return false;
        }
    }
    log_event(LOG_WARN, "catalogue set aside", LOG_TEXT("path", catalog->path),
              LOG_TEXT("reason", why));
    return true;
}

static int count_pages(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct catalog *catalog = context;

    (void)handle;
    (void)name;
    catalog->wal_pages = pages;
    return SQLITE_OK;
}

static int open_file(struct catalog *catalog, struct database *out, const char **why)
{
    int code = database_open(catalog->path, catalog->store->path, out, why);

    if (is_damage(code) && set_aside(catalog, *why))
        code = database_open(catalog->path, catalog->store->path, out, why);
    return code;
}

static int open_memory(struct catalog *catalog)
{
    const char *why;
    int code = database_open(":memory:", catalog->store->path, &catalog->database, &why);

    catalog->in_memory = code == SQLITE_OK;
    return code;
}

/* In a file if it can be, else in memory; in neither if there is no memory. */
static bool open_somewhere(struct catalog *catalog)
{
    const char *why;

    catalog->in_memory = false;
    catalog->wal_pages = 0;
    if (open_file(catalog, &catalog->database, &why) == SQLITE_OK) {
        sqlite3_wal_hook(catalog->database.handle, count_pages, catalog);
        return true;
    }
    log_event(LOG_WARN, "catalogue kept in memory, because its file cannot be used",
              LOG_TEXT("path", catalog->path), LOG_TEXT("reason", why));
    return open_memory(catalog) == SQLITE_OK;
}

static struct text column_text(sqlite3_stmt *row, int column)
{
    return (struct text){.data = (char *)sqlite3_column_blob(row, column),
                         .len = (size_t)sqlite3_column_bytes(row, column)};
}

static struct index_row read_row(sqlite3_stmt *row)
{
    struct index_row out = {
        .id = (const char *)sqlite3_column_text(row, 1),
        .status = catalog_status(sqlite3_column_int(row, 4)),
        .held = sqlite3_column_int(row, 5),
        .memory = sqlite3_column_int64(row, 8),
        .has_manifest = sqlite3_column_type(row, 9) != SQLITE_NULL,
        .architecture = column_text(row, 9),
        .openvmm_version = column_text(row, 10),
        .state_bytes = (uint64_t)sqlite3_column_int64(row, 12),
        .labels = column_text(row, 14),
    };

    out.seen.inode = (uint64_t)sqlite3_column_int64(row, 2);
    out.seen.fingerprint = (uint64_t)sqlite3_column_int64(row, 3);
    out.seen.allocated_bytes = (uint64_t)sqlite3_column_int64(row, 13);
    out.created_at.seconds = sqlite3_column_int64(row, 6);
    out.created_at.nanos = sqlite3_column_int(row, 7);
    return out;
}

static int load_row(struct catalog *catalog, sqlite3_stmt *row)
{
    const struct index_row read = read_row(row);
    struct catalog_totals *totals = &catalog->totals;

    if (!read.id || !id_is_valid(read.id) || !index_labels_are_packed(&read.labels))
        return SQLITE_CORRUPT;
    struct index_entry *entry = index_reserve(&catalog->index) ? index_make(&read) : NULL;
    if (!entry)
        return SQLITE_NOMEM;
    index_put(&catalog->index, sqlite3_column_int64(row, 0), entry);
    totals->counts[read.status]++;
    totals->bytes[FILE_MEMORY] += (uint64_t)sqlite3_column_int64(row, 11);
    totals->bytes[FILE_STATE] += read.state_bytes;
    totals->allocated_bytes += read.seen.allocated_bytes;
    return SQLITE_ROW;
}

/* All entries into memory, and their sums: of whichever database it is from now on. */
static bool load(struct catalog *catalog)
{
    sqlite3_stmt *rows = catalog_statement(catalog, STATEMENT_LOAD);
    int code;

    index_clear(&catalog->index);
    catalog->totals = (struct catalog_totals){0};
    do
        if ((code = sqlite3_step(rows)) == SQLITE_ROW)
            code = load_row(catalog, rows);
    while (code == SQLITE_ROW);
    sqlite3_reset(rows);
    return catalog_check(catalog, code);
}

struct catalog *catalog_open(const struct store *store, struct metrics *metrics,
                             struct event_hub *events, struct error *err)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);

    if (!catalog || asprintf(&catalog->path, "%s/.vmsnapd/catalog.db", store->path) < 0) {
        free(catalog);
        error_memory(err);
        return NULL;
    }
    catalog->store = store;
    catalog->metrics = metrics;
    catalog->events = events;
    catalog->reopen_due_ns = catalog->commit_due_ns = NEVER;
    pthread_mutex_init(&catalog->mutex, NULL);
    condition_init(&catalog->changed);
    if (!open_somewhere(catalog)) {
        error_memory(err);
        catalog_close(catalog);
        return NULL;
    }
    catalog->is_filled = catalog->database.is_complete;
    catalog->was_closed = catalog->database.was_closed;
    if (load(catalog))
        catalog_load_events(catalog);
    return catalog;
}

void catalog_listen(struct catalog *catalog, catalog_hook *hook, void *context)
{
    catalog->hook = hook;
    catalog->hook_context = context;
}

static void forget_pending(struct catalog *catalog)
{
    catalog->pending = 0;
    catalog->commit_due_ns = NEVER;
}

static bool write_out(struct catalog *catalog)
{
    if (catalog->pending == 0)
        return true;
    forget_pending(catalog);
    return catalog_check(catalog, database_run(catalog_statement(catalog, STATEMENT_COMMIT)));
}

void catalog_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    if (catalog->database.handle && write_out(catalog) && catalog->is_complete)
        database_set_meta(&catalog->database, "closed", 1);
    database_close(&catalog->database);
    index_clear(&catalog->index);
    pthread_cond_destroy(&catalog->changed);
    pthread_mutex_destroy(&catalog->mutex);
    free(catalog->path);
    free(catalog);
}

bool catalog_check(struct catalog *catalog, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return true;
    log_event(LOG_ERROR, "catalogue failed: it is read from disk again",
              LOG_TEXT("path", catalog->in_memory ? ":memory:" : catalog->path),
              LOG_TEXT("reason", sqlite3_errstr(code)));
    catalog->is_damaged = is_damage(code);
    catalog->is_complete = catalog->is_filled = catalog->was_closed = false;
    forget_pending(catalog);
    database_close(&catalog->database);
    /* At once, but not over and over. */
    catalog->reopen_due_ns = catalog->reopened_ns ? catalog->reopened_ns + FAILURE_REST_NS : 0;
    pthread_cond_broadcast(&catalog->changed);
    return false;
}

static bool has_room(const struct catalog *catalog)
{
    struct statvfs fs;

    return fstatvfs(catalog->store->snapshots, &fs) == 0
        && (uint64_t)fs.f_bavail * fs.f_frsize >= ROOM_MIN;
}

/* From memory into the file, if that can be written by now. */
static bool return_to_file(struct catalog *catalog)
{
    struct database fresh;
    const char *why;

    if (!has_room(catalog) || open_file(catalog, &fresh, &why) != SQLITE_OK)
        return false;
    database_close(&catalog->database);
    catalog->database = fresh;
    catalog->in_memory = false;
    catalog->wal_pages = 0;
    forget_pending(catalog);
    sqlite3_wal_hook(fresh.handle, count_pages, catalog);
    log_event(LOG_INFO, "catalogue is in its file again", LOG_TEXT("path", catalog->path));
    return true;
}

/* A file that is damaged makes room for another; one that could not be written is left alone. */
static bool replace(struct catalog *catalog)
{
    if (catalog->is_damaged) {
        catalog->is_damaged = false;
        return set_aside(catalog, "it is damaged") ? open_somewhere(catalog)
                                                   : open_memory(catalog) == SQLITE_OK;
    }
    return open_memory(catalog) == SQLITE_OK;
}

static bool reopen(struct catalog *catalog)
{
    const uint64_t now = clock_monotonic_ns();

    catalog->reopened_ns = now;
    catalog->reopen_due_ns = now + FAILURE_REST_NS;
    if (catalog->database.handle && TAKE_AS(catalog->is_behind, false))
        return true;
    if (catalog->database.handle && catalog->is_complete && !return_to_file(catalog)) {
        catalog->reopen_due_ns = now + MEMORY_REST_NS;
        return false;
    }
    catalog->is_complete = catalog->is_filled = false;
    return (catalog->database.handle || replace(catalog)) && load(catalog)
        && catalog_load_events(catalog);
}

void catalog_fall_behind(struct catalog *catalog)
{
    catalog->is_behind = true;
    catalog->reopen_due_ns = clock_monotonic_ns() + FAILURE_REST_NS;
    pthread_cond_broadcast(&catalog->changed);
}

bool catalog_reopen(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->mutex);
    bool is_other = reopen(catalog);
    pthread_mutex_unlock(&catalog->mutex);
    return is_other;
}

void catalog_completed(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->mutex);
    if (catalog->database.handle) {
        const bool was_filled = catalog->is_filled;
        catalog->is_complete = catalog->is_filled = true;
        index_sort(&catalog->index);
        if (!catalog->is_behind)
            catalog->reopen_due_ns =
                catalog->in_memory ? clock_monotonic_ns() + MEMORY_REST_NS : NEVER;
        if (!was_filled && write_out(catalog))
            catalog_check(catalog, database_set_meta(&catalog->database, "complete", 1));
        catalog_set_totals(catalog);
        metrics_set(catalog->metrics, METRIC_SNAPSHOTS_COUNTED, 0, clock_unix_ms() * 1000000);
    }
    pthread_cond_broadcast(&catalog->changed);
    pthread_mutex_unlock(&catalog->mutex);
}

void catalog_not_completed(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->mutex);
    if (!catalog->is_complete && catalog->reopen_due_ns == NEVER)
        catalog->reopen_due_ns = clock_monotonic_ns() + FAILURE_REST_NS;
    pthread_cond_broadcast(&catalog->changed);
    pthread_mutex_unlock(&catalog->mutex);
}

bool catalog_was_closed(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->mutex);
    bool was_closed = catalog->was_closed;
    pthread_mutex_unlock(&catalog->mutex);
    return was_closed;
}

/* Over a connection of its own: it flushes, which nobody needs to wait for. */
static int move_log(const struct catalog *catalog)
{
    sqlite3 *handle = NULL;
    int code = sqlite3_open_v2(catalog->path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                               NULL);

    if (code == SQLITE_OK)
        code = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sqlite3_close(handle);
    return code == SQLITE_BUSY ? SQLITE_OK : code;
}

void catalog_commit(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->mutex);
    bool is_written = catalog->database.handle && write_out(catalog);
    /* Not while it is filled: the flushes would hold up the reading. */
    bool is_due = is_written && !catalog->in_memory && catalog->is_filled
        && catalog->wal_pages >= CHECKPOINT_PAGES;
    pthread_mutex_unlock(&catalog->mutex);
    if (!is_due)
        return;
    int code = move_log(catalog);
    pthread_mutex_lock(&catalog->mutex);
    /* Whoever keeps writing keeps it from starting over: it must once be moved whole. */
    if (code == SQLITE_OK && catalog->wal_pages >= WAL_PAGES_MAX && write_out(catalog))
        code = move_log(catalog);
    if (catalog->database.handle)
        catalog_check(catalog, code);
    pthread_mutex_unlock(&catalog->mutex);
}

void catalog_stop(struct catalog *catalog)
{
    if (!catalog)
        return;
    pthread_mutex_lock(&catalog->mutex);
    catalog->is_stopped = true;
    pthread_cond_broadcast(&catalog->changed);
    pthread_mutex_unlock(&catalog->mutex);
}

static enum catalog_task await(struct catalog *catalog)
{
    while (!catalog->is_stopped) {
        const uint64_t now = clock_monotonic_ns();
        if (now >= catalog->reopen_due_ns)
            return TASK_REOPEN;
        if (now >= catalog->commit_due_ns)
            return TASK_COMMIT;
        condition_wait_until(&catalog->changed, &catalog->mutex,
                             catalog->reopen_due_ns < catalog->commit_due_ns
                                 ? catalog->reopen_due_ns
                                 : catalog->commit_due_ns);
    }
    return TASK_END;
}

enum catalog_task catalog_await(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->mutex);
    enum catalog_task task = await(catalog);
    pthread_mutex_unlock(&catalog->mutex);
    return task;
}

bool catalog_begin(struct catalog *catalog)
{
    if (catalog->pending == 0
        && !catalog_check(catalog, database_run(catalog_statement(catalog, STATEMENT_BEGIN))))
        return false;
    const size_t many = catalog->is_filled ? COMMIT_CHANGES : FILLING_CHANGES;
    catalog->pending++;
    if (catalog->pending == 1 || catalog->pending == many) {
        catalog->commit_due_ns = catalog->pending == 1 ? clock_monotonic_ns() + COMMIT_NS : 0;
        pthread_cond_broadcast(&catalog->changed);
    }
    return true;
}

bool catalog_lock(struct catalog *catalog, struct error *err)
{
    const uint64_t due_ns = clock_monotonic_ns() + QUERY_WAIT_S * SECOND;

    pthread_mutex_lock(&catalog->mutex);
    while (!catalog->is_complete && !catalog->is_stopped
           && condition_wait_until(&catalog->changed, &catalog->mutex, due_ns))
        continue;
    if (catalog->is_complete)
        return true;
    pthread_mutex_unlock(&catalog->mutex);
    return error_set(err, ERR_OVERLOADED, "the catalogue is being read from disk again");
}
