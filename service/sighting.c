#include "service/sighting.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "service/store.h"

static uint64_t add(uint64_t hash, uint64_t number)
{
    return hash_add(hash, &number, sizeof number);
}

static uint64_t add_time(uint64_t hash, struct timespec time)
{
    return add(add(hash, (uint64_t)time.tv_sec), (uint64_t)time.tv_nsec);
}

static uint64_t add_file(uint64_t hash, const struct stat *file)
{
    hash = add(add(hash, file->st_ino), (uint64_t)file->st_size);
    return add_time(add_time(hash, file->st_mtim), file->st_ctim);
}

/* Nothing is said of its times: a running VM changes them, and they are nowhere shown. */
static uint64_t add_memory(uint64_t hash, const struct stat *file)
{
    hash = add(add(hash, file->st_ino), (uint64_t)file->st_size);
    return add(add(hash, file->st_mode), (uint64_t)file->st_blocks);
}

struct sighting sighting_take(int dir)
{
    static const char *const files[] = {MANIFEST_FILE, STATE_FILE, RECORD_FILE};
    struct stat stat;
    struct sighting seen = {0};
    uint64_t hash = HASH_SEED;

    if (fstat(dir, &stat) != 0)
        return seen;
    seen.inode = stat.st_ino;
    hash = add_file(hash, &stat);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        hash = fstatat(dir, files[i], &stat, AT_SYMLINK_NOFOLLOW) == 0 ? add_file(hash, &stat)
                                                                       : add(hash, (unsigned)errno);
    if (fstatat(dir, MEMORY_FILE, &stat, 0) == 0) {
        seen.allocated_bytes = (uint64_t)stat.st_blocks * 512; /* stat(2): always in units of 512 */
        hash = add_memory(hash, &stat);
    } else {
        hash = add(hash, (unsigned)errno);
    }
    seen.fingerprint = hash ? hash : 1;
    return seen;
}
