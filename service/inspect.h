/* Directories anywhere, as an operator names them and OpenVMM restores from them: through symbolic
 * links, of no store, and without a service. Nothing is written, locked or leased. */
#pragma once

#include "codec/model.h"
#include "service/expect.h"

/* What is there, and why OpenVMM would not restore from it; a file that may not be read is such a
 * reason, too. `path` becomes absolute. The caller clears `out`. ERR_IO if it cannot be opened as a
 * directory, or its disk fails. */
bool inspect_directory(const char *path, struct inspection *out, struct error *err);

/* What OpenVMM would say at a restore: as expect_check(), with the state judged whatever is
 * expected. Messages have `path` as it is given. The caller clears `out`. As above, and
 * ERR_PERMISSION if a file may not be read. */
bool inspect_validate(const char *path, const struct expectation *expectation, struct verdict *out,
                      struct error *err);
