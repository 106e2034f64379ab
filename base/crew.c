#include "base/crew.h"

#include <pthread.h>
#include <stddef.h>

struct part {
    void (*work)(void *context);
    void *context;
};

static void *run_part(void *context)
{
    const struct part *part = context;

    part->work(part->context);
    return NULL;
}

void crew_run(unsigned threads, void (*work)(void *context), void *context)
{
    struct part part = {work, context};
    pthread_t others[CREW_MAX];
    unsigned started = 0;

    while (started + 1 < threads && started + 1 < CREW_MAX
           && pthread_create(&others[started], NULL, run_part, &part) == 0)
        started++;
    work(context);
    for (unsigned i = 0; i < started; i++)
        pthread_join(others[i], NULL);
}
