#include "service/survey.h"

#include <sys/statvfs.h>

#include "base/clock.h"
#include "service/service.h"

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
        metrics_set(metrics, METRIC_STORE_MEASURED, 0, clock_unix_ms() * 1000000);
    }
    atomic_store(&service->survey.is_measuring, false);
}

/* One such job at a time: where the disk hangs, they must not pile up. */
void survey_request(struct service *service)
{
    struct survey *survey = &service->survey;

    if (!atomic_exchange(&survey->is_measuring, true)
        && !lane_submit(service->lanes[LANE_READ], measure, service))
        atomic_store(&survey->is_measuring, false);
}
