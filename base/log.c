#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

const char *const log_format_names[LOG_FORMAT__COUNT + 1] = {"text", "json"};
const char *const log_level_names[LOG_AUDIT + 1] = {"debug", "info", "warn", "error"};

static atomic_int chosen_format = LOG_AS_TEXT;
static atomic_int least_level = LOG_INFO;

void log_open(enum log_format format, enum log_level least)
{
    atomic_store(&chosen_format, (int)format);
    atomic_store(&least_level, (int)least);
}

#define RESERVE 24 /* for what closes a line that was cut off */

/* A line being made. Once something did not fit, nothing more is added. */
struct line {
    enum log_format format;
    bool is_cut;
    size_t len;
    char data[LOG_LINE_MAX];
};

static void add(struct line *line, const char *data, size_t len)
{
    if (line->len + len > LOG_LINE_MAX - RESERVE)
        line->is_cut = true;
    if (line->is_cut)
        return;
    memcpy(line->data + line->len, data, len);
    line->len += len;
}

static void adds(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

/* As much of it as there is room for. */
static void add_part(struct line *line, const char *text, size_t len)
{
    size_t room = LOG_LINE_MAX - RESERVE - line->len;

    add(line, text, len < room ? len : room);
    line->is_cut = line->is_cut || len > room;
}

static void add_number(struct line *line, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    add(line, digits + at, sizeof digits - at);
}

/* Past the cut, too: for what the reserve is kept for. */
static void close_with(struct line *line, const char *text)
{
    size_t len = strlen(text);

    memcpy(line->data + line->len, text, len);
    line->len += len;
}

__attribute__((format(printf, 2, 3))) static void addf(struct line *line, const char *fmt, ...)
{
    char piece[128];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(piece, sizeof piece, fmt, args);
    va_end(args);
    add(line, piece, (size_t)len < sizeof piece ? (size_t)len : sizeof piece - 1);
}

/* Does it stand for itself wherever it is, as nearly all of them do? */
static bool is_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static size_t measure_plain(const char *text)
{
    size_t len = 0;

    while (is_plain(text[len]))
        len++;
    return len;
}

/* Bytes that may stand as they are: no control characters (C1 too), no line separators. */
static size_t measure_printable(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t step = utf8_sequence(text, len);
    bool is_control = (step == 1 && (*bytes < ' ' || *bytes == 0x7f))
        || (step == 2 && *bytes == 0xc2 && bytes[1] < 0xa0)
        || (step == 3 && (memcmp(text, "\u2028", 3) == 0 || memcmp(text, "\u2029", 3) == 0));

    return is_control ? 0 : step;
}

/* What is not printable, as an escape that JSON knows too; a stray byte becomes U+FFFD there. */
static size_t add_escape(struct line *line, const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t step = utf8_sequence(text, len);

    if (step == 3)
        addf(line, "\\u%x", 0x2000 | (bytes[1] & 0x3f) << 6 | (bytes[2] & 0x3f));
    else if (step > 0)
        addf(line, "\\u%04x", step == 2 ? bytes[1] : bytes[0]);
    else if (line->format == LOG_AS_JSON)
        addf(line, "\uFFFD");
    else
        addf(line, "\\x%02x", bytes[0]);
    return step ? step : 1;
}

static void add_escaped(struct line *line, const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && !line->is_cut) {
        size_t plain = measure_plain(text);
        size_t step = plain ? plain : measure_printable(text, len);
        if (plain > 0)
            add_part(line, text, plain);
        else if (*text == '"' || *text == '\\')
            addf(line, "\\%c", *text);
        else if (step > 0)
            add(line, text, step);
        else
            step = add_escape(line, text, len);
        text += step;
        len -= step;
    }
}

static void add_quoted(struct line *line, const char *text)
{
    add(line, "\"", 1);
    if (line->is_cut)
        return;
    add_escaped(line, text);
    close_with(line, "\"");
}

/* Is it one word that cannot be taken for anything else? */
static bool is_word(const char *text)
{
    size_t len = measure_plain(text);

    return len > 0 && text[len] == '\0';
}

static void add_value(struct line *line, const struct log_field *field)
{
    if (field->type == LOG_TYPE_NUMBER)
        add_number(line, field->value.number);
    else if (field->type == LOG_TYPE_FLAG)
        adds(line, field->value.flag ? "true" : "false");
    else if (line->format == LOG_AS_TEXT && is_word(field->value.text))
        add_escaped(line, field->value.text);
    else
        add_quoted(line, field->value.text);
}

static void add_field(struct line *line, const struct log_field *field)
{
    size_t before = line->len;

    if (field->type == LOG_TYPE_TEXT && !field->value.text)
        return;
    adds(line, line->format == LOG_AS_JSON ? ",\"" : " ");
    adds(line, field->name);
    adds(line, line->format == LOG_AS_JSON ? "\":" : "=");
    size_t named = line->len;
    add_value(line, field);
    if (line->len == named) /* a name without its value is worse than neither */
        line->len = before;
}

static const char *level_name(enum log_level level)
{
    return level == LOG_AUDIT ? "audit" : log_level_names[level];
}

static void begin(struct line *line, enum log_level level, const char *event)
{
    const char *name = level_name(level);
    char time[RFC3339_SIZE];

    clock_format_aligned(clock_now(), time);
    if (line->format == LOG_AS_JSON) {
        adds(line, "{\"time\":\"");
        adds(line, time);
        adds(line, "\",\"level\":\"");
        adds(line, name);
        adds(line, "\",\"event\":");
        add_quoted(line, event);
    } else {
        adds(line, time);
        adds(line, " ");
        adds(line, name);
        add(line, "  ", 6 - strlen(name)); /* "error " and "info  " */
        add_escaped(line, event);
    }
}

static void finish(struct line *line)
{
    bool is_json = line->format == LOG_AS_JSON;

    if (line->is_cut)
        close_with(line, is_json ? ",\"truncated\":true" : " ...");
    close_with(line, is_json ? "}\n" : "\n");
}

void log_write(enum log_level level, const struct log_field *fields)
{
    int saved = errno;
    struct line line;

    if ((int)level < atomic_load(&least_level))
        return;
    line.format = (enum log_format)atomic_load(&chosen_format);
    line.is_cut = false;
    line.len = 0;
    begin(&line, level, fields->value.text);
    for (fields++; fields->type != LOG_END; fields++)
        add_field(&line, fields);
    finish(&line);
    /* Whoever cannot read the log is not told so: there is nowhere left to say it. */
    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written;
    errno = saved;
}
