#include "service/reconcile.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/hash.h"
#include "base/log.h"
#include "service/load.h"

/* How many entries of the catalogue are looked at between two locks of it. */
#define WALK_COUNT 512

/* One that is there and cannot be read is listed as damaged, and must not hide the others. */
static bool describe_unreadable(const struct service *service, const char *id, const char *problem,
                                struct snapshot *out)
{
    *out = (struct snapshot){
        .id = strdup(id),
        .path = store_path_of(service->store, id, NULL),
        .status = SNAPSHOT_DAMAGED,
        .problem = strdup(problem),
    };
    return out->id && out->path && out->problem;
}

void reconcile_claimed(struct service *service, const char *id)
{
    struct sighting seen;
    auto_snapshot struct snapshot snapshot = {0};
    struct error err;

    if (load_sighted(service->store, id, &snapshot, &seen, &err)) {
        catalog_note(service->catalog, &snapshot, &seen, CAUSE_FOUND);
        return;
    }
    if (err.code == ERR_NOT_FOUND) {
        catalog_remove(service->catalog, id, CAUSE_FOUND);
        return;
    }
    log_event(LOG_WARN, "snapshot cannot be read", LOG_TEXT("snapshot", id),
              LOG_TEXT("detail", err.message));
    seen.fingerprint = 0; /* to be tried again by whoever looks next */
    if (err.code != ERR_INTERNAL && describe_unreadable(service, id, err.message, &snapshot))
        catalog_note(service->catalog, &snapshot, &seen, CAUSE_FOUND);
}

void reconcile_one(struct service *service, const char *id)
{
    auto_claim struct claim claim;

    claim_wait(&service->claims, id, &claim);
    reconcile_claimed(service, id);
}

bool reconcile_if_idle(struct service *service, const char *id)
{
    auto_claim struct claim claim;

    if (!claim_try(&service->claims, id, &claim))
        return false;
    reconcile_claimed(service, id);
    return true;
}

/* What stands in snapshots/, to be looked up by name. */
struct name {
    size_t at; /* in `texts` */
    uint64_t inode;
    bool is_known; /* the catalogue has it, as it is */
};

struct names {
    struct text texts; /* each ended by a NUL */
    struct name *items;
    size_t count, room;
    uint32_t *slots; /* places in `items`, from 1; 0 is free */
    size_t mask;     /* how many slots there are, which is a power of two, less one */
};

static void names_clear(struct names *names)
{
    text_clear(&names->texts);
    free(names->items);
    free(names->slots);
}

static void names_clear_p(struct names *names)
{
    names_clear(names);
}
#define auto_names AUTO(names_clear)

static const char *name_text(const struct names *names, size_t i)
{
    return names->texts.data + names->items[i].at;
}

static bool add_name(struct names *names, const char *id, uint64_t inode)
{
    if (names->count == names->room) {
        const size_t room = names->room ? names->room * 2 : 256;
        struct name *items = realloc(names->items, room * sizeof *items);
        if (!items)
            return false;
        names->items = items;
        names->room = room;
    }
    names->items[names->count++] = (struct name){.at = names->texts.len, .inode = inode};
    return text_append(&names->texts, id, strlen(id) + 1);
}

static size_t *find_slot(const struct names *names, const char *id, size_t *slot)
{
    *slot = hash_add(HASH_SEED, id, strlen(id)) & names->mask;
    while (names->slots[*slot] && strcmp(name_text(names, names->slots[*slot] - 1), id) != 0)
        *slot = (*slot + 1) & names->mask;
    return slot;
}

static bool index_names(struct names *names)
{
    size_t size = 256;
    size_t slot;

    while (size < names->count * 2)
        size *= 2;
    names->slots = calloc(size, sizeof *names->slots);
    names->mask = size - 1;
    if (!names->slots)
        return false;
    for (size_t i = 0; i < names->count; i++)
        names->slots[*find_slot(names, name_text(names, i), &slot)] = (uint32_t)i + 1;
    return true;
}

static struct name *find_name(const struct names *names, const char *id)
{
    size_t slot;
    uint32_t place = names->slots[*find_slot(names, id, &slot)];

    return place ? &names->items[place - 1] : NULL;
}

/* What is not named like an id, or is no directory, is none of ours. */
static bool list_names(const struct service *service, struct names *names, struct error *err)
{
    auto_dir DIR *list = store_list(service->store->snapshots, err);

    if (!list)
        return false;
    names->texts.max = SIZE_MAX / 2;
    for (const struct dirent *entry; (entry = store_next_entry(list));)
        if (id_is_valid(entry->d_name)
            && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)
            && !add_name(names, entry->d_name, entry->d_ino))
            return error_memory(err);
    if (errno != 0)
        return error_errno(err, "cannot list the snapshots");
    return index_names(names) || error_memory(err);
}

static struct sighting sight(const struct service *service, const char *id)
{
    struct error ignored; /* reading it will say the same */
    auto_fd int dir = store_open_snapshot(service->store, id, &ignored);

    return dir >= 0 ? sighting_take(dir) : (struct sighting){0};
}

static bool looks_same(const struct service *service, const struct catalog_entry *entry)
{
    struct sighting now = sight(service, entry->id);

    return now.inode == entry->seen.inode && now.fingerprint == entry->seen.fingerprint;
}

static bool is_to_be_read(const struct service *service, const struct catalog_entry *entry,
                          const struct name *name, enum reconcile_depth depth)
{
    return name->inode != entry->seen.inode || entry->status != SNAPSHOT_READY
        || (depth == RECONCILE_LOOKS && !looks_same(service, entry));
}

/* What several threads do together. */
struct pass {
    struct service *service;
    enum reconcile_depth depth;
    bool (*rest)(void *context); /* NULL: somebody waits for this pass */
    void *context;
    struct names *names;
    pthread_mutex_t mutex; /* of the walk */
    int64_t walked;
    bool is_walked, has_failed;
    atomic_size_t next; /* name to be looked at */
    atomic_size_t read; /* how many were not known as they are */
};

static void read_one(struct pass *pass, const char *id)
{
    if (pass->rest)
        reconcile_if_idle(pass->service, id);
    else
        reconcile_one(pass->service, id);
}

/* Between two pieces of work; a pass that is not to go on has failed. */
static bool goes_on(struct pass *pass)
{
    if (!pass->rest || pass->rest(pass->context))
        return true;
    pass->has_failed = true;
    return false;
}

/* Fetches the next stretch of entries; false at the end. */
static bool take_stretch(struct pass *pass, struct catalog_entry *entries, size_t *count)
{
    pthread_mutex_lock(&pass->mutex);
    *count = 0;
    if (!pass->is_walked) {
        if (!catalog_walk(pass->service->catalog, pass->walked, entries, WALK_COUNT, count)) {
            *count = 0;
            pass->has_failed = true;
        }
        pass->is_walked = *count < WALK_COUNT;
        if (*count > 0)
            pass->walked = entries[*count - 1].number;
    }
    pthread_mutex_unlock(&pass->mutex);
    return *count > 0;
}

/* Each entry has a name of its own: no two threads touch the same. */
static void look_at_entries(void *context)
{
    struct pass *pass = context;
    struct catalog_entry *entries = malloc(WALK_COUNT * sizeof *entries);
    size_t count;

    while (entries && goes_on(pass) && take_stretch(pass, entries, &count))
        for (size_t i = 0; i < count; i++) {
            struct name *name = find_name(pass->names, entries[i].id);
            if (!name)
                read_one(pass, entries[i].id);
            else
                name->is_known =
                    !is_to_be_read(pass->service, &entries[i], name, pass->depth);
        }
    if (!entries)
        pass->has_failed = true;
    free(entries);
}

static void read_the_rest(void *context)
{
    struct pass *pass = context;

    for (size_t i; (i = atomic_fetch_add(&pass->next, 1)) < pass->names->count;)
        if (!pass->names->items[i].is_known) {
            if (!goes_on(pass))
                return;
            read_one(pass, name_text(pass->names, i));
            atomic_fetch_add(&pass->read, 1);
        }
}

unsigned reconcile_threads(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 || count > CREW_MAX / 4 ? CREW_MAX : (unsigned)count * 4;
}

static void log_pass(const struct pass *pass, uint64_t begun_ns)
{
    const uint64_t duration_ns = clock_monotonic_ns() - begun_ns;

    log_event(LOG_INFO, "catalogue compared with the disk",
              LOG_NUMBER("snapshots", pass->names->count),
              LOG_NUMBER("read", atomic_load(&pass->read)),
              LOG_NUMBER("duration_ms", duration_ns / 1000000));
}

static bool run_pass(struct pass *pass, unsigned threads)
{
    const uint64_t begun_ns = clock_monotonic_ns();
    auto_names struct names names = {0};
    struct error err;

    if (!list_names(pass->service, &names, &err)) {
        log_event(LOG_ERROR, "snapshots could not be listed", LOG_TEXT("detail", err.message));
        return false;
    }
    pass->names = &names;
    pthread_mutex_init(&pass->mutex, NULL);
    crew_run(threads, look_at_entries, pass);
    if (!pass->has_failed)
        crew_run(threads, read_the_rest, pass);
    pthread_mutex_destroy(&pass->mutex);
    if (!pass->has_failed && !pass->rest)
        log_pass(pass, begun_ns);
    return !pass->has_failed;
}

bool reconcile_all(struct service *service, enum reconcile_depth depth, unsigned threads)
{
    struct pass pass = {.service = service, .depth = depth};
    bool is_whole = run_pass(&pass, threads);

    if (is_whole)
        catalog_completed(service->catalog);
    else
        catalog_not_completed(service->catalog);
    return is_whole;
}

/* What others write is passed by, and the catalogue may be empty: no query is to rely on it. */
bool reconcile_gently(struct service *service, enum reconcile_depth depth,
                      bool (*rest)(void *context), void *context)
{
    struct pass pass = {.service = service, .depth = depth, .rest = rest, .context = context};

    return run_pass(&pass, 1);
}
