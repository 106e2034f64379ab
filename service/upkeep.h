/* The thread that writes out what the catalogue took note of, and mends it after a failure. */
#pragma once

#include <pthread.h>

#include "base/error.h"

struct service;

struct upkeep {
    pthread_t thread;
    bool is_running;
};

/* The service's catalogue is open. ERR_INTERNAL if there are no threads left. */
bool upkeep_start(struct service *service, struct error *err);

/* Harmless if it was never started. */
void upkeep_stop(struct service *service);
