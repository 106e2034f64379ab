/* How full the store is, for the metrics: found out in a lane, for whoever asks next. */
#pragma once

#include <stdatomic.h>

struct service;

/* Zeroed, it is ready. */
struct survey {
    atomic_bool is_measuring; /* a lane does so, or will */
};

/* Has a lane set the gauges of the store. Waits for nothing. */
void survey_request(struct service *service);
