/* Opens what a client named, safely: beneath a memory root, a regular file, by descriptor. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/own.h"

struct roots;

/* Opens every root, which is resolved here and never again. NULL with ERR_INVALID naming a root
 * that is not an absolute path to a directory. */
struct roots *roots_open(char *const *paths, size_t count, struct error *err);
void roots_close(struct roots *roots);
OWN(struct roots, roots_close)
#define auto_roots AUTO(roots_close)

/* A file or a directory that a client named. Only the descriptor is used from here on, never the
 * path again. */
struct source {
    char *path;         /* as named */
    const char *field;  /* the JSON pointer of the member that named it; in every error */
    const char *bounds; /* what it may not lead out of */
    int fd;             /* open for reading; of a directory, with O_PATH */
    struct stat stat;
};

/* `field` must outlive the source, which the caller owns. NULL with
 * - ERR_FORBIDDEN for a path outside the roots, or one that leads out of them on the way (".." or a
 *   symbolic link): nothing is said about what lies there;
 * - ERR_INVALID if there is no such file, or it is not a regular file;
 * - ERR_PERMISSION, with the remedy, if the service may not read it; ERR_IO. */
struct source *source_open(const struct roots *roots, const char *path, const char *field,
                           struct error *err);

/* As source_open, of a directory. */
struct source *source_open_dir(const struct roots *roots, const char *path, const char *field,
                               struct error *err);

/* As source_open, for `name` beneath the directory `dir`, which nothing may lead out of; `bounds`,
 * for messages, is what that is called, and must outlive the source. */
struct source *source_open_beneath(int dir, const char *bounds, const char *name,
                                   const char *path, const char *field, struct error *err);
void source_close(struct source *source);
OWN(struct source, source_close)
#define auto_source AUTO(source_close)

/* Whether the open file is the one at this absolute path, whatever way the client's path took. */
bool source_is_at(const struct source *source, const char *path);

/* ERR_PERMISSION for a source: what was refused, to whom, and what would allow it. */
bool source_refused(const struct source *source, const char *action, struct error *err);
