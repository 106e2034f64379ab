/* What commands print, and how they end: 0 for good news, EXIT_BAD for bad, and EXIT_TROUBLE, with
 * a line on standard error, where there is none to tell. */
#pragma once

#include "base/options.h"
#include "base/text.h"

#define EXIT_BAD     1
#define EXIT_TROUBLE 2

/* Reads the arguments of a command into `values`. False if that was all, with the exit status: it
 * was asked for help, which `help` in there says, or there is something wrong with them. */
bool output_begins(const struct options *command, int argc, char *const argv[], void *values,
                   const bool *help, int *status);

/* Says on standard error what is wrong; the exit status. */
int output_fail(const struct options *command, const struct error *err);

/* A line of standard output. ERR_IO, ERR_NO_SPACE, ERR_INTERNAL without memory. */
bool output_line(struct text *line, struct error *err);
