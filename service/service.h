/* The product, without HTTP: the one handle that api/ holds. Safe from any thread once opened. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/lane.h"
#include "base/metrics.h"
#include "codec/model.h"
#include "service/cache.h"
#include "service/catalog.h"
#include "service/claims.h"
#include "service/event.h"
#include "service/source.h"
#include "service/stage.h"
#include "service/store.h"
#include "service/survey.h"
#include "service/upkeep.h"

struct rescan;
struct watch;

struct service_settings {
    const char *store;         /* absolute path */
    char *const *memory_roots; /* absolute paths of directories */
    size_t memory_root_count;
    enum capture capture; /* where a request names none */
    unsigned lock_wait_s;
    unsigned rescan_s; /* how often to look at all snapshots; 0: only when changes were lost */
    uint64_t state_max_bytes;
    size_t queue_max;       /* that waits for a thread, in each lane */
    unsigned event_beat_ms; /* 0 for EVENT_BEAT_MS */
};

struct service {
    struct metrics *metrics; /* of all that is done here, and for it */
    struct store *store;
    struct roots *roots;
    struct cache *cache;
    struct claims claims;
    struct event_hub *events;
    struct catalog *catalog;
    struct upkeep upkeep;
    struct watch *watch;
    struct rescan *rescan;
    struct lane *lanes[LANE__COUNT];
    enum capture capture;
    uint64_t state_max_bytes;
    bool probed; /* false if the disk was too full to try what it can do */
    struct stage_abilities abilities;
    char capabilities[64];     /* that this process has, of those that matter here; or "none" */
    size_t leftovers;          /* directories that recovery had to leave */
    atomic_bool trash_waiting; /* a lane will empty the trash */
    atomic_bool is_pruning;    /* a plan is being carried out */
    atomic_bool is_draining;   /* what takes long is to end early */
    struct survey survey;
};

/* Opens its parts in order and recovers what a killed predecessor left. The caller owns the
 * service. NULL with what is wrong and what to do about it, as store_open(), roots_open() and
 * stage_probe(). */
struct service *service_open(const struct service_settings *settings, struct error *err);

/* Sets the gauges of lanes and process to what they are now. Never waits for a disk. */
void service_measure(struct service *service);

/* The service is to be closed before long: what goes through many snapshots ends after the one that
 * it is at, and says so. */
void service_drain(struct service *service);

/* Finishes queued work, then closes the parts in reverse. */
void service_close(struct service *service);
OWN(struct service, service_close)
#define auto_service AUTO(service_close)
