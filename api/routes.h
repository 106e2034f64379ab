/* THE table of routes. */
#pragma once

#include "api/router.h"

/* A body as large as the state and the documents that may come with it. */
#define BODY_STREAM UINT64_MAX

extern const struct route routes[];
extern const size_t route_count;
