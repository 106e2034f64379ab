/* vmsnapd validate: what OpenVMM would say at a restore, without a service. */
#pragma once

#include "base/options.h"

extern const struct options validate_options;

/* Prints the answer to POST /snapshots/{id}/validate. 0 if it is valid, 1 if not; 2, with a line on
 * standard error, if that is not known. */
int validate_run(int argc, char *const argv[]);
