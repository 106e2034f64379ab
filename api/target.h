/* A request target (RFC 9112, section 3.2) taken apart: pure. */
#pragma once

#include "api/header.h"
#include "base/error.h"

struct target {
    struct span authority; /* of the absolute form, where it outranks Host; else empty */
    const char *path;      /* with the query: "/snapshots?limit=1", "" for "http://host", or "*" */
};

/* Origin, absolute or asterisk form; borrows the target. ERR_BAD_REQUEST if it is none of these. */
bool target_split(const char *target, struct target *out, struct error *err);

/* What follows `base` ("/vms") in a path that begins with its segments; else the path itself. */
const char *target_strip(const char *path, const char *base);
