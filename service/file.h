/* Small files, whole: read within a bound, written and flushed. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"

/* Permissions of what the service makes for itself. */
#define FILE_MODE 0640
#define DIR_MODE  0750

/* Writes all of it, however many calls that takes. ERR_NO_SPACE, ERR_IO. */
bool file_write_all(int fd, const void *data, size_t len, const char *name, struct error *err);

/* Creates `name`, which must not exist, for writing; -1 on failure (ERR_NO_SPACE, ERR_IO). */
int file_create(int dir, const char *name, struct error *err);

bool file_flush(int fd, const char *name, struct error *err);

/* What becomes of a symbolic link: in a store it is no file of a snapshot's, but OpenVMM opens what
 * it leads to. */
enum file_links { LINKS_REFUSED,
                  LINKS_FOLLOWED };

/* Opens a regular file for reading, waiting for no writer of a FIFO. -1 with ERR_NOT_FOUND if there
 * is none of that name, ERR_DAMAGED if it is something else, ERR_PERMISSION or ERR_IO. `stat` may
 * be NULL. */
int file_open_by(int dir, const char *name, enum file_links links, struct stat *stat,
                 struct error *err);

/* The same, following no link. */
int file_open(int dir, const char *name, struct stat *stat, struct error *err);

/* Replaces what is in `out` by the whole file. As file_open, and ERR_DAMAGED if it is larger than
 * `max`. `stat`, which may be NULL, is of the file that was read. */
bool file_read(int dir, const char *name, size_t max, struct text *out, struct stat *stat,
               struct error *err);

/* Appends what is left to read of an open file. ERR_DAMAGED if `out` becomes larger than `max`,
 * ERR_IO. */
bool file_read_rest(int fd, const char *name, size_t max, struct text *out, struct error *err);

/* Just `len` bytes at `offset`; ERR_IO also if the file ends before. */
bool file_read_at(int fd, uint64_t offset, void *buffer, size_t len, struct error *err);

/* The same for who reads by a function: `fd` points to the descriptor. */
bool file_read_piece(void *fd, uint64_t offset, void *buffer, size_t len, struct error *err);
