#include "codec/event.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "codec/emit.h"

#define EPOCH_LEN 16 /* digits */

static const char *const names[EVENT__COUNT] = {"created", "updated", "deleted",
                                                "incomplete", "damaged", "pruned"};

const char *event_kind_name(enum event_kind kind)
{
    return names[kind];
}

static void write_id(struct text *out, uint64_t epoch, uint64_t number)
{
    text_appendf(out, "id: %0*" PRIx64 "-%" PRIu64 "\n", EPOCH_LEN, epoch, number);
}

static void write_data(struct text *out, const struct event *event)
{
    char at[RFC3339_SIZE];
    const struct timespec time = {.tv_sec = (time_t)(event->at_ms / 1000),
                                  .tv_nsec = (long)(event->at_ms % 1000) * 1000000};

    clock_format_aligned(time, at);
    emit_raw(out, "data: {");
    emit_key(out, "id");
    emit_string(out, event->id);
    emit_key(out, "at");
    emit_string(out, at);
    emit_raw(out, "}\n");
}

void event_write(struct text *out, uint64_t epoch, const struct event *event)
{
    text_appendf(out, "event: %s\n", names[event->kind]);
    write_id(out, epoch, event->number);
    write_data(out, event);
    text_appends(out, "\n");
}

void event_write_position(struct text *out, const struct event_position *position)
{
    write_id(out, position->epoch, position->number);
    text_appends(out, "\n");
}

void event_write_reset(struct text *out, const struct event_position *position)
{
    text_appends(out, "event: reset\n");
    write_id(out, position->epoch, position->number);
    text_appends(out, "data: {}\n\n");
}

void event_write_comment(struct text *out)
{
    text_appends(out, ":\n\n");
}

bool event_parse_position(const char *id, struct event_position *out)
{
    char *end = NULL;
    size_t digits = strspn(id, "0123456789abcdef");
    uint64_t number;

    if (digits != EPOCH_LEN || id[digits] != '-')
        return false;
    const char *tail = id + digits + 1;
    if (!number_parse(tail, strlen(tail), &number))
        return false;
    *out = (struct event_position){strtoull(id, &end, 16), number};
    return true;
}
