/* vmsnapd show: prints directories of snapshots, wherever they are, without a service. */
#pragma once

#include "base/options.h"

extern const struct options show_options;

/* A line of JSON for each. 0 if OpenVMM could restore all of them; 1 if not; 2 if one could not be
 * looked at, with a line on standard error, or nothing was. */
int show_run(int argc, char *const argv[]);
