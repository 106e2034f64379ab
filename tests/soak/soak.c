/* Mixed load on the program, with clients that vanish, stall and send rubbish, while its disk fills
 * and empties and it is ended, by SIGTERM and by SIGKILL, and started again. What it acknowledged
 * must be there, every time one looks; it must answer nothing but what the contract allows, and
 * hold on to no memory and no descriptor.
 *
 *   soak PROGRAM SECONDS [SEED]
 */
#include "tests/soak/soak.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "tests/mounts.h"
#include "tests/soak/caller.h"
#include "tests/soak/check.h"
#include "tests/soak/filler.h"
#include "tests/soak/gate.h"
#include "tests/soak/life.h"
#include "tests/soak/model.h"
#include "tests/soak/version.h"

#define CALLERS 24

/* Heaps that many threads share are never packed quite the same way. */
#define GROWTH_MAX_KIB 8192

static void leave_no_trace(struct soak *soak)
{
    struct fixture *fixture = &soak->test.fixture;

    if (soak->life.program.pid > 0)
        kill(soak->life.program.pid, SIGKILL);
    umount2(path_of("%s/disk", fixture->home.text).text, MNT_DETACH);
    disk_remove(fixture->home.text);
}

_Noreturn void soak_fail(struct soak *soak, const char *fmt, ...)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER; /* held to the end */
    va_list args;

    pthread_mutex_lock(&once);
    fprintf(stderr, "FAILED: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nseed %" PRIu64 "; the service's last lines:\n", soak->seed);
    life_print_tail(&soak->life);
    leave_no_trace(soak);
    _exit(1);
}

static void add_token(struct text *lines, const char *scopes, const char *token)
{
    char digest[DIGEST_HEX_SIZE];
    struct error err;

    must(digest_of(token, strlen(token), digest, &err), "digest");
    text_appendf(lines, "%s %s %s\n", token, scopes, digest);
}

static void write_tokens(struct soak *soak)
{
    auto_text struct text lines = {0};

    add_token(&lines, "write,export", OWNER_TOKEN);
    add_token(&lines, "write,export", JUDGE_TOKEN);
    add_token(&lines, "read", READER_TOKEN);
    soak->tokens = path_of("%s/tokens", soak->test.fixture.home.text);
    test_write(soak->tokens.text, lines.data, lines.len);
}

/* The store and the memory root move to a disk of their own, small enough to be filled: XFS, which
 * has reflinks, else memory. */
static void set_up_disk(struct soak *soak)
{
    struct fixture *fixture = &soak->test.fixture;
    struct path disk = path_of("%s/disk", fixture->home.text);
    bool may_mount = mounts_separate();

    soak->can_reflink = may_mount && mounts_image("xfs", disk.text);
    soak->can_fill = soak->can_reflink || (may_mount && mounts_tmpfs(disk.text, "size=256m"));
    if (!soak->can_fill) {
        fprintf(stderr, "SKIPPED: the disk does not fill, as none can be mounted\n");
        return;
    }
    fixture->store = path_of("%s/store", disk.text);
    fixture->root = path_of("%s/vms", disk.text);
    soak->ballast = path_of("%s/ballast", disk.text);
    disk_make_dir(fixture->root.text);
}

static void set_up(struct soak *soak)
{
    pthread_mutex_init(&soak->mutex, NULL);
    pthread_mutex_init(&soak->life.mutex, NULL);
    pthread_mutex_init(&soak->gate.mutex, NULL);
    pthread_cond_init(&soak->gate.changed, NULL);
    soak->gate.is_closed = true;
    fixture_make(&soak->test.fixture, NULL);
    set_up_disk(soak);
    write_tokens(soak);
    version_make_sources(soak);
    model_open(soak);
}

static void load_for(struct soak *soak, double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

    gate_open(&soak->gate);
    nanosleep(&time, NULL);
}

static void pause_load(struct soak *soak)
{
    gate_close(&soak->gate);
    life_wait_until_quiet(soak);
    check_answers(soak);
    life_wait_until_quiet(soak); /* the look at it is over, too */
}

/* Ends it under load, and looks at what a new one finds. */
static void live_and_end(struct soak *soak, double seconds, int signal)
{
    load_for(soak, seconds);
    life_begin_end(soak, signal);
    gate_close(&soak->gate);
    life_finish_end(soak, signal);
    life_start(soak);
    check_bytes(soak);
    life_wait_until_quiet(soak);
}

static void check_growth(struct soak *soak, long first, long last)
{
#ifdef SANITIZED /* a sanitizer keeps what is freed */
    (void)soak;
    (void)first;
    (void)last;
#else
    if (last > first + GROWTH_MAX_KIB)
        soak_fail(soak, "resident memory grew from %ld to %ld KiB", first, last);
#endif
}

/* Long enough for growth to be seen, from when caches and heaps have found their size. */
static void live_on(struct soak *soak, double seconds)
{
    const int samples = seconds > 300 ? 30 : 5;
    long resident = 0;
    long first = 0;

    printf("resident KiB:");
    for (int i = 0; i < samples; i++) {
        load_for(soak, seconds / samples);
        pause_load(soak);
        resident = life_resident_kib(soak);
        printf(" %ld", resident);
        fflush(stdout);
        if (i == samples / 5)
            first = resident;
    }
    printf("; descriptors: %zu\n", soak->life.descriptors);
    check_growth(soak, first, resident);
}

/* The first two fifths in short lives, the rest in one. */
static void live(struct soak *soak, unsigned seconds)
{
    struct caller callers[CALLERS];
    struct filler filler;
    unsigned lives = 2 + seconds / 120;

    life_start(soak);
    filler_start(&filler, soak);
    for (unsigned i = 0; i < CALLERS; i++)
        caller_start(&callers[i], soak, i + 1);
    for (unsigned i = 0; i < lives; i++)
        live_and_end(soak, 0.4 * seconds / lives, i % 2 ? SIGTERM : SIGKILL);
    live_on(soak, 0.6 * seconds);
    gate_end(&soak->gate);
    for (unsigned i = 0; i < CALLERS; i++)
        caller_join(&callers[i]);
    filler_stop(&filler);
}

static void conclude(struct soak *soak)
{
    life_begin_end(soak, SIGTERM);
    life_finish_end(soak, SIGTERM);
    life_start(soak);
    check_bytes(soak);
    life_begin_end(soak, SIGTERM);
    life_finish_end(soak, SIGTERM);
    leave_no_trace(soak);
}

static void report(const struct soak *soak)
{
    printf("answers:");
    for (int status = 0; status < 600; status++)
        if (soak->tally.statuses[status] > 0)
            printf(" %d: %llu", status, soak->tally.statuses[status]);
    printf("; none: %llu\n", soak->tally.unanswered);
    printf("%llu writes acknowledged, all there; the disk was full %u times\n",
           soak->tally.acknowledged, soak->tally.filled);
}

int main(int argc, char *argv[])
{
    static struct soak soak;

    if (argc < 3) {
        fprintf(stderr, "usage: soak PROGRAM SECONDS [SEED]\n");
        return 2;
    }
    unsigned seconds = (unsigned)strtoul(argv[2], NULL, 10);
    soak.binary = argv[1];
    soak.seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)clock_now().tv_nsec;
    printf("%s for %u s, seed %" PRIu64 "\n", soak.binary, seconds, soak.seed);
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    set_up(&soak);
    live(&soak, seconds);
    conclude(&soak);
    report(&soak);
    return 0;
}
