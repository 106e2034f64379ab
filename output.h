/* What commands print, and how they end: 0 for good news, EXIT_BAD for bad, and EXIT_TROUBLE, with
 * a line on standard error, where there is none to tell. */
#pragma once

#include "base/options.h"
#include "base/text.h"

#define EXIT_BAD     1
#define EXIT_TROUBLE 2

/* Says on standard error what is wrong. */
int output_fail(const struct options *command, const struct error *err);

/* A line of standard output. ERR_IO, ERR_NO_SPACE, ERR_INTERNAL without memory. */
bool output_line(struct text *line, struct error *err);
