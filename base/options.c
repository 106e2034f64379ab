#include "base/options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/own.h"
#include "base/text.h"

/* Where a value goes, and what to call its source in an error: a flag or a variable. */
struct target {
    const struct option *option;
    const char *source;
    void *member;
};

typedef bool set_fn(const struct target *target, const char *value, struct error *err);

static bool set_text(const struct target *target, const char *value, struct error *err)
{
    char **member = target->member;
    char *copy = strdup(value);

    if (!copy)
        return error_memory(err);
    free(*member);
    *member = copy;
    return true;
}

static bool set_list(const struct target *target, const char *value, struct error *err)
{
    struct option_list *list = target->member;
    char **items = reallocarray(list->items, list->count + 1, sizeof *items);

    if (!items)
        return error_memory(err);
    list->items = items;
    items[list->count] = strdup(value);
    if (!items[list->count])
        return error_memory(err);
    list->count++;
    return true;
}

static bool refuse_number(const struct target *target, const char *what, struct error *err)
{
    const struct option *option = target->option;

    if (option->max == 0)
        return error_set(err, ERR_INVALID, "%s must be %s", target->source, what);
    return error_set(err, ERR_INVALID, "%s must be %s from %ju to %ju", target->source, what,
                     (uintmax_t)option->min, (uintmax_t)option->max);
}

static char to_upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

/* `value` counts units of 1 << shift. */
static bool parse_number(const struct target *target, const char *value, size_t len, int shift,
                         uint64_t *number)
{
    const struct option *option = target->option;
    uint64_t max = option->max ? option->max : UINT64_MAX - 1; /* above lies what overflowed */

    if (!number_parse(value, len, number)
        || __builtin_mul_overflow(*number, UINT64_C(1) << shift, number))
        return false;
    return *number >= option->min && *number <= max;
}

static bool set_number(const struct target *target, const char *value, struct error *err)
{
    const char *what = target->option->type == OPTION_SECONDS ? "a number of seconds" : "a number";
    uint64_t number;

    if (!parse_number(target, value, strlen(value), 0, &number))
        return refuse_number(target, what, err);
    *(uint64_t *)target->member = number;
    return true;
}

static bool set_bytes(const struct target *target, const char *value, struct error *err)
{
    static const char suffixes[] = "KMGT";
    size_t len = strspn(value, "0123456789");
    const char *suffix = value[len] ? strchr(suffixes, to_upper(value[len])) : NULL;
    int shift = suffix ? 10 * (int)(suffix - suffixes + 1) : 0;
    size_t suffix_len = suffix ? 1 : 0;
    uint64_t number;

    if (value[len + suffix_len] != '\0' || !parse_number(target, value, len, shift, &number))
        return refuse_number(target, "a number of bytes, like 65536, 64K or 1G", err);
    *(uint64_t *)target->member = number;
    return true;
}

static bool set_mode(const struct target *target, const char *value, struct error *err)
{
    size_t len = strspn(value, "01234567");

    if (len == 0 || len > 4 || value[len] != '\0')
        return error_set(err, ERR_INVALID, "%s must be a file's mode in octal, like 0660",
                         target->source);
    *(uint64_t *)target->member = strtoul(value, NULL, 8);
    return true;
}

static bool set_flag(const struct target *target, const char *value, struct error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return error_set(err, ERR_INVALID, "%s must be 0 or 1", target->source);
    *(bool *)target->member = *value == '1';
    return true;
}

static bool set_choice(const struct target *target, const char *value, struct error *err)
{
    auto_text struct text names = {0};

    for (unsigned i = 0; target->option->names[i]; i++) {
        const char *name = target->option->names[i];
        if (*name == '\0')
            continue;
        if (strcmp(value, name) == 0) {
            *(unsigned *)target->member = i;
            return true;
        }
        text_appendf(&names, "%s%s", names.len > 0 ? ", " : "", name);
    }
    return error_set(err, ERR_INVALID, "%s must be one of %s", target->source, text_str(&names));
}

/* By type. */
static set_fn *const setters[] = {
    set_text,
    set_list,
    set_bytes,
    set_number,
    set_number,
    set_mode,
    set_flag,
    set_choice,
};
_Static_assert(sizeof setters / sizeof *setters == OPTION__COUNT, "a type has no setter");

static void *find_member(const struct option *option, void *settings)
{
    return (char *)settings + option->offset;
}

/* A read under way. */
struct reading {
    const struct options *options;
    void *settings;
    int left;          /* arguments not looked at yet */
    char *const *args; /* the first of them */
    bool operands_only;
    bool is_given[OPTIONS_MAX];
};

static bool set(const struct reading *reading, const struct option *option, const char *source,
                const char *value, struct error *err)
{
    struct target target = {option, source, find_member(option, reading->settings)};

    if (option->given)
        *(bool *)((char *)reading->settings + option->given) = true;
    return setters[option->type](&target, value, err);
}

/* `value` may hold several items of a list. */
static bool set_all(const struct reading *reading, const struct option *option, const char *source,
                    const char *value, struct error *err)
{
    int separator = option->separator ? option->separator : ':';

    if (option->type != OPTION_LIST)
        return set(reading, option, source, value, err);
    for (const char *end = value; *value != '\0'; value = *end ? end + 1 : end) {
        end = strchrnul(value, separator);
        auto_free char *item = strndup(value, (size_t)(end - value));
        if (!item)
            return error_memory(err);
        if (*item != '\0' && !set(reading, option, source, item, err))
            return false;
    }
    return true;
}

static const char *take_argument(struct reading *reading)
{
    reading->left--;
    return *reading->args++;
}

static const struct option *find_option(const struct options *options, const char *flag, size_t len)
{
    for (size_t i = 0; i < options->count; i++)
        if (strncmp(options->table[i].flag, flag, len) == 0 && options->table[i].flag[len] == '\0')
            return &options->table[i];
    return NULL;
}

/* The value of the option that `text` names: after '=', or the next argument if that is no flag. */
static const char *take_value(struct reading *reading, const char *text)
{
    const char *equals = strchr(text, '=');

    if (equals)
        return equals + 1;
    if (reading->left == 0 || strncmp(*reading->args, "--", 2) == 0)
        return NULL;
    return take_argument(reading);
}

static bool read_value(struct reading *reading, const struct option *option, const char *text,
                       struct error *err)
{
    const char *value = option->type == OPTION_FLAG ? "1" : take_value(reading, text);

    if (option->type == OPTION_FLAG && strchr(text, '='))
        return error_set(err, ERR_INVALID, "%s takes no value", option->flag);
    if (!value)
        return error_set(err, ERR_INVALID, "%s needs a value: %s", option->flag, option->argument);
    reading->is_given[option - reading->options->table] = true;
    return set(reading, option, option->flag, value, err);
}

/* A dash alone, or nothing, is none. */
static bool is_flag(const struct reading *reading, const char *text)
{
    const char *start = reading->options->operands ? "-" : "--";

    return strncmp(text, start, strlen(start)) == 0 && strcmp(text, "-") != 0;
}

static bool read_operand(const struct reading *reading, const char *text, struct error *err)
{
    const struct option *operands = reading->options->operands;

    if (operands)
        return set(reading, operands, operands->argument, text, err);
    return error_set(err, ERR_INVALID, "unexpected argument %s: see %s --help", text,
                     reading->options->program);
}

static bool read_argument(struct reading *reading, struct error *err)
{
    const char *text = take_argument(reading);
    const char *program = reading->options->program;
    size_t len = strcspn(text, "=");

    if (reading->operands_only || !is_flag(reading, text))
        return read_operand(reading, text, err);
    reading->operands_only = reading->options->operands && strcmp(text, "--") == 0;
    if (reading->operands_only)
        return true;
    const struct option *option = find_option(reading->options, text, len);
    if (!option)
        return error_set(err, ERR_INVALID, "unknown option %.*s: see %s --help", (int)len, text,
                         program);
    return read_value(reading, option, text, err);
}

void options_name_variable(const struct options *options, const struct option *option,
                           char out[OPTION_VARIABLE_SIZE])
{
    snprintf(out, OPTION_VARIABLE_SIZE, "%s_%s", options->program, option->flag + 2);
    for (; *out != '\0'; out++)
        *out = *out == '-' ? '_' : to_upper(*out);
}

/* What the command line did not give: the environment's, else the default. */
static bool read_elsewhere(const struct reading *reading, const struct option *option,
                           struct error *err)
{
    char variable[OPTION_VARIABLE_SIZE];
    const char *value = NULL;

    options_name_variable(reading->options, option, variable);
    if (!reading->options->no_variables)
        value = getenv(variable); /* NOLINT(concurrency-mt-unsafe): before any thread */
    if (value && *value != '\0')
        return set_all(reading, option, variable, value, err);
    if (option->type == OPTION_LIST)
        ((struct option_list *)find_member(option, reading->settings))->is_fallback = true;
    return !option->fallback || set_all(reading, option, option->flag, option->fallback, err);
}

static bool read_all(struct reading *reading, struct error *err)
{
    const struct options *options = reading->options;

    while (reading->left > 0)
        if (!read_argument(reading, err))
            return false;
    for (size_t i = 0; i < options->count; i++)
        if (!reading->is_given[i] && !read_elsewhere(reading, &options->table[i], err))
            return false;
    return true;
}

bool options_read(const struct options *options, int argc, char *const argv[], void *settings,
                  struct error *err)
{
    struct reading reading = {options, settings, argc, argv};

    assert(options->count <= OPTIONS_MAX);
    if (argc > 0)
        take_argument(&reading); /* the program's name */
    if (read_all(&reading, err))
        return true;
    options_clear(options, settings);
    return false;
}

void options_clear_list(struct option_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct option_list){0};
}

static void clear_member(const struct option *option, void *settings)
{
    void *member = find_member(option, settings);

    if (option->given)
        *(bool *)((char *)settings + option->given) = false;
    switch (option->type) {
    case OPTION_TEXT:
        free(*(char **)member);
        *(char **)member = NULL;
        break;
    case OPTION_LIST:
        options_clear_list(member);
        break;
    case OPTION_FLAG:
        *(bool *)member = false;
        break;
    case OPTION_CHOICE:
        *(unsigned *)member = 0;
        break;
    default:
        *(uint64_t *)member = 0;
    }
}

void options_clear(const struct options *options, void *settings)
{
    for (size_t i = 0; i < options->count; i++)
        clear_member(&options->table[i], settings);
    if (options->operands)
        clear_member(options->operands, settings);
}

static int measure_left(const struct option *option)
{
    return (int)(strlen(option->flag) + (option->argument ? strlen(option->argument) + 1 : 0));
}

static void print_option(const struct option *option, int width, FILE *out)
{
    const char *argument = option->argument ? option->argument : "";
    int left = measure_left(option);

    fprintf(out, "  %s%s%s%*s  %s", option->flag, *argument ? " " : "", argument, width - left, "",
            option->help);
    if (option->fallback)
        fprintf(out, " [%s]", option->fallback);
    fputc('\n', out);
}

void options_print_help(const struct options *options, FILE *out)
{
    int width = 0;

    for (size_t i = 0; i < options->count; i++)
        if (measure_left(&options->table[i]) > width)
            width = measure_left(&options->table[i]);
    fprintf(out, "Usage: %s %s\n%s\n\n", options->program, options->arguments, options->intro);
    for (size_t i = 0; i < options->count; i++)
        print_option(&options->table[i], width, out);
}
