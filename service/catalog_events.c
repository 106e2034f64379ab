/* Events: what the catalogue tells the hub, and keeps for who comes back. */
#include <stdio.h>
#include <sys/random.h>

#include "service/catalog_db.h"

/* Events between removals of those that nobody can resume from. */
#define TRIM_EVERY 256

/* One that is yet to be filled, or was before there were events: what is different on disk by then
 * is not told, so that nobody may resume. */
static bool begin_epoch(struct catalog *catalog, int64_t *epoch)
{
    const char *forget = "DELETE FROM event";

    while (getrandom(epoch, sizeof *epoch, 0) != sizeof *epoch || *epoch == 0)
        continue;
    return catalog_check(catalog,
                         sqlite3_exec(catalog->database.handle, forget, NULL, NULL, NULL))
        && catalog_check(catalog, database_set_meta(&catalog->database, "epoch", *epoch));
}

static bool find_position(struct catalog *catalog, struct event_position *out)
{
    static const char *const queries[] = {"SELECT value FROM meta WHERE key = 'epoch'",
                                          "SELECT value FROM meta WHERE key = 'events_begin'"};
    int64_t values[2] = {0};

    for (size_t i = 0; i < 2; i++)
        if (!catalog_check(catalog,
                           database_ask(catalog->database.handle, queries[i], &values[i])))
            return false;
    if ((!catalog->is_filled || values[0] == 0) && !begin_epoch(catalog, &values[0]))
        return false;
    *out = (struct event_position){(uint64_t)values[0], (uint64_t)values[1]};
    return true;
}

static void read_event(sqlite3_stmt *row, struct event *out)
{
    const char *id = (const char *)sqlite3_column_text(row, 2);
    int kind = sqlite3_column_int(row, 1);

    out->number = (uint64_t)sqlite3_column_int64(row, 0);
    out->kind = kind >= 0 && kind < EVENT__COUNT ? (enum event_kind)kind : EVENT_UPDATED;
    snprintf(out->id, sizeof out->id, "%s", id ? id : "");
    out->at_ms = (uint64_t)sqlite3_column_int64(row, 3);
}

/* Into the end of `events`, which has room for EVENT_HISTORY. */
static bool read_history(struct catalog *catalog, struct event *events, size_t *count)
{
    sqlite3_stmt *history = catalog_statement(catalog, STATEMENT_HISTORY);
    int code;

    sqlite3_bind_int(history, 1, EVENT_HISTORY);
    for (*count = 0; (code = sqlite3_step(history)) == SQLITE_ROW; ++*count)
        read_event(history, &events[EVENT_HISTORY - 1 - *count]);
    sqlite3_reset(history);
    return catalog_check(catalog, code);
}

bool catalog_load_events(struct catalog *catalog)
{
    auto_free struct event *events = calloc(EVENT_HISTORY, sizeof *events);
    struct event_position position;
    size_t count;

    if (!events)
        return catalog_check(catalog, SQLITE_NOMEM);
    if (!find_position(catalog, &position) || !read_history(catalog, events, &count))
        return false;
    event_hub_load(catalog->events, &position, events + EVENT_HISTORY - count, count);
    return true;
}

static bool keep(struct catalog *catalog, const struct event *event)
{
    sqlite3_stmt *statement = catalog_statement(catalog, STATEMENT_ADD_EVENT);

    sqlite3_bind_int64(statement, 1, (int64_t)event->number);
    sqlite3_bind_int(statement, 2, (int)event->kind);
    sqlite3_bind_text(statement, 3, event->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, (int64_t)event->at_ms);
    return catalog_check(catalog, database_run(statement));
}

static void trim(struct catalog *catalog)
{
    sqlite3_stmt *statement = catalog_statement(catalog, STATEMENT_TRIM_EVENTS);

    sqlite3_bind_int64(statement, 1, (int64_t)event_hub_forgotten(catalog->events));
    catalog_check(catalog, database_run(statement));
}

void catalog_tell(struct catalog *catalog, enum event_kind kind, const char *id)
{
    if (!catalog->is_filled)
        return;
    const struct event event = event_publish(catalog->events, kind, id);
    if (keep(catalog, &event) && event.number % TRIM_EVERY == 0)
        trim(catalog);
    if (catalog->hook)
        catalog->hook(catalog->hook_context, kind, id);
}
