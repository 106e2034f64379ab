#include "service/survey.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "service/load.h"
#include "service/service.h"

/* How many times as long as it took a count rests. */
#define REST 19

static void note_time(struct metrics *metrics, enum metric metric)
{
    metrics_set(metrics, metric, 0, clock_unix_ms() * 1000000);
}

/* Some filesystems (Btrfs) make inodes as they are needed, and say that they have none. */
static void set_inodes(struct metrics *metrics, const struct statvfs *fs)
{
    if (fs->f_files == 0)
        return;
    metrics_set(metrics, METRIC_STORE_INODES, 0, fs->f_files);
    metrics_set(metrics, METRIC_STORE_FREE_INODES, 0, fs->f_favail);
}

static void measure(void *context)
{
    struct service *service = context;
    struct metrics *metrics = service->metrics;
    struct statvfs fs;

    if (fstatvfs(service->store->snapshots, &fs) == 0) {
        metrics_set(metrics, METRIC_STORE_SIZE_BYTES, 0, (uint64_t)fs.f_blocks * fs.f_frsize);
        metrics_set(metrics, METRIC_STORE_FREE_BYTES, 0, (uint64_t)fs.f_bavail * fs.f_frsize);
        set_inodes(metrics, &fs);
        note_time(metrics, METRIC_STORE_MEASURED);
    }
    atomic_store(&service->survey.is_measuring, false);
}

struct census {
    uint64_t counts[SNAPSHOT__COUNT];
    uint64_t bytes[FILE__COUNT];
    uint64_t allocated_bytes;
};

/* One that is there and cannot be read is damaged, as lists have it. */
static void count_snapshot(const struct store *store, const char *id, struct census *census)
{
    auto_snapshot struct snapshot snapshot = {0};
    struct stat memory;
    struct error err;

    if (!load_snapshot(store, id, LIVE_NONE, &snapshot, &err)) {
        census->counts[SNAPSHOT_DAMAGED] += err.code != ERR_NOT_FOUND;
        return;
    }
    census->counts[snapshot.status]++;
    census->bytes[FILE_MEMORY] += snapshot.memory_size_bytes;
    census->bytes[FILE_STATE] += snapshot.state_size_bytes;
    if (store_stat(store, id, MEMORY_FILE, 0, &memory) == 0)
        census->allocated_bytes += (uint64_t)memory.st_blocks * 512; /* stat(2): always 512 */
}

static bool take_census(const struct service *service, struct census *census, struct error *err)
{
    auto_dir DIR *list = store_list(service->store->snapshots, err);

    if (!list)
        return false;
    for (const char *id; !atomic_load(&service->survey.is_over) && (id = store_next(list));)
        if (id_is_valid(id))
            count_snapshot(service->store, id, census);
    return errno == 0 || error_errno(err, "cannot list the snapshots");
}

static void set_census(struct metrics *metrics, const struct census *census)
{
    for (size_t i = 0; i < SNAPSHOT__COUNT; i++)
        metrics_set(metrics, METRIC_SNAPSHOTS, i, census->counts[i]);
    for (size_t i = 0; i < FILE__COUNT; i++)
        metrics_set(metrics, METRIC_SNAPSHOT_BYTES, i, census->bytes[i]);
    metrics_set(metrics, METRIC_SNAPSHOT_ALLOCATED_BYTES, 0, census->allocated_bytes);
    note_time(metrics, METRIC_SNAPSHOTS_COUNTED);
}

static void count(void *context)
{
    struct service *service = context;
    struct survey *survey = &service->survey;
    struct census census = {0};
    struct error err;
    const uint64_t begun = clock_monotonic_ns();

    if (!take_census(service, &census, &err))
        log_event(LOG_WARN, "snapshots not counted", LOG_TEXT("detail", err.message));
    else if (!atomic_load(&survey->is_over))
        set_census(service->metrics, &census);
    const uint64_t ended = clock_monotonic_ns();
    atomic_store(&survey->count_due_ns, ended + REST * (ended - begun));
    atomic_store(&survey->is_counting, false);
}

/* One such job at a time: where the disk hangs, they must not pile up. */
static void submit(struct service *service, lane_work *work, atomic_bool *is_under_way)
{
    if (!atomic_exchange(is_under_way, true)
        && !lane_submit(service->lanes[LANE_READ], work, service))
        atomic_store(is_under_way, false);
}

void survey_request(struct service *service)
{
    struct survey *survey = &service->survey;

    submit(service, measure, &survey->is_measuring);
    if (clock_monotonic_ns() >= atomic_load(&survey->count_due_ns))
        submit(service, count, &survey->is_counting);
}

void survey_stop(struct survey *survey)
{
    atomic_store(&survey->is_over, true);
}
