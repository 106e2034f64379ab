#include "service/findings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "codec/manifest_pb.h"
#include "codec/state.h"
#include "service/saved.h"
#include "service/store.h"

/* That a file cannot be opened, in OpenVMM's words. */
static bool tell_unopened(const char *dir, const char *file, int errnum, struct text *out,
                          struct error *err)
{
    auto_free char *path = saved_path_of(dir, file);

    return (path
            && text_appendf(out, "failed to open file `%s`: %s (os error %d)", path,
                            strerrordesc_np(errnum), errnum))
        || error_memory(err);
}

/* Why a file that is read whole cannot be used; what says nothing of the snapshot is an error. */
static bool tell_unread(const char *dir, const char *file, const struct error *why,
                        struct text *out, struct error *err)
{
    switch (why->code) {
    case ERR_NOT_FOUND:
        return (text_appendf(out, "failed to read %s: ", file) || error_memory(err))
            && tell_unopened(dir, file, ENOENT, out, err);
    case ERR_DAMAGED:
        return text_appends(out, why->message) || error_memory(err);
    default:
        *err = *why;
        return false;
    }
}

static bool read_manifest(int dir, enum file_links links, struct manifest *out, struct error *err)
{
    auto_text struct text bytes = {.max = MANIFEST_MAX + 65536};
    auto_fd int fd = file_open_by(dir, MANIFEST_FILE, links, NULL, err);

    return fd >= 0 && file_read_rest(fd, MANIFEST_FILE, MANIFEST_MAX, &bytes, err)
        && manifest_decode(bytes.data, bytes.len, out, err);
}

bool findings_manifest(struct findings *findings, int dir, const char *path, struct manifest *out,
                       struct error *err)
{
    struct error why;
    struct text *text = &findings->manifest_error;

    if (!read_manifest(dir, findings->links, out, &why)
        && !tell_unread(path, MANIFEST_FILE, &why, text, err))
        return false;
    findings->files.manifest_error = text->data;
    return true;
}

/* Through a symbolic link always, as OpenVMM opens it, and for writing, as a directory is not. */
bool findings_memory(struct findings *findings, int dir, const char *path, struct error *err)
{
    struct stat memory;
    struct text *text = &findings->memory_error;
    int errnum = fstatat(dir, MEMORY_FILE, &memory, 0) != 0 ? errno : 0;

    if (errnum == 0 && S_ISDIR(memory.st_mode))
        errnum = EISDIR;
    if (errnum != 0 && !tell_unopened(path, MEMORY_FILE, errnum, text, err))
        return false;
    if (errnum == 0)
        findings->files.memory_size_bytes = (uint64_t)memory.st_size;
    findings->files.memory_error = text->data;
    return true;
}

static bool read_units(int dir, enum file_links links, struct state_units *out, struct error *err)
{
    struct stat stat;
    auto_fd int fd = file_open_by(dir, STATE_FILE, links, &stat, err);

    return fd >= 0 && state_decode(file_read_piece, &fd, (uint64_t)stat.st_size, out, err);
}

bool findings_state(struct findings *findings, int dir, const char *path, struct error *err)
{
    struct error why;
    struct text *text = &findings->state_error;

    if (!read_units(dir, findings->links, &findings->units, &why)
        && !tell_unread(path, STATE_FILE, &why, text, err))
        return false;
    findings->files.state_error = text->data;
    findings->files.units = &findings->units;
    return true;
}

void findings_clear(struct findings *findings)
{
    state_units_clear(&findings->units);
    text_clear(&findings->manifest_error);
    text_clear(&findings->memory_error);
    text_clear(&findings->state_error);
    *findings = (struct findings){.links = findings->links};
}
