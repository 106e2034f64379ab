/* Durable creates, 32 at a time: by requests to the service, or by a bare loop of the system calls
 * that the service makes for one (as strace -f shows them). Prints creates a second.
 *
 *   creates http PORT MEMORY_FILE COUNT [FIRST]
 *   creates loop DIRECTORY MEMORY_FILE COUNT
 *
 * FIRST is the number in the name of the first.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 32

static struct {
    const char *memory;
    unsigned short port;
    int root, staging, snapshots; /* of the bare loop */
    unsigned end;
    atomic_uint next;
} job;

static void check(int result, const char *what)
{
    if (result < 0)
        err(1, "%s", what);
}

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(job.port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
    return fd;
}

/* Answers are small and come in one piece. */
static void create_by_request(int fd, unsigned number)
{
    char body[1024];
    char request[2048];
    int len = snprintf(body, sizeof body,
                       "{\"id\":\"s%u\",\"memory_file_path\":\"%s\",\"openvmm_version\":\"0.0.0\","
                       "\"vp_count\":2,\"architecture\":\"x86_64\",\"state_base64\":\"CgA=\"}",
                       number, job.memory);

    len = snprintf(request, sizeof request,
                   "POST /snapshots HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                   len, body);
    check((int)send(fd, request, (size_t)len, 0), "send");
    ssize_t got = recv(fd, request, sizeof request - 1, 0);
    check((int)got, "recv");
    request[got] = '\0';
    if (strncmp(request, "HTTP/1.1 201 ", 13) != 0)
        errx(1, "%s", request);
}

static void *request_all(void *unused)
{
    int fd = dial();

    for (unsigned number; (number = atomic_fetch_add(&job.next, 1)) < job.end;)
        create_by_request(fd, number);
    close(fd);
    return unused;
}

static void write_file(int dir, const char *name, size_t size)
{
    static const char data[512];
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    struct stat stat;

    check(fd, name);
    check((int)write(fd, data, size), name);
    check(fstat(fd, &stat), name);
    check(fsync(fd), name);
    close(fd);
}

static void link_memory(int dir)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    char path[64];
    char target[4096];
    struct stat stat;
    int named = (int)syscall(SYS_openat2, job.root, job.memory + 1, &how, sizeof how);

    check(named, job.memory);
    check(fstat(named, &stat), job.memory);
    snprintf(path, sizeof path, "/proc/self/fd/%d", named);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd, path);
    close(named);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    check((int)readlink(path, target, sizeof target), path);
    check(linkat(AT_FDCWD, path, dir, "memory.bin", AT_SYMLINK_FOLLOW), "linkat");
    check(fdatasync(fd), "fdatasync");
    close(fd);
}

static void create_by_calls(unsigned number)
{
    char name[32];
    struct stat stat;

    snprintf(name, sizeof name, "s%u", number);
    if (faccessat(job.snapshots, name, F_OK, 0) == 0)
        errx(1, "%s is there already", name);
    check(mkdirat(job.staging, name, 0750), name);
    int dir = openat(job.staging, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(dir, name);
    link_memory(dir);
    write_file(dir, "state.bin", 2);
    check(fstat(dir, &stat), name);
    write_file(dir, "snapshot.json", 300);
    write_file(dir, "manifest.bin", 40);
    check(fsync(dir), name);
    check(renameat2(job.staging, name, job.snapshots, name, RENAME_NOREPLACE), name);
    check(fsync(job.snapshots), "snapshots");
    close(dir);
}

static void *call_all(void *unused)
{
    for (unsigned number; (number = atomic_fetch_add(&job.next, 1)) < job.end;)
        create_by_calls(number);
    return unused;
}

static int make_directory(const char *parent, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", parent, name);
    check(mkdir(path, 0750), path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(fd, path);
    return fd;
}

static double run(void *(*work)(void *))
{
    pthread_t threads[THREADS];
    struct timespec from;
    struct timespec to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            errx(1, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 6)
        errx(2, "usage: creates http PORT | loop DIRECTORY, MEMORY_FILE COUNT [FIRST]");
    const unsigned count = (unsigned)strtoul(argv[4], NULL, 10);
    const unsigned first = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
    job.memory = argv[3];
    atomic_store(&job.next, first);
    job.end = first + count;
    if (strcmp(argv[1], "http") == 0) {
        job.port = (unsigned short)strtoul(argv[2], NULL, 10);
        printf("%.1f\n", count / run(request_all));
        return 0;
    }
    job.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    job.staging = make_directory(argv[2], "staging");
    job.snapshots = make_directory(argv[2], "snapshots");
    printf("%.1f\n", count / run(call_all));
    return 0;
}
