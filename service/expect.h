/* A snapshot against what a restoring VM will be: every miss, in OpenVMM's order and words
 * (validate_manifest, then what its restore trips over next). */
#pragma once

#include "base/error.h"
#include "codec/model.h"

/* What is known of the files. */
struct expect_files {
    const char *manifest_error; /* why there is no manifest: nothing else is looked at */
    uint64_t memory_size_bytes;
    const char *memory_error;        /* why memory.bin cannot be opened; NULL if it can */
    const struct state_units *units; /* NULL if not asked for, or undecodable */
    const char *state_error;         /* why state.bin cannot be used; NULL if not known to be so */
};

/* The caller clears `out`. ERR_INTERNAL without memory. */
bool expect_check(const struct manifest *manifest, const struct expect_files *files,
                  const struct expectation *expectation, struct verdict *out, struct error *err);
