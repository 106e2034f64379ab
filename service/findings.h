/* A snapshot's files as OpenVMM's restore finds them, and, of one that it could not use, what it
 * says. */
#pragma once

#include "codec/model.h"
#include "service/expect.h"
#include "service/file.h"

struct findings {
    enum file_links links;     /* of manifest.bin and state.bin: set before anything is looked at */
    struct expect_files files; /* what was found, of the members below */
    struct state_units units;
    struct text manifest_error, memory_error, state_error;
};

/* Each looks at one file in the open directory `dir`, which messages call `path`; what is wrong
 * with the file is a finding. ERR_PERMISSION if this process may not read it, ERR_IO. The caller
 * clears `out` and the findings, whatever comes of it. */
bool findings_manifest(struct findings *findings, int dir, const char *path, struct manifest *out,
                       struct error *err);
bool findings_memory(struct findings *findings, int dir, const char *path, struct error *err);
bool findings_state(struct findings *findings, int dir, const char *path, struct error *err);

void findings_clear(struct findings *findings);
static inline void findings_clear_p(struct findings *findings)
{
    findings_clear(findings);
}
#define auto_findings AUTO(findings_clear)
