/* The catalogue: an index of the snapshots on disk, in SQLite, from which lists and totals are
 * answered. The disk is the truth: whatever is lost of the catalogue is read again from there.
 *
 * A change is seen by every query from the moment it is noted, and written out by a thread of its
 * own (service/upkeep.h) some time later. No failure of the database fails whoever notes something:
 * it is set aside where it is damaged, kept in memory where it cannot be written, and filled again
 * from disk. Safe from any thread. No lock but the hook's own is taken under the catalogue's. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "codec/model.h"
#include "service/event.h"
#include "service/sighting.h"
#include "service/store.h"

struct catalog;

/* Opens .vmsnapd/catalog.db, and brings it to this version's form. It is set aside, with a line in
 * the log, if it is damaged, of a later version or another store's; where there is no writing it
 * lies in memory. It answers no query before it is compared with the disk: see
 * catalog_completed(). The arguments must outlive it. NULL with ERR_INTERNAL without memory.
 *
 * Each entry that becomes another is an event, published under the catalogue's lock and kept in it
 * for who comes back; but not while an empty catalogue is filled from disk: that one begins a new
 * epoch. */
struct catalog *catalog_open(const struct store *store, struct metrics *metrics,
                             struct event_hub *events, struct error *err);
void catalog_close(struct catalog *catalog);
OWN(struct catalog, catalog_close)
#define auto_catalog AUTO(catalog_close)

/* Called for each event, under the catalogue's lock. Must not call the catalogue. */
typedef void catalog_hook(void *context, enum event_kind kind, const char *id);

/* To be called before anything is noted. */
void catalog_listen(struct catalog *catalog, catalog_hook *hook, void *context);

/* Why something is noted. */
enum catalog_cause {
    CAUSE_REQUEST, /* a client had it changed */
    CAUSE_FOUND,   /* it was found changed on disk */
    CAUSE_PRUNED,  /* retention removed it */
};

/* Takes note of a snapshot as it is on disk now: `seen` is how its directory looked before it was
 * read, or after it was written, while its claim was held. Of `snapshot` only what is recorded
 * counts, not what is live. */
void catalog_note(struct catalog *catalog, const struct snapshot *snapshot,
                  const struct sighting *seen, enum catalog_cause cause);

/* Takes note, likewise, that there is no such snapshot. */
void catalog_remove(struct catalog *catalog, const char *id, enum catalog_cause cause);

/* Whether a snapshot that was read is just what the catalogue says of it. */
bool catalog_agrees(struct catalog *catalog, const struct snapshot *snapshot);

/* Whether there is an entry for this id. */
bool catalog_has(struct catalog *catalog, const char *id);

/* One page of a list, with fewer than the limit if the documents are very large. Ids are in the
 * order of their bytes; what has no manifest comes before all that has by time, and counts as
 * nothing by memory. The caller clears `out`. Waits while the catalogue is being filled again;
 * ERR_OVERLOADED if that takes long, ERR_INTERNAL. */
bool catalog_query(struct catalog *catalog, const struct snapshot_query *query,
                   struct snapshot_page *out, struct error *err);

/* For reconcile.c and watch.c: what the catalogue knows of the looks of a directory. */
struct catalog_entry {
    int64_t number; /* where the walk goes on */
    char id[ID_MAX + 1];
    struct sighting seen;
    enum snapshot_status status;
};

/* The entry for this id; false if there is none, or the catalogue failed. */
bool catalog_find(struct catalog *catalog, const char *id, struct catalog_entry *out);

/* The next entries after `number`, which is 0 in the beginning: at most `max`, fewer only at the
 * end. False if the catalogue failed, which its keeper will mend. */
bool catalog_walk(struct catalog *catalog, int64_t number, struct catalog_entry *out, size_t max,
                  size_t *count);

/* Whether its last process ended in order: all that this one did is in it then. */
bool catalog_was_closed(struct catalog *catalog);

/* All that is on disk was compared with it: from here on it answers. Sets the metric that says
 * when. */
void catalog_completed(struct catalog *catalog);

/* That could not be done: TASK_REOPEN will come again if it does not answer yet. */
void catalog_not_completed(struct catalog *catalog);

/* For upkeep.c: what is to be done next. Waits until there is something. */
enum catalog_task {
    TASK_COMMIT, /* catalog_commit() */
    TASK_REOPEN, /* catalog_reopen(), and if that is true, comparing it with the disk */
    TASK_END,
};
enum catalog_task catalog_await(struct catalog *catalog);

/* Writes out what was noted. A failure makes TASK_REOPEN the next task. */
void catalog_commit(struct catalog *catalog);

/* After a failure, or where it lies in memory for want of a better place. True if it is another
 * database now, which must be reconciled with the disk. */
bool catalog_reopen(struct catalog *catalog);

/* Makes catalog_await() say TASK_END, and queries wait no longer. */
void catalog_stop(struct catalog *catalog);
