/* A process that publishes, replaces, patches and deletes is killed before and after each call
 * that changes the disk, and the store is opened again. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define PAGE 4096

/* Each id is at a version: 0 is none, and version v has v VPs, v pages of memory (but in place)
 * and v bytes of state; version v + HELD is the same, held. OpenVMM wrote the last by itself, and
 * what the one before it takes in. */
enum { BY_LINK,
       BY_COPY,
       IN_PLACE,
       TAKEN_IN,
       BY_OPENVMM,
       IDS };
static const char *const ids[IDS] = {"link", "copy", "place", "taken", "openvmm"};
#define HELD  16
#define SAVED 2 /* the version of the last, and of what is taken in, from the beginning */

struct step {
    size_t id;
    uint32_t version; /* that the step makes of it */
    enum capture capture;
};

static const struct step steps[] = {
    {BY_LINK,    1,            CAPTURE_LINK   },
    {BY_COPY,    1,            CAPTURE_COPY   },
    {IN_PLACE,   1,            CAPTURE_LINK   },
    {BY_LINK,    2,            CAPTURE_COPY   },
    {BY_COPY,    2,            CAPTURE_LINK   },
    {BY_COPY,    2 + HELD,     CAPTURE_UNKNOWN},
    {BY_OPENVMM, SAVED + HELD, CAPTURE_UNKNOWN},
    {TAKEN_IN,   SAVED,        CAPTURE_LINK   },
    {IN_PLACE,   2,            CAPTURE_LINK   },
    {BY_LINK,    0,            CAPTURE_UNKNOWN},
    {BY_COPY,    2,            CAPTURE_UNKNOWN},
    {BY_COPY,    3,            CAPTURE_LINK   },
    {BY_COPY,    0,            CAPTURE_UNKNOWN},
};
#define STEPS (sizeof steps / sizeof steps[0])

struct run {
    struct fixture fixture;
    struct fault_plan fault;
    int done[2]; /* a pipe: one byte for each step that was acknowledged */
};

static struct path saved_path(const struct run *run)
{
    return path_of("%s/saved", run->fixture.root.text);
}

static struct path memory_path(const struct run *run, size_t id, uint32_t version)
{
    if (id == TAKEN_IN)
        return path_of("%s/" MEMORY_FILE, saved_path(run).text);
    if (id == IN_PLACE || id == BY_OPENVMM)
        return path_of("%s/snapshots/%s/" MEMORY_FILE, run->fixture.store.text, ids[id]);
    return path_of("%s/%u", run->fixture.root.text, (unsigned)version);
}

static size_t memory_size(size_t id, uint32_t version)
{
    return PAGE * (size_t)(id == IN_PLACE ? 1 : version);
}

static char memory_byte(size_t id, uint32_t version)
{
    return (char)(id == IN_PLACE ? 'p' : '0' + version);
}

static bool make(struct run *run, const struct step *step, struct error *err)
{
    struct service *service = run->fixture.service;
    const struct guard guard = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, ids[step->id], memory_path(run, step->id, step->version).text,
            step->capture, step->version);
    creation.has_state_bytes = step->id != TAKEN_IN;
    if (creation.has_state_bytes)
        must(text_append(&creation.state_bytes, "sss", step->version), "out of memory");
    else
        creation.snapshot_dir_path = strdup(saved_path(run).text);
    return step->version == 1 ? snapshot_create(service, &creation, NULL, &made, err)
                              : snapshot_replace(service, &creation, NULL, &guard, &made, err);
}

static bool take_step(struct run *run, const struct step *step, struct error *err)
{
    struct service *service = run->fixture.service;
    const struct guard guard = {0};
    const struct patch patch = {.has_held = true, .held = step->version >= HELD};
    auto_snapshot struct snapshot patched = {0};

    if (step->capture != CAPTURE_UNKNOWN)
        return make(run, step, err);
    return step->version > 0
        ? snapshot_patch(service, ids[step->id], &patch, &guard, &patched, err)
        : snapshot_delete(service, ids[step->id], &guard, err);
}

static int work(void *context)
{
    struct run *run = context;
    struct error err = {0};

    fault_arm(&run->fault);
    fixture_open(&run->fixture);
    for (size_t i = 0; i < STEPS; i++) {
        must(take_step(run, &steps[i], &err), err.message);
        must(write(run->done[1], ".", 1) == 1, "the pipe");
        fixture_settle(&run->fixture); /* so that each run makes the same calls */
    }
    fixture_close(&run->fixture);
    return 0;
}

/* What a killed predecessor can have left, for recovery to be killed in, too. */
static void leave_leftovers(const struct run *run)
{
    static const char *const places[] = {"staging", "trash"};

    disk_make_dir(run->fixture.store.text);
    disk_make_dir(path_of("%s/.vmsnapd", run->fixture.store.text).text);
    for (size_t i = 0; i < 2; i++) {
        struct path place = path_of("%s/.vmsnapd/%s", run->fixture.store.text, places[i]);
        disk_make_dir(place.text);
        disk_make_dir(path_of("%s/left", place.text).text);
        disk_write(path_of("%s/left/" MEMORY_FILE, place.text).text, 1, 'x');
    }
}

static void begin(struct run *run)
{
    fixture_make(&run->fixture, NULL);
    leave_leftovers(run);
    disk_make_dir(path_of("%s/snapshots", run->fixture.store.text).text);
    disk_make_dir(path_of("%s/snapshots/%s", run->fixture.store.text, ids[IN_PLACE]).text);
    disk_write(memory_path(run, IN_PLACE, 1).text, memory_size(IN_PLACE, 1), 'p');
    openvmm_save(saved_path(run).text, memory_size(TAKEN_IN, SAVED), memory_byte(TAKEN_IN, SAVED),
                 SAVED);
    struct path saved = path_of("%s/snapshots/%s", run->fixture.store.text, ids[BY_OPENVMM]);
    openvmm_save(saved.text, memory_size(BY_OPENVMM, SAVED), memory_byte(BY_OPENVMM, SAVED), SAVED);
    disk_write(path_of("%s/" STATE_FILE, saved.text).text, SAVED, 's');
    for (uint32_t version = 1; version <= 3; version++)
        disk_write(memory_path(run, BY_LINK, version).text, memory_size(BY_LINK, version),
                   memory_byte(BY_LINK, version));
    assert_int_equal(pipe(run->done), 0);
}

/* The version that an id has after so many steps. */
static uint32_t version_after(size_t count, size_t id)
{
    uint32_t version = id == BY_OPENVMM ? SAVED : 0;

    for (size_t i = 0; i < count; i++)
        if (steps[i].id == id)
            version = steps[i].version;
    return version;
}

static void assert_whole(struct run *run, size_t id, const struct snapshot *found)
{
    uint32_t version = found->manifest.vp_count;
    struct path memory = path_of("%s/" MEMORY_FILE, found->path);
    struct path state = path_of("%s/" STATE_FILE, found->path);

    if (id != BY_OPENVMM) {
        assert_true(found->has_record);
        assert_int_equal(strtoul(found->record.labels.items[0].value, NULL, 10), version);
    }
    assert_int_equal(found->manifest.memory_size_bytes, memory_size(id, version));
    assert_true(disk_holds(memory.text, memory_size(id, version), memory_byte(id, version)));
    assert_int_equal(disk_stat(state.text).st_size, version);
    assert_true(id == TAKEN_IN || disk_holds(state.text, version, 's'));
    assert_true(disk_holds(memory_path(run, id, version).text, memory_size(id, version),
                           memory_byte(id, version)));
}

/* The version found, 0 for none. In place there is a moment without a manifest. */
static uint32_t read_version(struct run *run, size_t id)
{
    struct error err = {0};
    auto_snapshot struct snapshot found = {0};

    if (!snapshot_get(run->fixture.service, ids[id], LIVE_NONE, &found, &err)) {
        assert_int_equal(err.code, ERR_NOT_FOUND);
        return 0;
    }
    if (id == IN_PLACE && found.status == SNAPSHOT_INCOMPLETE) {
        assert_true(disk_holds(memory_path(run, id, 1).text, memory_size(id, 1), 'p'));
        return 0;
    }
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_whole(run, id, &found);
    return found.manifest.vp_count + (found.record.held ? HELD : 0);
}

/* The step that was under way may have been carried out or not; all before it were. */
static void assert_version(struct run *run, size_t id, size_t acknowledged)
{
    uint32_t found = read_version(run, id);
    uint32_t before = version_after(acknowledged, id);
    uint32_t after = acknowledged < STEPS ? version_after(acknowledged + 1, id) : before;
    bool between = id == IN_PLACE && found == 0 && before != after;

    if (found != before && found != after && !between)
        fail_msg("%s is at version %u after %zu steps, killed at the %uth call", ids[id],
                 (unsigned)found, acknowledged, run->fault.nth);
}

static void assert_listed(struct run *run)
{
    auto_text struct text differences = {0};

    fixture_compare_list(&run->fixture, &differences);
    assert_string_equal(text_str(&differences), "");
}

static void assert_recovered(struct run *run, size_t acknowledged)
{
    const char *store = run->fixture.store.text;

    fixture_open(&run->fixture);
    assert_listed(run);
    assert_int_equal(run->fixture.service->leftovers, 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", store).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/trash", store).text), 0);
    for (size_t id = 0; id < IDS; id++)
        assert_version(run, id, acknowledged);
    for (uint32_t version = 1; version <= 3; version++)
        assert_true(disk_holds(memory_path(run, BY_LINK, version).text,
                               memory_size(BY_LINK, version), memory_byte(BY_LINK, version)));
}

static size_t count_acknowledged(const struct run *run)
{
    char bytes[STEPS + 1];

    close(run->done[1]);
    ssize_t count = read(run->done[0], bytes, sizeof bytes);
    close(run->done[0]);
    assert_true(count >= 0);
    return (size_t)count;
}

/* False when the process makes no nth call. */
static bool kill_at(unsigned nth, enum fault_effect effect)
{
    struct run run = {
        .fault = {.kinds = FAULT_DISK, .effect = effect, .nth = nth, .every_thread = true}
    };

    begin(&run);
    int status = in_child(work, &run);
    size_t acknowledged = count_acknowledged(&run);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed) {
        assert_int_equal(status, 0);
        assert_int_equal(acknowledged, STEPS);
    }
    assert_recovered(&run, acknowledged);
    fixture_remove(&run.fixture);
    return killed;
}

static void kill_at_each(enum fault_effect effect)
{
    unsigned nth = 1;

    while (kill_at(nth, effect))
        nth++;
    print_message("killed at each of %u calls\n", nth - 1);
    assert_true(nth > STEPS * 10); /* fewer, and the linker does not give us the calls */
}

static void a_process_killed_before_a_call_loses_nothing_it_acknowledged(void **state)
{
    (void)state;
    kill_at_each(FAULT_KILL_BEFORE);
}

static void a_process_killed_after_a_call_loses_nothing_it_acknowledged(void **state)
{
    (void)state;
    kill_at_each(FAULT_KILL_AFTER);
}

/* Steps as fast as they go, for ever, in an order that is another each time. */
static int work_on(void *context)
{
    struct run *run = context;
    struct error err = {0};

    fixture_open(&run->fixture);
    for (unsigned i = run->fault.nth;; i = i * 1103515245 + 12345) {
        take_step(run, &steps[(i >> 16) % STEPS], &err); /* some are not possible any more */
        must(write(run->done[1], ".", 1) == 1, "the pipe");
    }
    return 0;
}

/* In the middle of whatever comes after so many steps. */
static void kill_after(struct run *run, pid_t child, unsigned count)
{
    char byte;
    int status;

    for (unsigned i = 0; i < count; i++)
        must(read(run->done[0], &byte, 1) == 1, "the pipe");
    kill(child, SIGKILL);
    must(waitpid(child, &status, 0) == child, "waitpid");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* What it leaves is built upon by the next. */
static void a_list_is_what_is_on_disk_after_any_kill(void **state)
{
    struct run run = {0};

    (void)state;
    begin(&run);
    for (run.fault.nth = 1; run.fault.nth <= 25; run.fault.nth++) {
        pid_t child = fork();
        must(child >= 0, "fork");
        if (child == 0)
            _exit(work_on(&run));
        kill_after(&run, child, run.fault.nth * 5 % 32);
        fixture_open(&run.fixture);
        assert_listed(&run);
        fixture_close(&run.fixture);
    }
    close(run.done[0]);
    close(run.done[1]);
    fixture_remove(&run.fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_killed_before_a_call_loses_nothing_it_acknowledged),
        cmocka_unit_test(a_process_killed_after_a_call_loses_nothing_it_acknowledged),
        cmocka_unit_test(a_list_is_what_is_on_disk_after_any_kill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
