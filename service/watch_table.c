#include "service/watch_table.h"

#include <search.h>
#include <stdio.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct watched *)a)->id, ((const struct watched *)b)->id);
}

static int compare_numbers(const void *a, const void *b)
{
    const int first = ((const struct watched *)a)->wd;
    const int second = ((const struct watched *)b)->wd;

    return (first > second) - (first < second);
}

void watch_table_open(struct watch_table *table)
{
    *table = (struct watch_table){0};
    TAILQ_INIT(&table->heard);
    TAILQ_INIT(&table->settling);
    TAILQ_INIT(&table->waiting);
}

static void forget(void *watched)
{
    (void)watched; /* the other tree's */
}

void watch_table_close(struct watch_table *table)
{
    tdestroy(table->by_wd, forget);
    tdestroy(table->by_id, free);
}

static struct watched *find(void *const *tree, const struct watched *like,
                            int (*compare)(const void *, const void *))
{
    struct watched **found = tfind(like, tree, compare);

    return found ? *found : NULL;
}

struct watched *watch_table_find(const struct watch_table *table, const char *id)
{
    struct watched like;

    snprintf(like.id, sizeof like.id, "%s", id);
    return find(&table->by_id, &like, compare_ids);
}

struct watched *watch_table_find_wd(const struct watch_table *table, int wd)
{
    const struct watched like = {.wd = wd};

    return find(&table->by_wd, &like, compare_numbers);
}

struct watched *watch_table_add(struct watch_table *table, const char *id)
{
    struct watched *watched = watch_table_find(table, id);

    if (watched)
        return watched;
    watched = calloc(1, sizeof *watched);
    if (!watched)
        return NULL;
    snprintf(watched->id, sizeof watched->id, "%s", id);
    watched->wd = -1;
    if (tsearch(watched, &table->by_id, compare_ids))
        return watched;
    free(watched);
    return NULL;
}

bool watch_table_number(struct watch_table *table, struct watched *watched, int wd)
{
    if (watched->wd >= 0)
        tdelete(watched, &table->by_wd, compare_numbers);
    watched->wd = wd;
    if (wd < 0 || tsearch(watched, &table->by_wd, compare_numbers))
        return true;
    watched->wd = -1;
    return false;
}

void watch_table_move(struct watched *watched, struct watched_list *list)
{
    if (watched->list)
        TAILQ_REMOVE(watched->list, watched, link);
    watched->list = list;
    if (list)
        TAILQ_INSERT_TAIL(list, watched, link);
}

void watch_table_remove(struct watch_table *table, struct watched *watched)
{
    watch_table_move(watched, NULL);
    watch_table_number(table, watched, -1);
    tdelete(watched, &table->by_id, compare_ids);
    free(watched);
}
