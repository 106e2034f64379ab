#include "api/trace.h"

#include <string.h>

/* "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" */
#define ID_AT     3
#define PARENT_AT (ID_AT + TRACE_ID_SIZE)
#define FLAGS_AT  (PARENT_AT + PARENT_ID_SIZE)
#define WHOLE_LEN (FLAGS_AT + 2)

/* Exactly `len` digits of lower case, as it must be, and then `after`. */
static bool is_hex(const char *text, size_t len, char after)
{
    return strspn(text, "0123456789abcdef") == len && text[len] == after;
}

static bool is_zero(const char *text, size_t len)
{
    return strspn(text, "0") >= len;
}

/* Version 00 ends here; what a later one adds is led by another dash. */
static bool is_end_fit(const char *version, const char *end)
{
    return *end == '\0' || (*end == '-' && strncmp(version, "00", 2) != 0);
}

bool trace_parse(const char *traceparent, struct trace *out)
{
    const char *id = traceparent + ID_AT;
    const char *parent = traceparent + PARENT_AT;
    const char *flags = traceparent + FLAGS_AT;

    if (strnlen(traceparent, WHOLE_LEN) < WHOLE_LEN || strncmp(traceparent, "ff", 2) == 0
        || !is_hex(traceparent, 2, '-') || !is_hex(id, TRACE_ID_SIZE - 1, '-')
        || !is_hex(parent, PARENT_ID_SIZE - 1, '-') || !is_hex(flags, 2, flags[2])
        || !is_end_fit(traceparent, flags + 2) || is_zero(id, TRACE_ID_SIZE - 1)
        || is_zero(parent, PARENT_ID_SIZE - 1))
        return false;
    memcpy(out->id, id, TRACE_ID_SIZE - 1);
    memcpy(out->parent_id, parent, PARENT_ID_SIZE - 1);
    out->id[TRACE_ID_SIZE - 1] = out->parent_id[PARENT_ID_SIZE - 1] = '\0';
    return true;
}
