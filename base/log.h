/* One line per event on standard error.
 *
 *   log_event(LOG_INFO, "store opened", LOG_TEXT("path", path), LOG_NUMBER("snapshots", count));
 *
 *   2026-01-02T03:04:05.678Z info  store opened path=/var/lib/vmsnapd snapshots=3
 *
 * A line is one write of at most LOG_LINE_MAX bytes; what does not fit is cut off and the line says
 * so. Whatever a value holds, it cannot end the line or forge a field. Safe from any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 4096

enum log_format { LOG_AS_TEXT,
                  LOG_AS_JSON,
                  LOG_FORMAT__COUNT };
enum log_level { LOG_DEBUG,
                 LOG_INFO,
                 LOG_WARN,
                 LOG_ERROR,
                 LOG_AUDIT, /* said whatever the least level is */
                 LOG_LEVEL__COUNT };

/* Spellings, ended by NULL; of levels, those that can be the least. */
extern const char *const log_format_names[LOG_FORMAT__COUNT + 1];
extern const char *const log_level_names[LOG_AUDIT + 1];

/* Once, before there are threads. Until then it is text, from LOG_INFO on. These two choices are
 * state of the process: a log handle in every signature would say no more. */
void log_open(enum log_format format, enum log_level least);

enum log_type { LOG_END,
                LOG_TYPE_TEXT,
                LOG_TYPE_NUMBER,
                LOG_TYPE_FLAG };

struct log_field {
    enum log_type type;
    const char *name; /* snake_case, with the unit in it */
    union {
        const char *text;
        uint64_t number;
        bool flag;
    } value;
};

/* A NULL text leaves the field out. */
#define LOG_TEXT(key, value_)   ((struct log_field){LOG_TYPE_TEXT, key, {.text = (value_)}})
#define LOG_NUMBER(key, value_) ((struct log_field){LOG_TYPE_NUMBER, key, {.number = (value_)}})
#define LOG_FLAG(key, value_)   ((struct log_field){LOG_TYPE_FLAG, key, {.flag = (value_)}})

/* The fields are any number of the three above. Keeps errno. */
#define log_event(level, event, ...) \
    log_write(level, (const struct log_field[]){LOG_TEXT("event", event), ##__VA_ARGS__, {LOG_END}})

/* The first field is the event itself. */
void log_write(enum log_level level, const struct log_field *fields);
