#include "service/upkeep.h"

#include "service/reconcile.h"
#include "service/watch.h"

static void *keep_up(void *context)
{
    struct service *service = context;

    for (;;)
        switch (catalog_await(service->catalog)) {
        case TASK_COMMIT:
            catalog_commit(service->catalog);
            break;
        case TASK_REOPEN:
            if (catalog_reopen(service->catalog)
                && reconcile_all(service, RECONCILE_LOOKS, reconcile_threads()))
                watch_review(service->watch);
            break;
        default:
            return NULL;
        }
}

bool upkeep_start(struct service *service, struct error *err)
{
    struct upkeep *upkeep = &service->upkeep;

    upkeep->is_running = pthread_create(&upkeep->thread, NULL, keep_up, service) == 0;
    return upkeep->is_running || error_set(err, ERR_INTERNAL, "cannot start a thread");
}

void upkeep_stop(struct service *service)
{
    catalog_stop(service->catalog);
    if (TAKE_AS(service->upkeep.is_running, false))
        pthread_join(service->upkeep.thread, NULL);
}
