/* Settings from the command line, the environment and defaults, and --help, all from one table.
 *
 * `--flag value` and `--flag=value` are the same; of a flag given twice the last counts. What the
 * command line does not say, the environment may: --memory-root of the program vmsnapd is
 * VMSNAPD_MEMORY_ROOT, with ':' between the items of a list; an empty variable says nothing. The
 * first of the three that says anything about an option decides it, lists as a whole.
 *
 * What is no flag is an operand, where the program takes any; after "--" everything is one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define OPTIONS_MAX 64

/* The type of the member at `offset` stands on the right. */
enum option_type {
    OPTION_TEXT,    /* char * */
    OPTION_LIST,    /* struct option_list: a flag that may be repeated */
    OPTION_BYTES,   /* uint64_t; a suffix K, M, G or T is binary */
    OPTION_SECONDS, /* uint64_t */
    OPTION_COUNT,   /* uint64_t */
    OPTION_MODE,    /* uint64_t: a file's permission bits, in octal */
    OPTION_FLAG,    /* bool; takes no argument; 0 or 1 in the environment */
    OPTION_CHOICE,  /* an enum: the argument's place among `names` */
    OPTION__COUNT
};

struct option_list {
    char **items;
    size_t count;
    bool is_fallback; /* nobody gave it */
};

struct option {
    const char *flag;     /* "--listen" */
    const char *argument; /* what --help calls its argument: "ADDRESS"; NULL for OPTION_FLAG */
    const char *fallback; /* as one would give it; NULL leaves the member zero */
    const char *help;     /* short enough for one line of 80 columns */
    enum option_type type;
    size_t offset;
    uint64_t min, max;        /* of a number; max 0 means no bound but UINT64_MAX - 1 */
    const char *const *names; /* of OPTION_CHOICE, ended by NULL; "" cannot be chosen */
    char separator;           /* of an OPTION_LIST's items in one text; 0 means ':' */
    size_t given;             /* of a bool that is set with it; 0: there is none */
};

struct options {
    const char *program;
    const char *arguments; /* "[OPTION]...", as --help shows them */
    const char *intro;     /* what --help says first; may hold several lines */
    const struct option *table;
    size_t count;                  /* at most OPTIONS_MAX */
    const struct option *operands; /* an OPTION_LIST without a flag; NULL: there are none */
    bool no_variables;             /* the environment is not asked */
};

/* Fills the zeroed struct that the table describes; it owns its strings. On failure it is cleared
 * again, and ERR_INVALID says in one clause what to do. */
bool options_read(const struct options *options, int argc, char *const argv[], void *settings,
                  struct error *err);

/* Frees the strings and zeroes the members that the table describes. */
void options_clear(const struct options *options, void *settings);
void options_clear_list(struct option_list *list);

/* Long enough for any option's variable. */
#define OPTION_VARIABLE_SIZE 128

/* --memory-root of the program vmsnapd → VMSNAPD_MEMORY_ROOT. */
void options_name_variable(const struct options *options, const struct option *option,
                           char out[OPTION_VARIABLE_SIZE]);

void options_print_help(const struct options *options, FILE *out);
