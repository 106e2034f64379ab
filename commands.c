#include "commands.h"

#include <string.h>

#include "config.h"
#include "health.h"
#include "show.h"
#include "token.h"
#include "validate.h"

const struct command commands[] = {
    {"health",   "ask a service of these settings how it is",   &config_options,   health_run  },
    {"show",     "print directories of snapshots as JSON",      &show_options,     show_run    },
    {"token",    "make a token, and its line for --token-file", &token_options,    token_run   },
    {"validate", "what OpenVMM would say at a restore",         &validate_options, validate_run},
};
const size_t command_count = sizeof commands / sizeof commands[0];

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

void commands_print_help(FILE *out)
{
    config_print_help(out);
    fputs("\nInstead of serving:\n", out);
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "  vmsnapd %s %s  %s\n", commands[i].name, commands[i].options->arguments,
                commands[i].help);
}
