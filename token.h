/* vmsnapd token: makes a bearer token. */
#pragma once

#include "base/options.h"

extern const struct options token_options; /* none */

/* Its line for the token file goes to standard output, the token itself to standard error: so the
 * one can be appended to the file while the other is seen. 0, or 1 with what is wrong. */
int token_run(int argc, char *const argv[]);
