/* Notices what other processes do in snapshots/.
 *
 * A thread is told by inotify(7) of directories that come and go, and, by one watch a directory, of
 * files in those that are no whole snapshot yet; it reads them again and takes note of them in the
 * catalogue. What the service does itself is told likewise: the catalogue knows it by then. Where
 * the kernel loses changes, or its limits allow no more watches, rescans stand in. Safe from any
 * thread. */
#pragma once

#include "base/error.h"

struct service;
struct watch;

/* From here on nothing that happens is missed; watch_start() begins to heed it. The service must
 * outlive it. Where there is no watching, rescans do all. NULL with ERR_INTERNAL without memory or
 * descriptors. */
struct watch *watch_open(struct service *service, struct error *err);
void watch_close(struct watch *watch);

/* The service's catalogue is filled, and its rescans have started. ERR_INTERNAL if there are no
 * threads left. */
bool watch_start(struct watch *watch, struct error *err);

/* Harmless if it was never started, or NULL. */
void watch_stop(struct watch *watch);

/* Why to look at an id. */
enum watch_reason {
    WATCH_UNFINISHED, /* it was found to be no whole snapshot: its directory is to be watched */
    WATCH_RELEASED,   /* it was being written when it was to be read */
};

/* Wakes the thread, and waits for nothing. Under any lock. */
void watch_mention(struct watch *watch, const char *id, enum watch_reason reason);

/* All that the catalogue says is no whole snapshot is to be watched. */
void watch_review(struct watch *watch);
