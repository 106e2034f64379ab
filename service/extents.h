/* Where the data of a file lies on disk, as far as its filesystem tells (FIEMAP): what of it other
 * files share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Whether any of it, among its first few thousand extents, is shared with another file. */
bool extents_any_shared(int fd);

/* How much of the disk is the open file's alone, at least: all that it occupies, but for what is
 * shared, and for what could not be looked at. `stat` is of it. */
uint64_t extents_own_bytes(int fd, const struct stat *stat);
