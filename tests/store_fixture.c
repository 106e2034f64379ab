#include "tests/store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/manifest_pb.h"
#include "codec/snapshot.h"
#include "service/file.h"
#include "service/rescan.h"
#include "service/watch.h"

#define STATE_MAX    ((uint64_t)64 << 20)
#define QUEUE_MAX    256
#define BULK_THREADS 2

void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "cannot set up the test: %s (%s)\n", what, strerrordesc_np(errno));
    abort();
}

struct path path_of(const char *fmt, ...)
{
    struct path path;
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(path.text, sizeof path.text, fmt, args);
    va_end(args);
    must(len > 0 && (size_t)len < sizeof path.text, "a path is too long");
    return path;
}

/* A filesystem in memory, where there is one. */
static const char *find_cheap_place(void)
{
    const char *named = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */

    if (access("/dev/shm", W_OK) == 0)
        return "/dev/shm";
    return named ? named : "/tmp";
}

void fixture_make(struct fixture *fixture, const char *where)
{
    *fixture = (struct fixture){0};
    fixture->home = path_of("%s/vmsnapd-service-XXXXXX", where ? where : find_cheap_place());
    must(mkdtemp(fixture->home.text), fixture->home.text);
    fixture->store = path_of("%s/store", fixture->home.text);
    fixture->root = path_of("%s/vms", fixture->home.text);
    disk_make_dir(fixture->root.text);
    fixture->roots[0] = fixture->root.text;
    fixture->settings = (struct service_settings){
        .store = fixture->store.text,
        .memory_roots = fixture->roots,
        .memory_root_count = 1,
        .capture = CAPTURE_LINK,
        .state_max_bytes = STATE_MAX,
        .queue_max = QUEUE_MAX,
    };
}

void fixture_open(struct fixture *fixture)
{
    struct error err = {0};

    fixture->service = service_open(&fixture->settings, &err);
    must(fixture->service, err.message);
}

void fixture_close(struct fixture *fixture)
{
    service_close(TAKE(fixture->service));
}

void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

/* Where the lane's threads come together; nobody leaves before all are there. */
struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned arrived, left;
};

static void meet(void *context)
{
    struct meeting *meeting = context;

    pthread_mutex_lock(&meeting->mutex);
    meeting->arrived++;
    pthread_cond_broadcast(&meeting->changed);
    while (meeting->arrived < BULK_THREADS)
        pthread_cond_wait(&meeting->changed, &meeting->mutex);
    meeting->left++;
    pthread_cond_broadcast(&meeting->changed);
    pthread_mutex_unlock(&meeting->mutex);
}

struct path fixture_memory(const struct fixture *fixture)
{
    return path_of("%s/memory", fixture->root.text);
}

struct path fixture_snapshot(const struct fixture *fixture, const char *id, const char *file)
{
    return path_of("%s/snapshots/%s%s%s", fixture->store.text, id, *file ? "/" : "", file);
}

static void note_sleep(void *context)
{
    (void)context;
}

static void note_wake(void *context)
{
    must(eventfd_write(*(const int *)context, 1) == 0, "eventfd");
}

/* Who wakes it up writes to `wake`, an eventfd. */
static struct event_reader *follow(const struct fixture *fixture,
                                   const struct event_position *since, const int *wake)
{
    const struct event_listener listener = {note_sleep, note_wake, NULL, (void *)wake};
    struct error err;
    struct event_reader *reader = event_subscribe(fixture->service->events, since, &listener, &err);

    must(*wake >= 0, "eventfd");
    must(reader, err.message);
    return reader;
}

struct event_position fixture_now(const struct fixture *fixture)
{
    auto_fd int wake = eventfd(0, EFD_CLOEXEC);
    AUTO(event_unsubscribe)
    struct event_reader *reader = follow(fixture, NULL, &wake);
    struct event_batch batch;

    must(event_read(reader, &batch) == NEWS_POSITION, "a position");
    return batch.position;
}

/* All that there is to be read now. */
static void read_news(struct event_reader *reader, struct text *out)
{
    struct event_batch batch;
    enum event_news news;

    while ((news = event_read(reader, &batch)) != NEWS_NONE) {
        if (news == NEWS_RESET)
            text_appends(out, "reset, ");
        for (size_t i = 0; news == NEWS_EVENTS && i < batch.count; i++)
            text_appendf(out, "%s %s, ", event_kind_name(batch.events[i].kind),
                         batch.events[i].id);
    }
}

void fixture_told(const struct fixture *fixture, const struct event_position *since,
                  struct text *out)
{
    auto_fd int wake = eventfd(0, EFD_CLOEXEC);
    AUTO(event_unsubscribe)
    struct event_reader *reader = follow(fixture, since, &wake);

    read_news(reader, out);
}

void fixture_await_told(const struct fixture *fixture, const struct event_position *since,
                        const char *expected)
{
    auto_fd int wake = eventfd(0, EFD_CLOEXEC);
    AUTO(event_unsubscribe)
    struct event_reader *reader = follow(fixture, since, &wake);
    auto_text struct text told = {0};
    eventfd_t ignored;

    for (read_news(reader, &told); told.len < strlen(expected); read_news(reader, &told))
        must(eventfd_read(wake, &ignored) == 0, "eventfd");
    must(strcmp(text_str(&told), expected) == 0, text_str(&told));
}

void fixture_hush(struct fixture *fixture)
{
    watch_stop(fixture->service->watch);
    rescan_stop(TAKE(fixture->service->rescan));
}

/* When each of the lane's threads is at the meeting, none is at anything else. */
void fixture_settle(struct fixture *fixture)
{
    struct meeting meeting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

    for (int i = 0; i < BULK_THREADS; i++)
        must(lane_submit(fixture->service->lanes[LANE_BULK], meet, &meeting), "the lane is full");
    pthread_mutex_lock(&meeting.mutex);
    while (meeting.left < BULK_THREADS)
        pthread_cond_wait(&meeting.changed, &meeting.mutex);
    pthread_mutex_unlock(&meeting.mutex);
    pthread_cond_destroy(&meeting.changed);
    pthread_mutex_destroy(&meeting.mutex);
}

void fixture_remove(struct fixture *fixture)
{
    fixture_close(fixture);
    disk_remove(fixture->home.text);
}

static void compare_listed(struct fixture *fixture, const struct listed *listed,
                           struct text *differences)
{
    struct error err = {0};
    auto_snapshot struct snapshot snapshot = {0};
    auto_text struct text json = {0};

    if (!load_snapshot(fixture->service->store, listed->id, LIVE_NONE, &snapshot, &err))
        text_appendf(differences, "%s is listed: %s\n", listed->id, err.message);
    else if (snapshot_to_json(&snapshot, &json, &err)
             && !text_equals(&json, listed->json.data, listed->json.len))
        text_appendf(differences, "%s is listed as %s\nand is %s\n", listed->id,
                     text_str(&listed->json), text_str(&json));
}

void fixture_compare_list(struct fixture *fixture, struct text *differences)
{
    struct error err = {0};
    auto_snapshot_page struct snapshot_page page = {0};
    const struct snapshot_query query = {.limit = 1000};
    const size_t count = disk_count(path_of("%s/snapshots", fixture->store.text).text);

    must(snapshot_list(fixture->service, &query, false, &page, &err), err.message);
    if (page.count != count)
        text_appendf(differences, "%zu are listed of %zu\n", page.count, count);
    for (size_t i = 0; i < page.count; i++)
        compare_listed(fixture, &page.items[i], differences);
}

int fixture_setup(void **state)
{
    struct fixture *fixture = malloc(sizeof *fixture);

    must(fixture, "out of memory");
    fixture_make(fixture, NULL);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_remove(*state);
    free(*state);
    return 0;
}

static char *copy(const char *string)
{
    char *copied = string ? strdup(string) : NULL;

    must(copied || !string, "out of memory");
    return copied;
}

void request(struct creation *out, const char *id, const char *memory_path, enum capture capture,
             uint32_t vp_count)
{
    char digits[16];

    snprintf(digits, sizeof digits, "%" PRIu32, vp_count);
    *out = (struct creation){
        .id = copy(id),
        .memory_file_path = copy(memory_path),
        .capture = capture,
        .vp_count = vp_count,
        .architecture = copy("x86_64"),
        .page_size = 4096,
        .labels = {.items = calloc(1, sizeof(struct label)), .count = 1},
        .allow_writer = true,
    };
    must(out->labels.items && text_appends(&out->openvmm_version, "0.0.0"), "out of memory");
    out->labels.items[0] = (struct label){.key = copy("vp"), .value = copy(digits)};
}

void fixture_create(struct fixture *fixture, const char *id, const char *memory_path,
                    enum capture capture, uint32_t vp_count)
{
    struct error err = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, id, memory_path, capture, vp_count);
    must(snapshot_create(fixture->service, &creation, NULL, &made, &err), err.message);
}

static void write_bytes(const char *path, const void *data, size_t size)
{
    struct error err = {0};
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);

    must(fd >= 0, path);
    must(file_write_all(fd, data, size, path, &err), err.message);
}

void openvmm_save(const char *dir, size_t memory_size, char byte, uint32_t vp_count)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    auto_manifest struct manifest manifest = {
        .version = MANIFEST_VERSION,
        .created_at = {.seconds = 1234567890},
        .memory_size_bytes = memory_size,
        .vp_count = vp_count,
        .page_size = 4096,
    };

    must(text_appends(&manifest.openvmm_version, "0.0.0")
             && text_appends(&manifest.architecture, "x86_64")
             && manifest_encode(&manifest, &bytes, &err),
         "out of memory");
    disk_make_dir(dir);
    write_bytes(path_of("%s/" MANIFEST_FILE, dir).text, bytes.data, bytes.len);
    write_bytes(path_of("%s/" STATE_FILE, dir).text, "\n", 2); /* one unit, which is empty */
    disk_write(path_of("%s/" MEMORY_FILE, dir).text, memory_size, byte);
}

void disk_write(const char *path, size_t size, char byte)
{
    auto_free char *data = malloc(size + 1);

    must(data, path);
    memset(data, byte, size);
    write_bytes(path, data, size);
}

bool disk_holds(const char *path, size_t size, char byte)
{
    struct error err = {0};
    auto_text struct text bytes = {0};

    if (!file_read(AT_FDCWD, path, size, &bytes, NULL, &err) || bytes.len != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (bytes.data[i] != byte)
            return false;
    return true;
}

void disk_make_dir(const char *path)
{
    must(mkdir(path, DIR_MODE) == 0 || errno == EEXIST, path);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat;
    (void)type;
    (void)place;
    return remove(path);
}

void disk_remove(const char *path)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the tests remove in one thread */
    must(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT, path);
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int is_described(const struct dirent *entry)
{
    return is_entry(entry) && strncmp(entry->d_name, "catalog.db", strlen("catalog.db")) != 0;
}

size_t disk_count(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_entry, NULL);

    must(count >= 0, path);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return (size_t)count;
}

struct stat disk_stat(const char *path)
{
    struct stat stat;

    must(lstat(path, &stat) == 0, path);
    return stat;
}

/* FNV-1a. */
static uint64_t checksum(const char *path)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    must(file_read(AT_FDCWD, path, TEXT_MAX, &bytes, NULL, &err), err.message);
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Test trees are a few levels deep. */
/* NOLINTBEGIN(misc-no-recursion) */
static void describe_one(const char *path, struct text *out)
{
    struct stat stat = disk_stat(path);

    text_appendf(out, "%s %o %u:%u", path, (unsigned)stat.st_mode, (unsigned)stat.st_uid,
                 (unsigned)stat.st_gid);
    if (S_ISREG(stat.st_mode))
        text_appendf(out, " %ju %ju %jd %016" PRIx64, (uintmax_t)stat.st_nlink,
                     (uintmax_t)stat.st_ino, (intmax_t)stat.st_size, checksum(path));
    must(text_appends(out, "\n"), "out of memory");
    if (S_ISDIR(stat.st_mode))
        disk_describe(path, out);
}

void disk_describe(const char *path, struct text *out)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_described, alphasort);

    must(count >= 0, path);
    for (int i = 0; i < count; i++) {
        describe_one(path_of("%s/%s", path, entries[i]->d_name).text, out);
        free(entries[i]);
    }
    free(entries);
}
/* NOLINTEND(misc-no-recursion) */

size_t open_descriptors(void)
{
    return disk_count("/proc/self/fd");
}

int in_child(int (*body)(void *context), void *context)
{
    int status;
    pid_t child = fork();

    must(child >= 0, "fork");
    if (child == 0)
        _exit(body(context));
    must(TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) == child, "waitpid");
    return status;
}

void file_user_start(struct file_user *user, const char *path, void (*use)(const char *path))
{
    char byte;

    must(pipe(user->ready) == 0 && pipe(user->over) == 0, "pipes");
    user->pid = fork();
    must(user->pid >= 0, "fork");
    if (user->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(user->over[1]);
        use(path);
        must(write(user->ready[1], "!", 1) == 1, "the pipe");
        _exit(read(user->over[0], &byte, 1) == 0 ? 0 : 1);
    }
    must(read(user->ready[0], &byte, 1) == 1, "the other process");
}

void file_user_stop(struct file_user *user)
{
    int status;

    close(user->over[1]);
    must(waitpid(user->pid, &status, 0) == user->pid && status == 0, "the other process");
    close(user->over[0]);
    close(user->ready[0]);
    close(user->ready[1]);
}

void open_writable(const char *path)
{
    must(open(path, O_RDWR | O_CLOEXEC) >= 0, path);
}

void open_readable(const char *path)
{
    must(open(path, O_RDONLY | O_CLOEXEC) >= 0, path);
}

void map_writable(const char *path)
{
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

    must(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED, path);
}
