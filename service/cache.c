#include "service/cache.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "codec/manifest_json.h"
#include "codec/manifest_pb.h"
#include "service/file.h"

#define SETS 1024
#define WAYS 4

/* A manifest is a few hundred bytes; a larger one is read again each time. */
#define ENTRY_MAX ((size_t)16 << 10)

/* File times move in ticks of the kernel's clock, at most this long: a file written again within
 * one could look the same. */
#define SETTLED_NS ((int64_t)100 * 1000 * 1000)

struct entry {
    struct cached shown; /* first: the two are one object */
    atomic_uint references;
    char id[ID_MAX + 1];
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};
static_assert(offsetof(struct entry, shown) == 0, "a cached is the start of its entry");

struct slot {
    struct entry *entry;
    uint64_t used;
};

struct set {
    pthread_mutex_t mutex;
    uint64_t clock; /* counts uses: the slot with the smallest is the next to go */
    struct slot slots[WAYS];
};

struct cache {
    const struct store *store;
    struct set sets[SETS];
};

static void release(struct entry *entry)
{
    if (!entry || atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel) != 1)
        return;
    manifest_clear(&entry->shown.manifest);
    text_clear(&entry->shown.bytes);
    text_clear(&entry->shown.json);
    free(entry);
}

OWN(struct entry, release)
#define auto_entry AUTO(release)

void cached_release(const struct cached *cached)
{
    /* Only the reference count changes, which is ours. */
    release((struct entry *)cached);
}

struct cache *cache_open(const struct store *store, struct error *err)
{
    struct cache *cache = calloc(1, sizeof *cache);

    if (!cache) {
        error_memory(err);
        return NULL;
    }
    cache->store = store;
    for (size_t i = 0; i < SETS; i++)
        pthread_mutex_init(&cache->sets[i].mutex, NULL);
    return cache;
}

void cache_close(struct cache *cache)
{
    for (size_t i = 0; cache && i < SETS; i++) {
        for (size_t way = 0; way < WAYS; way++)
            release(cache->sets[i].slots[way].entry);
        pthread_mutex_destroy(&cache->sets[i].mutex);
    }
    free(cache);
}

/* FNV-1a. */
static struct set *set_of(struct cache *cache, const char *id)
{
    uint32_t hash = 2166136261U;

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619U;
    return &cache->sets[hash % SETS];
}

static struct slot *slot_of(struct set *set, const char *id)
{
    for (size_t way = 0; way < WAYS; way++)
        if (set->slots[way].entry && strcmp(set->slots[way].entry->id, id) == 0)
            return &set->slots[way];
    return NULL;
}

static struct slot *oldest_slot(struct set *set)
{
    struct slot *oldest = &set->slots[0];

    for (size_t way = 1; way < WAYS; way++)
        if (set->slots[way].used < oldest->used)
            oldest = &set->slots[way];
    return oldest;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_current(const struct cache *cache, const struct entry *entry)
{
    struct stat now;

    return store_stat(cache->store, entry->id, MANIFEST_FILE, AT_SYMLINK_NOFOLLOW, &now) == 0
        && now.st_ino == entry->inode && now.st_dev == entry->device && now.st_size == entry->size
        && is_same_time(now.st_mtim, entry->modified) && is_same_time(now.st_ctim, entry->changed);
}

static struct entry *take_reference(struct set *set, const char *id)
{
    struct entry *entry = NULL;

    pthread_mutex_lock(&set->mutex);
    struct slot *slot = slot_of(set, id);
    if (slot) {
        slot->used = ++set->clock;
        entry = slot->entry;
        atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&set->mutex);
    return entry;
}

/* Puts `entry` (NULL for none) in the place of the one of that id, or else of the oldest. */
static void put(struct set *set, const char *id, struct entry *entry)
{
    pthread_mutex_lock(&set->mutex);
    struct slot *slot = slot_of(set, id);
    if (!slot && entry)
        slot = oldest_slot(set);
    struct entry *old = slot ? slot->entry : NULL;
    if (slot)
        *slot = (struct slot){.entry = entry, .used = entry ? ++set->clock : 0};
    pthread_mutex_unlock(&set->mutex);
    release(old);
}

const struct cached *cache_find(struct cache *cache, const char *id)
{
    struct set *set = set_of(cache, id);
    auto_entry struct entry *entry = take_reference(set, id);

    if (!entry)
        return NULL;
    if (is_current(cache, entry))
        return &TAKE(entry)->shown;
    put(set, id, NULL);
    return NULL;
}

bool cache_confirms(const struct cache *cache, const struct cached *cached)
{
    return is_current(cache, (const struct entry *)cached);
}

static bool read_bytes(const struct cache *cache, struct entry *entry, struct error *err)
{
    auto_fd int dir = store_open_snapshot(cache->store, entry->id, err);
    struct stat stat;

    entry->shown.bytes.max = MANIFEST_MAX + 65536;
    if (dir < 0)
        return false;
    if (!file_read(dir, MANIFEST_FILE, MANIFEST_MAX, &entry->shown.bytes, &stat, err)) {
        if (err->code == ERR_NOT_FOUND)
            error_set(err, ERR_NOT_FOUND,
                      "snapshot %s has no " MANIFEST_FILE ": a save is under way, or was cut short",
                      entry->id);
        return false;
    }
    entry->device = stat.st_dev;
    entry->inode = stat.st_ino;
    entry->size = stat.st_size;
    entry->modified = stat.st_mtim;
    entry->changed = stat.st_ctim;
    return true;
}

/* The digest is of manifest.bin: what differs between the two tags is the representation. */
static bool make_tags(struct cached *shown, struct error *err)
{
    char digest[DIGEST_HEX_SIZE];

    if (!digest_of(shown->bytes.data, shown->bytes.len, digest, err))
        return false;
    snprintf(shown->bytes_tag, sizeof shown->bytes_tag, "\"%.32s-pb\"", digest);
    snprintf(shown->json_tag, sizeof shown->json_tag, "\"%.32s-json\"", digest);
    return true;
}

static bool is_settled(const struct entry *entry)
{
    struct timespec now = clock_now();
    int64_t seconds = now.tv_sec - entry->changed.tv_sec;

    /* A change in the future, or of long ago, needs no nanoseconds. */
    if (seconds < 0 || seconds > 1)
        return seconds > 1;
    return seconds * 1000000000 + now.tv_nsec - entry->changed.tv_nsec >= SETTLED_NS;
}

const struct cached *cache_load(struct cache *cache, const char *id, struct error *err)
{
    auto_entry struct entry *entry = calloc(1, sizeof *entry);

    if (!entry) {
        error_memory(err);
        return NULL;
    }
    atomic_init(&entry->references, 1);
    snprintf(entry->id, sizeof entry->id, "%s", id);
    struct cached *shown = &entry->shown;
    if (!read_bytes(cache, entry, err)
        || !manifest_decode(shown->bytes.data, shown->bytes.len, &shown->manifest, err)
        || !manifest_to_json(&shown->manifest, &shown->json, err) || !make_tags(shown, err))
        return NULL;
    if (is_settled(entry) && shown->bytes.len + shown->json.len <= ENTRY_MAX) {
        atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
        put(set_of(cache, id), id, entry);
    }
    return &TAKE(entry)->shown;
}
