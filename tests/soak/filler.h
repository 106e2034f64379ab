/* Fills the disk to its last block, lets it be full for a while, and makes room again, over and
 * over. */
#pragma once

#include "tests/soak/soak.h"

struct filler {
    struct soak *soak;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_over;
};

/* Does nothing where the disk may not be filled. */
void filler_start(struct filler *filler, struct soak *soak);

/* Makes room, too. */
void filler_stop(struct filler *filler);
