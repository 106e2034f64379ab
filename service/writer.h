/* The live-writer check: whether any process can write to a file at this moment.
 *
 * F_SETLEASE with F_RDLCK fails with EAGAIN while a process has the file open for writing or
 * holds a mapping made from such a descriptor, through whichever link (fcntl(2)). It needs the
 * file's owner or CAP_LEASE, and a local filesystem: otherwise the answer is unknown, never a
 * guess. */
#pragma once

#include "codec/model.h"

/* Makes the signal that breaks a lease harmless to the whole process: its default action kills.
 * To be called once, before the first check. */
void writer_prepare(void);

/* `fd` is open for reading only. The lease is given back at once. */
enum writer writer_check(int fd);

/* Of a snapshot's memory.bin; WRITER_UNKNOWN if it cannot be opened, WRITER_NONE if it is
 * missing. */
enum writer writer_check_memory(int dir);
