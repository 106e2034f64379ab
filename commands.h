/* What the program does besides serving: one table of subcommands. */
#pragma once

#include <stdio.h>

#include "base/options.h"

struct command {
    const char *name;
    const char *help; /* short enough for one line of 80 columns with name and arguments */
    const struct options *options;

    /* argv[0] is the name; the result is the program's exit status. */
    int (*run)(int argc, char *const argv[]);
};

extern const struct command commands[];
extern const size_t command_count;

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

/* All of --help: the settings, then the commands. */
void commands_print_help(FILE *out);
