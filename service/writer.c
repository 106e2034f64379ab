#include "service/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/own.h"
#include "service/file.h"
#include "service/store.h"

void writer_prepare(void)
{
    /* Ignored, the signal is dropped when it is raised; a queued real-time signal could overflow
     * and fall back to this one. */
    signal(SIGIO, SIG_IGN);
}

enum writer writer_check(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
        return errno == EAGAIN ? WRITER_PRESENT : WRITER_UNKNOWN;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return WRITER_NONE;
}

enum writer writer_check_memory(int dir)
{
    struct error err;
    auto_fd int fd = file_open(dir, MEMORY_FILE, NULL, &err);

    if (fd < 0)
        return err.code == ERR_NOT_FOUND ? WRITER_NONE : WRITER_UNKNOWN;
    return writer_check(fd);
}
