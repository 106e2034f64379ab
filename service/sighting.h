/* What a snapshot's directory looked like from outside: by this it is known, without reading it,
 * that nothing in it changed. */
#pragma once

#include <stdint.h>

struct sighting {
    uint64_t inode;           /* of the directory; 0 if it was not seen */
    uint64_t fingerprint;     /* over inodes, sizes and times; never 0 if it was seen */
    uint64_t allocated_bytes; /* of memory.bin, on disk */
};

/* Looks at an open directory and the files in it. To be called before they are read: what changes
 * meanwhile then looks different afterwards. */
struct sighting sighting_take(int dir);
