#include "base/lane.h"

#include <pthread.h>
#include <stdio.h>

#define STACK_SIZE ((size_t)512 << 10)

struct job {
    lane_work *work;
    void *context;
};

struct lane {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t *threads;
    unsigned thread_count;
    struct job *jobs; /* a ring */
    size_t capacity, first, count;
    size_t busy; /* threads at work */
    uint64_t taken, refused;
    bool stopping;
};

static const char *const names[LANE__COUNT] = {"read", "publish", "bulk"};

const char *lane_name(enum lane_kind kind)
{
    return names[kind];
}

/* Waits for the next job; false once the lane is stopping and empty. `job` is what was done before;
 * nothing, at first. */
static bool next_job(struct lane *lane, struct job *job)
{
    pthread_mutex_lock(&lane->mutex);
    lane->busy -= job->work != NULL;
    while (lane->count == 0 && !lane->stopping)
        pthread_cond_wait(&lane->wake, &lane->mutex);
    bool found = lane->count > 0;
    if (found) {
        *job = lane->jobs[lane->first];
        lane->first = (lane->first + 1) % lane->capacity;
        lane->count--;
        lane->busy++;
    }
    pthread_mutex_unlock(&lane->mutex);
    return found;
}

static void *run_jobs(void *context)
{
    struct job job = {0};

    while (next_job(context, &job))
        job.work(job.context);
    return NULL;
}

static bool start_threads(struct lane *lane, const char *name, unsigned threads)
{
    pthread_attr_t attr;
    char label[16]; /* as long as the kernel takes */

    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    while (lane->thread_count < threads) {
        pthread_t *thread = &lane->threads[lane->thread_count];
        if (pthread_create(thread, &attr, run_jobs, lane) != 0)
            break;
        snprintf(label, sizeof label, "%s-%u", name, lane->thread_count++);
        pthread_setname_np(*thread, label);
    }
    pthread_attr_destroy(&attr);
    return lane->thread_count == threads;
}

struct lane *lane_start(const char *name, unsigned threads, size_t queue_max, struct error *err)
{
    struct lane *lane = calloc(1, sizeof *lane);

    if (!lane) {
        error_memory(err);
        return NULL;
    }
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->wake, NULL);
    lane->capacity = queue_max;
    lane->jobs = calloc(queue_max, sizeof *lane->jobs);
    lane->threads = calloc(threads, sizeof *lane->threads);
    if (lane->jobs && lane->threads && start_threads(lane, name, threads))
        return lane;
    error_set(err, ERR_INTERNAL, "cannot start %u threads for the %s lane", threads, name);
    lane_stop(lane);
    return NULL;
}

bool lane_submit(struct lane *lane, lane_work *work, void *context)
{
    pthread_mutex_lock(&lane->mutex);
    bool room = lane->count < lane->capacity;
    if (room) {
        lane->jobs[(lane->first + lane->count) % lane->capacity] = (struct job){work, context};
        lane->count++;
        pthread_cond_signal(&lane->wake);
    }
    lane->taken += room;
    lane->refused += !room;
    pthread_mutex_unlock(&lane->mutex);
    return room;
}

struct lane_load lane_measure(struct lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    const struct lane_load load = {.threads = lane->thread_count,
                                   .busy = lane->busy,
                                   .queued = lane->count,
                                   .queue_max = lane->capacity,
                                   .taken = lane->taken,
                                   .refused = lane->refused};
    pthread_mutex_unlock(&lane->mutex);
    return load;
}

void lane_stop(struct lane *lane)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->mutex);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->mutex);
    for (unsigned i = 0; i < lane->thread_count; i++)
        pthread_join(lane->threads[i], NULL);
    pthread_cond_destroy(&lane->wake);
    pthread_mutex_destroy(&lane->mutex);
    free(lane->threads);
    free(lane->jobs);
    free(lane);
}
