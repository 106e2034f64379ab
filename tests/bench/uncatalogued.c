/* In the place of service/catalog.c and service/sighting.c: a catalogue that looks at nothing and
 * takes note of nothing. With it, the service does what it would do if it had none; against that, a
 * measurement holds the service as it is. */
#include <fcntl.h>
#include <sys/stat.h>

#include "service/catalog_db.h"

struct sighting sighting_take(int dir)
{
    (void)dir;
    return (struct sighting){0};
}

void catalog_note(struct catalog *catalog, const struct snapshot *snapshot,
                  const struct sighting *seen, enum catalog_cause cause)
{
    (void)catalog;
    (void)snapshot;
    (void)seen;
    (void)cause;
}

void catalog_remove(struct catalog *catalog, const char *id, enum catalog_cause cause)
{
    (void)catalog;
    (void)id;
    (void)cause;
}

bool catalog_agrees(struct catalog *catalog, const struct snapshot *snapshot)
{
    (void)catalog;
    (void)snapshot;
    return true;
}

bool catalog_has(struct catalog *catalog, const char *id)
{
    (void)catalog;
    (void)id;
    return false;
}

bool catalog_walk(struct catalog *catalog, int64_t number, struct catalog_entry *out, size_t max,
                  size_t *count)
{
    (void)catalog;
    (void)number;
    (void)out;
    (void)max;
    *count = 0;
    return true;
}

/* What is on disk is known: the watch must not read again what was created. */
bool catalog_find(struct catalog *catalog, const char *id, struct catalog_entry *out)
{
    struct stat dir;

    if (fstatat(catalog->store->snapshots, id, &dir, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *out = (struct catalog_entry){.seen = {.inode = dir.st_ino}, .status = SNAPSHOT_READY};
    return true;
}

void catalog_set_totals(struct catalog *catalog)
{
    (void)catalog;
}
