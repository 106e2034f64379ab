#include "service/extents.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define EXTENTS_PER_CALL 64

/* Calls: few where one shared extent is looked for, more where all are counted. */
#define LOOK_CALLS_MAX  64
#define COUNT_CALLS_MAX 4096

union query {
    struct fiemap map;
    char room[sizeof(struct fiemap) + EXTENTS_PER_CALL * sizeof(struct fiemap_extent)];
};

/* Adds up what is shared; returns where to go on, or 0 at the end. */
static uint64_t count_shared(const struct fiemap *map, uint64_t *shared)
{
    const struct fiemap_extent *last = &map->fm_extents[map->fm_mapped_extents - 1];

    for (unsigned i = 0; i < map->fm_mapped_extents; i++)
        if (map->fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED)
            *shared += map->fm_extents[i].fe_length;
    return last->fe_flags & FIEMAP_EXTENT_LAST ? 0 : last->fe_logical + last->fe_length;
}

/* The extents that follow `*start`, which becomes where the next ones do, 0 if there are none. A
 * filesystem that has no FIEMAP shares nothing. */
static void look(int fd, uint64_t *start, uint64_t *shared)
{
    union query query = {
        .map = {.fm_start = *start,
                .fm_length = UINT64_MAX - *start,
                .fm_extent_count = EXTENTS_PER_CALL}
    };

    *start = 0;
    if (ioctl(fd, FS_IOC_FIEMAP, &query.map) == 0 && query.map.fm_mapped_extents > 0)
        *start = count_shared(&query.map, shared);
}

bool extents_any_shared(int fd)
{
    uint64_t start = 0;
    uint64_t shared = 0;
    int calls = 0;

    do
        look(fd, &start, &shared);
    while (start > 0 && shared == 0 && ++calls < LOOK_CALLS_MAX);
    return shared > 0;
}

uint64_t extents_own_bytes(int fd, const struct stat *stat)
{
    const uint64_t allocated = (uint64_t)stat->st_blocks * 512; /* stat(2): in units of 512 */
    uint64_t start = 0;
    uint64_t shared = 0;
    int calls = 0;

    do
        look(fd, &start, &shared);
    while (start > 0 && ++calls < COUNT_CALLS_MAX);
    if (start > 0 && start < (uint64_t)stat->st_size)
        shared += (uint64_t)stat->st_size - start;
    return shared < allocated ? allocated - shared : 0;
}
