/* The directories that the watch has to do with: found by id, and by the kernel's number of a
 * watch. One thread's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/id.h"
#include "base/own.h"

/* What was heard of a directory since it was last looked at. */
enum watch_news {
    NEWS_CAME = 1,        /* moved to its name, whole for all that is known */
    NEWS_MADE = 2,        /* made under its name, to be filled there */
    NEWS_WENT = 4,        /* removed, or moved away: maybe for another to take its place */
    NEWS_INSIDE = 8,      /* files in it changed */
    NEWS_UNFINISHED = 16, /* somebody found it to be no whole snapshot */
    NEWS_RELEASED = 32,   /* it was being written when it was to be read */
};

struct watched {
    char id[ID_MAX + 1];
    int wd;              /* of inotify_add_watch(2); -1 for none */
    unsigned news;       /* of enum watch_news, added up */
    uint64_t settled_ns; /* of one that settles: when it is to be looked at once more */
    struct watched_list *list;
    TAILQ_ENTRY(watched)
    link;
};
TAILQ_HEAD(watched_list, watched);

/* Each is in one of the lists, for the same reason. */
struct watch_table {
    void *by_id, *by_wd;          /* tsearch(3) */
    struct watched_list heard;    /* there is news of them */
    struct watched_list settling; /* ready, and to be looked at once more */
    struct watched_list waiting;  /* no whole snapshots: watched until there is news */
};

void watch_table_open(struct watch_table *table);
void watch_table_close(struct watch_table *table);

struct watched *watch_table_find(const struct watch_table *table, const char *id);

/* The one that is there, or a new one, in no list yet; NULL without memory. */
struct watched *watch_table_add(struct watch_table *table, const char *id);
void watch_table_remove(struct watch_table *table, struct watched *watched);

struct watched *watch_table_find_wd(const struct watch_table *table, int wd);

/* Gives it this number, or none for -1; false without memory. */
bool watch_table_number(struct watch_table *table, struct watched *watched, int wd);

/* To the end of a list. */
void watch_table_move(struct watched *watched, struct watched_list *list);
