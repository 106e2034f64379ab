#include "tests/soak/life.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define QUIET_MAX_S 60

#define DESCRIPTORS_MAX 1024

static void *keep_tail(void *context)
{
    struct life *life = context;
    char line[sizeof life->lines[0]];

    while (fgets(line, sizeof line, life->program.output)) {
        pthread_mutex_lock(&life->mutex);
        memcpy(life->lines[life->line_count++ % TAIL_LINES], line, sizeof line);
        pthread_mutex_unlock(&life->mutex);
    }
    return NULL;
}

void life_print_tail(struct life *life)
{
    pthread_mutex_lock(&life->mutex);
    size_t first = life->line_count > TAIL_LINES ? life->line_count - TAIL_LINES : 0;
    for (size_t i = first; i < life->line_count; i++)
        fprintf(stderr, "  %s", life->lines[i % TAIL_LINES]);
    pthread_mutex_unlock(&life->mutex);
}

/* What a descriptor stands for; "" for a number that is none. */
static void read_target(const struct soak *soak, int fd, char out[256])
{
    struct path link = path_of("/proc/%d/fd/%d", (int)soak->life.program.pid, fd);
    ssize_t len = readlink(link.text, out, 255);

    out[len > 0 ? len : 0] = '\0';
}

/* All but the catalogue's: where the disk was full, that lies in memory for a while. */
static size_t count_descriptors(const struct soak *soak)
{
    char target[256];
    size_t count = 0;

    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        read_target(soak, fd, target);
        count += target[0] != '\0' && !strstr(target, "/.vmsnapd/catalog.db");
    }
    return count;
}

void life_start(struct soak *soak)
{
    struct life *life = &soak->life;

    life->program = (struct program){.binary = soak->binary};
    program_serve(&soak->test, &life->program,
                  (const char *const[]){"--listen", "127.0.0.1:0", "--token-file",
                                        soak->tokens.text, "--max-state", "8M", "--idle-timeout",
                                        "5", "--drain", "10", "--max-requests-per-second", "500",
                                        "--max-connections-per-address", "150", NULL});
    atomic_store(&life->is_ending, false);
    life->descriptors = count_descriptors(soak);
    must(pthread_create(&life->reader, NULL, keep_tail, life) == 0, "a thread");
}

void life_begin_end(struct soak *soak, int signal)
{
    atomic_store(&soak->life.is_ending, true);
    must(kill(soak->life.program.pid, signal) == 0, "kill");
}

void life_finish_end(struct soak *soak, int signal)
{
    pthread_join(soak->life.reader, NULL);
    int status = program_finish(&soak->life.program);
    int expected = signal == SIGTERM ? 0 : -signal;

    soak->life.program.pid = 0;
    if (status != expected)
        soak_fail(soak, "signal %d ended the service with %d", signal, status);
}

static void print_descriptors(const struct soak *soak)
{
    char target[256];

    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        read_target(soak, fd, target);
        if (target[0] != '\0')
            fprintf(stderr, "  %d %s\n", fd, target);
    }
}

/* The fewest descriptors that were ever seen are its own: what it looks at by itself adds to them
 * for a while, at its start too. */
void life_wait_until_quiet(struct soak *soak)
{
    uint64_t deadline = clock_monotonic_ns() + QUIET_MAX_S * UINT64_C(1000000000);
    size_t count;

    while ((count = count_descriptors(soak)) > soak->life.descriptors) {
        if (clock_monotonic_ns() > deadline) {
            print_descriptors(soak);
            soak_fail(soak, "%zu descriptors once, %zu with all clients gone",
                      soak->life.descriptors, count);
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    soak->life.descriptors = count;
}

long life_resident_kib(const struct soak *soak)
{
    return program_resident_kib(&soak->life.program);
}
