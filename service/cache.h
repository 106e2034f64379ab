/* Manifests in memory, decoded and rendered, each checked against its file's identity before it is
 * answered. Safe from any thread. */
#pragma once

#include <stdint.h>

#include "base/own.h"
#include "codec/model.h"
#include "service/store.h"

#define CACHE_TAG_SIZE 48

/* One manifest, shared and constant; held until cached_release(). */
struct cached {
    struct manifest manifest;
    struct text bytes;              /* manifest.bin itself */
    struct text json;               /* the same as JSON */
    char bytes_tag[CACHE_TAG_SIZE]; /* strong entity tags (RFC 9110), quotes included */
    char json_tag[CACHE_TAG_SIZE];
};

void cached_release(const struct cached *cached);
static inline void cached_release_p(const struct cached **cached)
{
    if (*cached)
        cached_release(*cached);
}
#define auto_cached AUTO(cached_release)

struct cache;

/* The store must outlive the cache. NULL with ERR_INTERNAL without memory. */
struct cache *cache_open(const struct store *store, struct error *err);
void cache_close(struct cache *cache);
OWN(struct cache, cache_close)

/* What is in memory and still true of the disk; NULL if nothing is. Costs one fstatat() of a
 * file that was read not long ago, and waits for nothing else. */
const struct cached *cache_find(struct cache *cache, const char *id);

/* From disk, and kept for next time. NULL with ERR_NOT_FOUND (no such snapshot, or it has no
 * manifest yet), ERR_DAMAGED, ERR_PERMISSION or ERR_IO. */
const struct cached *cache_load(struct cache *cache, const char *id, struct error *err);

/* Whether it is still what is on disk. */
bool cache_confirms(const struct cache *cache, const struct cached *cached);
