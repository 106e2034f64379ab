/* The caller's place in a distributed trace (W3C Trace Context, level 1): pure. */
#pragma once

#include <stdbool.h>

#define TRACE_ID_SIZE  33 /* 16 bytes in hex, and a NUL */
#define PARENT_ID_SIZE 17

struct trace {
    char id[TRACE_ID_SIZE];         /* "" where the caller told none */
    char parent_id[PARENT_ID_SIZE]; /* of the span that the caller is in */
};

/* From the value of a traceparent header (section 3.2.2). False, and nothing written, for one that
 * is malformed, has an id that is all zeros, or is of version ff. A later version may be longer. */
bool trace_parse(const char *traceparent, struct trace *out);
