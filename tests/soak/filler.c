#include "tests/soak/filler.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "tests/mounts.h"

#define STEP_MS    20
#define FULL_STEPS 60  /* how long it is full */
#define ROOM_STEPS 150 /* how long it is not */

/* False if it is all over meanwhile. */
static bool wait_a_step(struct filler *filler)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += STEP_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&filler->mutex);
    while (!filler->is_over
           && pthread_cond_timedwait(&filler->changed, &filler->mutex, &until) != ETIMEDOUT)
        continue;
    bool goes_on = !filler->is_over;
    pthread_mutex_unlock(&filler->mutex);
    return goes_on;
}

static void *fill_and_empty(void *context)
{
    struct filler *filler = context;
    auto_fd int fd = open(filler->soak->ballast.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    unsigned step = 0;

    must(fd >= 0, filler->soak->ballast.text);
    for (; wait_a_step(filler); step = (step + 1) % (ROOM_STEPS + FULL_STEPS)) {
        if (step == 0)
            must(ftruncate(fd, 0) == 0, "ftruncate");
        if (step >= ROOM_STEPS)
            mounts_fill(fd); /* again at each step: what others free is taken, too */
        if (step == ROOM_STEPS)
            atomic_fetch_add(&filler->soak->tally.filled, 1);
    }
    must(ftruncate(fd, 0) == 0, "ftruncate");
    return NULL;
}

void filler_start(struct filler *filler, struct soak *soak)
{
    *filler = (struct filler){
        .soak = soak, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    if (soak->can_fill)
        must(pthread_create(&filler->thread, NULL, fill_and_empty, filler) == 0, "a thread");
}

void filler_stop(struct filler *filler)
{
    if (!filler->soak->can_fill)
        return;
    pthread_mutex_lock(&filler->mutex);
    filler->is_over = true;
    pthread_cond_broadcast(&filler->changed);
    pthread_mutex_unlock(&filler->mutex);
    pthread_join(filler->thread, NULL);
}
