#include "service/inspect.h"

#include <errno.h>
#include <fcntl.h>

#include "service/findings.h"
#include "service/load.h"

/* To find its files in: it need not be one that may be listed. */
static int open_directory(const char *path, struct error *err)
{
    int dir = (int)TEMP_FAILURE_RETRY(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));

    if (dir < 0)
        error_errno(err, "cannot open %s", path);
    return dir;
}

/* What a service replaces or removes, it moves away as a whole. */
static bool is_there(const char *path, int dir)
{
    struct stat held;
    struct stat found;

    return fstat(dir, &held) == 0 && stat(path, &found) == 0 && held.st_ino == found.st_ino
        && held.st_dev == found.st_dev;
}

static bool judge(int dir, const char *path, const struct expectation *expectation,
                  struct findings *findings, struct verdict *out, struct error *err)
{
    auto_manifest struct manifest manifest = {0};

    return findings_manifest(findings, dir, path, &manifest, err)
        && findings_memory(findings, dir, path, err) && findings_state(findings, dir, path, err)
        && expect_check(&manifest, &findings->files, expectation, out, err);
}

bool inspect_validate(const char *path, const struct expectation *expectation, struct verdict *out,
                      struct error *err)
{
    for (;;) {
        auto_findings struct findings findings = {.links = LINKS_FOLLOWED};
        auto_fd int dir = open_directory(path, err);
        if (dir < 0)
            return false;
        bool done = judge(dir, path, expectation, &findings, out, err);
        if (done && is_there(path, dir))
            return true;
        verdict_clear(out);
        if (!done)
            return false;
        /* Another has taken its place: judge that one. */
    }
}

static bool add_reason(struct inspection *out, const struct text *reason, struct error *err)
{
    struct text *reasons = reallocarray(out->reasons, out->reason_count + 1, sizeof *reasons);

    if (!reasons)
        return error_memory(err);
    out->reasons = reasons;
    reasons[out->reason_count] = (struct text){0};
    return text_set(&reasons[out->reason_count++], reason->data, reason->len)
        || error_memory(err);
}

static bool add_clause(struct inspection *out, const char *clause, struct error *err)
{
    auto_text struct text reason = {0};

    return (text_appends(&reason, clause) || error_memory(err)) && add_reason(out, &reason, err);
}

/* What OpenVMM says of it whatever VM it restores. */
static bool find_reasons(int dir, struct inspection *out, struct error *err)
{
    const struct expectation nothing = {0};
    const struct snapshot *snapshot = &out->snapshot;
    auto_findings struct findings findings = {.links = LINKS_FOLLOWED};
    auto_verdict struct verdict verdict = {0};
    struct error why;

    if (!judge(dir, snapshot->path, &nothing, &findings, &verdict, &why)) {
        *err = why;
        return why.code == ERR_PERMISSION && add_clause(out, why.message, err);
    }
    for (size_t i = 0; i < verdict.mismatch_count; i++)
        if (!add_reason(out, &verdict.mismatches[i].message, err))
            return false;
    out->has_units = findings.files.units && !findings.files.state_error;
    out->units = TAKE_AS(findings.units, (struct state_units){0});
    return verdict.mismatch_count > 0 || snapshot->status == SNAPSHOT_READY
        || add_clause(out, snapshot->problem, err);
}

static bool inspect(const char *path, int dir, struct inspection *out, struct error *err)
{
    return load_directory(dir, path, &out->snapshot, err) && find_reasons(dir, out, err);
}

static char *find_absolute(const char *path, struct error *err)
{
    char *absolute = realpath(path, NULL);

    if (!absolute)
        error_errno(err, "cannot open %s", path);
    return absolute;
}

bool inspect_directory(const char *path, struct inspection *out, struct error *err)
{
    auto_free char *absolute = find_absolute(path, err);

    while (absolute) {
        auto_fd int dir = open_directory(absolute, err);
        if (dir < 0)
            return false;
        bool done = inspect(absolute, dir, out, err);
        if (done && is_there(absolute, dir))
            return true;
        inspection_clear(out);
        if (!done)
            return false;
    }
    return false;
}
