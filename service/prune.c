#include "service/prune.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/digest.h"
#include "codec/snapshot.h"
#include "service/extents.h"
#include "service/file.h"
#include "service/retention.h"
#include "service/snapshot.h"

/* So many snapshots are asked for at a time: the catalogue is others', too. */
#define PIECE 500

/* Room for one more; NULL without memory. */
static struct retention_item *add_item(struct retention_plan *plan)
{
    if (plan->count == plan->cap) {
        size_t cap = plan->cap ? plan->cap * 2 : PIECE;
        struct retention_item *items = realloc(plan->items, cap * sizeof *items);
        if (!items)
            return NULL;
        plan->items = items;
        plan->cap = cap;
    }
    plan->items[plan->count] = (struct retention_item){0};
    return &plan->items[plan->count++];
}

/* A plan in the making, or being carried out. */
struct pruning {
    struct service *service;
    const struct retention_policy *policy;
    struct digester *digester;
    struct retention_plan plan;
};

static void pruning_clear_p(struct pruning *pruning)
{
    digester_free(pruning->digester);
    retention_plan_clear(&pruning->plan);
}
#define auto_pruning AUTO(pruning_clear)

static bool digest_document(const struct pruning *pruning, const struct text *json,
                            unsigned char out[DIGEST_SIZE], struct error *err)
{
    return digester_run(pruning->digester, json->data, json->len, out)
        || error_set(err, ERR_INTERNAL, "cannot compute a SHA-256 digest");
}

/* Behind the name it says whether there is a group, too. */
static bool add_names(struct text *names, const struct listed *listed)
{
    text_append(names, listed->id, strlen(listed->id) + 1);
    text_append(names, listed->label ? "+" : "-", 1);
    if (listed->label)
        text_append(names, listed->label, strlen(listed->label) + 1);
    return !text_failed(names);
}

/* Once all of them are there, and stay where they are. */
static void set_names(struct retention_plan *plan)
{
    const char *at = text_str(&plan->names);

    for (size_t i = 0; i < plan->count; i++) {
        plan->items[i].id = at;
        at += strlen(at) + 1;
        if (*at++ == '+') {
            plan->items[i].group = at;
            at += strlen(at) + 1;
        }
    }
}

static bool gather_one(struct pruning *pruning, const struct listed *listed, struct error *err)
{
    struct retention_item *item = add_item(&pruning->plan);

    if (!item || !add_names(&pruning->plan.names, listed))
        return error_memory(err);
    item->status = listed->status;
    item->held = listed->held;
    item->created_at = listed->created_at;
    item->bytes = listed->bytes;
    return digest_document(pruning, &listed->json, item->digest, err);
}

static bool gather_page(struct pruning *pruning, const struct snapshot_page *page,
                        struct error *err)
{
    for (size_t i = 0; i < page->count; i++)
        if (!gather_one(pruning, &page->items[i], err))
            return false;
    return true;
}

static bool gather(struct pruning *pruning, struct error *err)
{
    struct snapshot_query query = {.filter = pruning->policy->filter,
                                   .sort = SORT_ID,
                                   .limit = PIECE,
                                   .label = pruning->policy->group_by};

    do {
        auto_snapshot_page struct snapshot_page page = {0};
        if (!catalog_query(pruning->service->catalog, &query, &page, err)
            || !gather_page(pruning, &page, err))
            return false;
        query.has_after = page.more;
        query.after = page.last;
    } while (query.has_after);
    set_names(&pruning->plan);
    return true;
}

/* Whatever would make it another plan: which snapshots there are, what is known of them, and what
 * is decided. */
static bool digest_set(const struct retention_plan *plan, char out[DIGEST_HEX_SIZE],
                       struct error *err)
{
    auto_digest struct digest *digest = digest_new(err);

    if (!digest)
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        const struct retention_item *item = &plan->items[i];
        if (!digest_update(digest, item->id, strlen(item->id) + 1, err)
            || !digest_update(digest, item->digest, sizeof item->digest, err)
            || !digest_update(digest, &item->reasons, sizeof item->reasons, err))
            return false;
    }
    return digest_finish(digest, out, err);
}

static bool decide(struct pruning *pruning, struct timestamp now, char set[DIGEST_HEX_SIZE],
                   struct error *err)
{
    struct retention_plan *plan = &pruning->plan;

    plan->now = now;
    plan->names.max = SIZE_MAX / 2;
    pruning->digester = digester_new(err);
    return pruning->digester && gather(pruning, err)
        && retention_decide(pruning->policy, now, plan->items, plan->count, err)
        && digest_set(plan, set, err);
}

/* Memory of which there are other names: it is freed with the last of them. */
struct shared {
    dev_t device;
    ino_t inode;
    nlink_t names;
    uint64_t bytes;
    struct retention_item *item;
};

struct measuring {
    const struct store *store;
    struct shared *shared; /* room for one of each item */
    size_t count;
};

/* Of a file of the snapshot; false if it cannot be looked at, and so is not known to free
 * anything. */
static bool measure_file(int dir, const char *name, struct stat *stat, uint64_t *bytes)
{
    struct error ignored;
    auto_fd int fd = file_open(dir, name, stat, &ignored);

    if (fd >= 0)
        *bytes = extents_own_bytes(fd, stat);
    return fd >= 0;
}

static void measure_item(struct measuring *measuring, struct retention_item *item)
{
    struct error ignored;
    struct stat stat;
    uint64_t bytes;
    auto_fd int dir = store_open_snapshot(measuring->store, item->id, &ignored);

    if (dir < 0)
        return;
    if (measure_file(dir, STATE_FILE, &stat, &bytes) && stat.st_nlink == 1)
        item->frees_bytes += bytes;
    if (!measure_file(dir, MEMORY_FILE, &stat, &bytes))
        return;
    if (stat.st_nlink == 1)
        item->frees_bytes += bytes;
    else
        measuring->shared[measuring->count++] =
            (struct shared){stat.st_dev, stat.st_ino, stat.st_nlink, bytes, item};
}

static int compare_files(const void *a, const void *b)
{
    const struct shared *left = a;
    const struct shared *right = b;

    if (left->device != right->device)
        return left->device < right->device ? -1 : 1;
    return (left->inode > right->inode) - (left->inode < right->inode);
}

/* What all names of are dropped is freed by one of them. */
static void count_shared(struct measuring *measuring)
{
    struct shared *shared = measuring->shared;

    qsort(shared, measuring->count, sizeof *shared, compare_files);
    for (size_t i = 0, names; i < measuring->count; i += names) {
        for (names = 1; i + names < measuring->count
             && compare_files(&shared[i], &shared[i + names]) == 0;)
            names++;
        if (names == shared[i].names)
            shared[i].item->frees_bytes += shared[i].bytes;
    }
}

static bool measure(const struct store *store, struct retention_plan *plan, struct error *err)
{
    auto_free struct shared *room = calloc(plan->count + 1, sizeof *room);
    struct measuring measuring = {store, room, 0};

    if (!room)
        return error_memory(err);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].is_dropped)
            measure_item(&measuring, &plan->items[i]);
    count_shared(&measuring);
    return true;
}

static void add(uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = UINT64_MAX;
}

static void sum_up(struct retention_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct retention_item *item = &plan->items[i];
        plan->drop_count += item->is_dropped;
        if (item->is_dropped)
            add(&plan->frees_bytes, item->frees_bytes);
        else
            add(&plan->kept_bytes, item->bytes);
    }
}

static struct timestamp tell_time(void)
{
    const struct timespec now = clock_now();

    return (struct timestamp){now.tv_sec, (int32_t)now.tv_nsec};
}

bool prune_plan(struct service *service, struct retention_ticket *ticket,
                struct retention_plan *out, struct error *err)
{
    auto_pruning struct pruning pruning = {.service = service, .policy = &ticket->policy};

    ticket->now = tell_time();
    if (!decide(&pruning, ticket->now, ticket->set_sha256, err)
        || !measure(service->store, &pruning.plan, err))
        return false;
    sum_up(&pruning.plan);
    *out = TAKE_AS(pruning.plan, (struct retention_plan){0});
    return true;
}

struct dropping {
    const struct pruning *pruning;
    const struct retention_item *item;
};

/* One that is held by now is refused as such, by snapshot_delete(). */
static bool is_as_planned(void *context, const struct snapshot *current, struct error *err)
{
    const struct dropping *dropping = context;
    auto_text struct text json = {0};
    unsigned char digest[DIGEST_SIZE];

    if (!current || current->record.held)
        return true;
    if (!snapshot_to_json(current, &json, err)
        || !digest_document(dropping->pruning, &json, digest, err))
        return false;
    return digest_is_same(digest, dropping->item->digest)
        || error_set(err, ERR_PRECONDITION, "snapshot %s is another by now than was planned for",
                     dropping->item->id);
}

static bool drop(const struct pruning *pruning, const struct retention_item *item,
                 struct error *err)
{
    struct dropping dropping = {pruning, item};
    const struct guard guard = {
        .allow = is_as_planned, .context = &dropping, .cause = CAUSE_PRUNED};

    if (atomic_load(&pruning->service->is_draining))
        return error_set(err, ERR_DRAINING, "the service is about to end");
    return snapshot_delete(pruning->service, item->id, &guard, err);
}

/* Most of the time that a removal takes it waits for the disk, which flushes many at once. */
#define DROP_THREADS 16

struct drop_run {
    struct pruning *pruning;
    prune_told *told;
    void *context;
    atomic_size_t taken; /* of the items, from the oldest on */
};

static void drop_item(const struct drop_run *run, struct retention_item *item)
{
    struct error err;

    if (drop(run->pruning, item, &err)) {
        metrics_add(run->pruning->service->metrics, METRIC_SNAPSHOTS_PRUNED, 0, 1);
    } else {
        item->failure = err.code;
        item->detail = strdup(err.message);
    }
    run->told(run->context, item);
}

static void drop_some(void *context)
{
    struct drop_run *run = context;
    const struct retention_plan *plan = &run->pruning->plan;

    for (size_t i; (i = atomic_fetch_add(&run->taken, 1)) < plan->count;)
        if (plan->items[plan->count - 1 - i].is_dropped)
            drop_item(run, &plan->items[plan->count - 1 - i]);
}

/* A time that is yet to come would make old what is not. */
static bool check_time(struct timestamp planned, struct error *err)
{
    return timestamp_compare(planned, tell_time()) <= 0
        || error_set(err, ERR_PRECONDITION,
                     "this was planned at a time that is yet to come: the clock was set back, so "
                     "plan again");
}

static bool carry_out(struct pruning *pruning, const struct retention_ticket *ticket,
                      prune_told *told, void *context, struct error *err)
{
    struct drop_run run = {.pruning = pruning, .told = told, .context = context};
    char set[DIGEST_HEX_SIZE];

    if (!check_time(ticket->now, err) || !decide(pruning, ticket->now, set, err))
        return false;
    if (strcmp(ticket->set_sha256, set) != 0)
        return error_set(err, ERR_PRECONDITION,
                         "the snapshots are not those that were planned for, or something about "
                         "them has changed: plan again");
    crew_run(DROP_THREADS, drop_some, &run);
    return true;
}

bool prune_apply(struct service *service, const struct retention_ticket *ticket, prune_told *told,
                 void *context, struct retention_plan *out, struct error *err)
{
    auto_pruning struct pruning pruning = {.service = service, .policy = &ticket->policy};

    if (atomic_exchange(&service->is_pruning, true))
        return error_set(err, ERR_BUSY, "another plan is being carried out");
    bool done = carry_out(&pruning, ticket, told, context, err);
    atomic_store(&service->is_pruning, false);
    if (done)
        *out = TAKE_AS(pruning.plan, (struct retention_plan){0});
    return done;
}
