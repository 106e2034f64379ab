#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

#define NS_PER_S  1000000000U
#define NS_PER_US 1000U

void process_note_start(struct metrics *metrics)
{
    metrics_set(metrics, METRIC_PROCESS_START_TIME, 0, clock_unix_ms() * 1000000);
}

/* The first two numbers of proc(5)'s statm: pages that are mapped, and that are resident. */
static void measure_memory(struct metrics *metrics)
{
    char line[256];
    char *end;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    auto_fd int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

    if (len <= 0)
        return;
    line[len] = '\0';
    metrics_set(metrics, METRIC_PROCESS_VIRTUAL_BYTES, 0, strtoull(line, &end, 10) * page);
    metrics_set(metrics, METRIC_PROCESS_RESIDENT_BYTES, 0, strtoull(end, NULL, 10) * page);
}

/* Entries of a directory in /proc but "." and "..", as a gauge. */
static void count_entries(struct metrics *metrics, enum metric metric, const char *path,
                          uint64_t own)
{
    DIR *list = opendir(path);
    uint64_t count = 0;

    if (!list)
        return;
    while (readdir(list)) /* NOLINT(concurrency-mt-unsafe): a list is one thread's */
        count++;
    closedir(list);
    metrics_set(metrics, metric, 0, count - 2 - own);
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

void process_measure(struct metrics *metrics)
{
    struct rusage used;
    struct rlimit files;

    if (getrusage(RUSAGE_SELF, &used) == 0)
        metrics_set(metrics, METRIC_PROCESS_CPU, 0, ns_of(used.ru_utime) + ns_of(used.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metrics_set(metrics, METRIC_PROCESS_MAX_FDS, 0, files.rlim_cur);
    measure_memory(metrics);
    count_entries(metrics, METRIC_PROCESS_OPEN_FDS, "/proc/self/fd", 1); /* that of the list */
    count_entries(metrics, METRIC_PROCESS_THREADS, "/proc/self/task", 0);
}
