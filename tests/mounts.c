#include "tests/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "tests/store_fixture.h"

#define IMAGE_SIZE ((off_t)512 << 20) /* sparse; mkfs.xfs wants 300 MiB */

static bool skip(const char *what)
{
    fprintf(stderr, "SKIPPED: no %s on this machine (%s)\n", what, strerrordesc_np(errno));
    return false;
}

static bool run(char *const argv[])
{
    pid_t child;
    int status;
    posix_spawn_file_actions_t quiet;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    errno = posix_spawnp(&child, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return errno == 0 && TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) == child && status == 0;
}

bool mounts_separate(void)
{
    return (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        || skip("mounts of our own");
}

static bool make_image(const char *path)
{
    auto_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd >= 0 && ftruncate(fd, IMAGE_SIZE) == 0;
}

bool mounts_image(const char *type, const char *at)
{
    struct path image = path_of("%s.img", at);
    struct path program = path_of("/sbin/mkfs.%s", type);
    struct path mount_point = path_of("%s", at);
    char *const make[] = {program.text, "-q", image.text, NULL};
    char *const mount_it[] = {"mount", "-o", "loop", image.text, mount_point.text, NULL};

    disk_make_dir(at);
    bool mounted = make_image(image.text) && run(make) && run(mount_it);
    unlink(image.text); /* the loop device keeps it */
    return mounted || skip(type);
}

bool mounts_tmpfs(const char *at, const char *options)
{
    disk_make_dir(at);
    return mount("tmpfs", at, "tmpfs", 0, options) == 0 || skip("tmpfs");
}

bool mounts_bind(const char *from, const char *at)
{
    disk_make_dir(at);
    return mount(from, at, NULL, MS_BIND, NULL) == 0 || skip("bind mounts");
}

void mounts_fill(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);

    /* Ever smaller pieces. */
    for (off_t piece = (off_t)64 << 20; piece >= 512; piece /= 2)
        while (posix_fallocate(fd, end, piece) == 0)
            end += piece;
}

void mounts_end(const char *at)
{
    must(umount2(at, 0) == 0, at);
}
