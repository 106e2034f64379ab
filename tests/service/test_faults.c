/* One call at a time fails, in everything that changes the store: each ends either done or undone,
 * and the next try succeeds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/fault.h"
#include "tests/mounts.h"
#include "tests/store_fixture.h"

#define ID          "s"
#define MEMORY_SIZE ((size_t)3 << 12)
#define STATE_SIZE  ((size_t)600)
#define OLD_VPS     1
#define NEW_VPS     2

enum start { NOTHING,
             OLD_SNAPSHOT,
             SAVED_BY_OPENVMM,
             MEMORY_IN_PLACE,
             OLD_IN_PLACE };
enum change { CREATE,
              REPLACE,
              TAKE_IN,
              PATCH,
              DELETE };
enum state_way { STATE_EMPTY,
                 STATE_PATH,
                 STATE_BYTES,
                 STATE_UPLOAD };

struct scenario {
    const char *name;
    enum start start;
    enum change change;
    enum capture capture;
    enum state_way state;
};

static const struct scenario scenarios[] = {
    {"create by link",           NOTHING,          CREATE,  CAPTURE_LINK,    STATE_EMPTY },
    {"create by copy",           NOTHING,          CREATE,  CAPTURE_COPY,    STATE_EMPTY },
    {"create by isolate",        NOTHING,          CREATE,  CAPTURE_ISOLATE, STATE_EMPTY },
    {"create, state by path",    NOTHING,          CREATE,  CAPTURE_LINK,    STATE_PATH  },
    {"create, state in base64",  NOTHING,          CREATE,  CAPTURE_LINK,    STATE_BYTES },
    {"create, state uploaded",   NOTHING,          CREATE,  CAPTURE_COPY,    STATE_UPLOAD},
    {"replace nothing",          NOTHING,          REPLACE, CAPTURE_LINK,    STATE_EMPTY },
    {"replace by link",          OLD_SNAPSHOT,     REPLACE, CAPTURE_LINK,    STATE_PATH  },
    {"replace by copy",          OLD_SNAPSHOT,     REPLACE, CAPTURE_COPY,    STATE_BYTES },
    {"create in place",          MEMORY_IN_PLACE,  CREATE,  CAPTURE_LINK,    STATE_PATH  },
    {"replace in place",         OLD_IN_PLACE,     REPLACE, CAPTURE_LINK,    STATE_BYTES },
    {"take in by link",          NOTHING,          TAKE_IN, CAPTURE_LINK,    STATE_EMPTY },
    {"take in by copy",          NOTHING,          TAKE_IN, CAPTURE_COPY,    STATE_EMPTY },
    {"patch",                    OLD_SNAPSHOT,     PATCH,   CAPTURE_LINK,    STATE_EMPTY },
    {"patch what OpenVMM wrote", SAVED_BY_OPENVMM, PATCH,   CAPTURE_UNKNOWN, STATE_EMPTY },
    {"delete",                   OLD_SNAPSHOT,     DELETE,  CAPTURE_LINK,    STATE_EMPTY },
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

static const struct scenario by_reflink =
    {"create by reflink", NOTHING, CREATE, CAPTURE_REFLINK, STATE_EMPTY};

/* One try: what is done to what, and what there was before. */
struct trial {
    struct fixture *fixture;
    const struct scenario *scenario;
    struct path memory, state, home; /* home: the snapshot's directory */
    struct path saved;               /* the directory that is taken in */
    struct text before;
};

static bool is_in_place(const struct scenario *scenario)
{
    return scenario->start == MEMORY_IN_PLACE || scenario->start == OLD_IN_PLACE;
}

static void start_trial(struct trial *trial)
{
    struct fixture *fixture = trial->fixture;

    trial->home = path_of("%s/snapshots/" ID, fixture->store.text);
    trial->state = path_of("%s/state", fixture->root.text);
    trial->memory = path_of("%s/memory", fixture->root.text);
    if (is_in_place(trial->scenario)) {
        disk_make_dir(trial->home.text);
        trial->memory = path_of("%s/" MEMORY_FILE, trial->home.text);
    }
    trial->saved = path_of("%s/saved", fixture->root.text);
    openvmm_save(trial->saved.text, MEMORY_SIZE, 'm', NEW_VPS);
    disk_write(trial->memory.text, MEMORY_SIZE, 'm');
    disk_write(trial->state.text, STATE_SIZE, 's');
    if (trial->scenario->start == OLD_SNAPSHOT || trial->scenario->start == OLD_IN_PLACE)
        fixture_create(fixture, ID, trial->memory.text, CAPTURE_LINK, OLD_VPS);
    if (trial->scenario->start == SAVED_BY_OPENVMM)
        openvmm_save(trial->home.text, MEMORY_SIZE, 'm', OLD_VPS);
    text_clear(&trial->before);
    disk_describe(fixture->home.text, &trial->before);
}

static void end_trial(struct trial *trial)
{
    fixture_settle(trial->fixture);
    disk_remove(trial->home.text);
    disk_remove(trial->memory.text);
    disk_remove(trial->saved.text);
    text_clear(&trial->before);
}

/* The request of the scenario; what it takes is not part of what can fail. */
static void prepare(const struct trial *trial, struct creation *out)
{
    enum state_way way = trial->scenario->state;
    char bytes[STATE_SIZE];

    request(out, ID, trial->memory.text, trial->scenario->capture, NEW_VPS);
    if (trial->scenario->change == TAKE_IN)
        out->snapshot_dir_path = strdup(trial->saved.text);
    if (way == STATE_PATH)
        out->state_file_path = strdup(trial->state.text);
    memset(bytes, 's', sizeof bytes);
    out->has_state_bytes = way == STATE_BYTES;
    if (out->has_state_bytes)
        assert_true(text_append(&out->state_bytes, bytes, sizeof bytes));
}

static struct draft *upload(const struct trial *trial, struct error *err)
{
    char bytes[STATE_SIZE];
    auto_draft struct draft *draft =
        draft_begin(trial->fixture->service->store, sizeof bytes, err);

    memset(bytes, 's', sizeof bytes);
    return draft && draft_write(draft, bytes, sizeof bytes, err) ? TAKE(draft) : NULL;
}

static const struct patch hold = {.has_held = true, .held = true};

static bool change(const struct trial *trial, const struct creation *creation, struct error *err)
{
    struct service *service = trial->fixture->service;
    bool uploads = trial->scenario->state == STATE_UPLOAD;
    auto_draft struct draft *draft = uploads ? upload(trial, err) : NULL;
    auto_made struct made made = {0};
    const struct guard guard = {0};

    if (uploads && !draft)
        return false;
    switch (trial->scenario->change) {
    case CREATE:
    case TAKE_IN:
        return snapshot_create(service, creation, draft, &made, err);
    case REPLACE:
        return snapshot_replace(service, creation, draft, &guard, &made, err);
    case PATCH:
        return snapshot_patch(service, ID, &hold, &guard, &made.snapshot, err);
    default:
        return snapshot_delete(service, ID, &guard, err);
    }
}

static void assert_patched(const struct trial *trial, const struct snapshot *found)
{
    assert_int_equal(found->status, SNAPSHOT_READY);
    assert_int_equal(found->manifest.vp_count, OLD_VPS);
    assert_int_equal(found->record.capture, trial->scenario->capture);
    assert_true(found->record.held);
}

static void assert_done(const struct trial *trial)
{
    struct error err = {0};
    auto_snapshot struct snapshot found = {0};
    size_t state_size = trial->scenario->state == STATE_EMPTY ? 0 : STATE_SIZE;

    if (trial->scenario->change == DELETE) {
        assert_fails(snapshot_get(trial->fixture->service, ID, LIVE_NONE, &found, &err),
                     ERR_NOT_FOUND);
        return;
    }
    assert_succeeds(snapshot_get(trial->fixture->service, ID, LIVE_NONE, &found, &err));
    if (trial->scenario->change == PATCH) {
        assert_patched(trial, &found);
        return;
    }
    assert_int_equal(found.status, SNAPSHOT_READY);
    assert_int_equal(found.manifest.vp_count, NEW_VPS);
    assert_true(found.has_record);
    assert_true(disk_holds(path_of("%s/" MEMORY_FILE, trial->home.text).text, MEMORY_SIZE, 'm'));
    if (trial->scenario->change != TAKE_IN)
        assert_true(disk_holds(path_of("%s/" STATE_FILE, trial->home.text).text, state_size, 's'));
}

static void assert_undone(const struct trial *trial)
{
    auto_text struct text now = {0};

    disk_describe(trial->fixture->home.text, &now);
    assert_string_equal(text_str(&now), text_str(&trial->before));
}

/* What a failed call is told as: in general, and where a certain call means something else. */
static const struct {
    int errnum;
    const char *call; /* NULL: any other */
    enum error_code code;
} tellings[] = {
    {ENOMEM, NULL,        ERR_INTERNAL            },
    {0,      "unlinkat",  ERR_IO                  }, /* of a clone that failed: the copy finds it */
    {0,      "readlink",  ERR_EXISTS              }, /* whether it is in place cannot be seen */
    {ENOSPC, NULL,        ERR_NO_SPACE            },
    {EDQUOT, NULL,        ERR_NO_SPACE            },
    {EMLINK, "linkat",    ERR_TOO_MANY_LINKS      },
    {EMLINK, "ioctl",     ERR_REFLINK_UNSUPPORTED },
    {EXDEV,  "linkat",    ERR_DIFFERENT_FILESYSTEM},
    {EXDEV,  "ioctl",     ERR_REFLINK_UNSUPPORTED },
    {EINTR,  "ioctl",     ERR_REFLINK_UNSUPPORTED },
    {EPERM,  "ioctl",     ERR_REFLINK_UNSUPPORTED },
    {EACCES, "ioctl",     ERR_REFLINK_UNSUPPORTED },
    {EPERM,  "linkat",    ERR_PERMISSION          },
    {EACCES, "linkat",    ERR_PERMISSION          },
    {EPERM,  "renameat2", ERR_PERMISSION          },
    {EACCES, "renameat2", ERR_PERMISSION          },
};

static enum error_code expected_code(int errnum, const char *call)
{
    for (size_t i = 0; i < sizeof tellings / sizeof tellings[0]; i++)
        if ((tellings[i].errnum == 0 || tellings[i].errnum == errnum)
            && (!tellings[i].call || strcmp(tellings[i].call, call) == 0))
            return tellings[i].code;
    return ERR_IO;
}

/* Where a call that only clears up fails, what it should have removed waits for the next start. */
static void assert_nothing_left(const struct trial *trial, const char *struck)
{
    const struct store *store = trial->fixture->service->store;

    if (struck && (strcmp(struck, "unlinkat") == 0 || strcmp(struck, "openat") == 0))
        assert_int_equal(stage_recover(store), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", store->path).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/trash", store->path).text), 0);
}

static void assert_told(const struct trial *trial, const struct fault_plan *fault,
                        const char *struck, const struct error *err)
{
    assert_non_null(struck);
    assert_string_not_equal(err->message, "");
    if (err->code != expected_code(fault->errnum, struck))
        fail_msg("%s: %s is told as %s: %s", trial->scenario->name, struck, error_slug(err->code),
                 err->message);
}

/* False when the scenario makes no nth call. */
static bool try_with(struct trial *trial, const struct fault_plan *fault)
{
    struct error err = {0};
    auto_creation struct creation creation = {0};

    start_trial(trial);
    prepare(trial, &creation);
    size_t descriptors = open_descriptors();
    fault_arm(fault);
    bool done = change(trial, &creation, &err);
    struct fault_seen seen = fault_disarm();
    fixture_settle(trial->fixture);
    assert_int_equal(open_descriptors(), descriptors);
    assert_nothing_left(trial, seen.struck);
    if (!done) {
        assert_told(trial, fault, seen.struck, &err);
        assert_undone(trial);
        done = change(trial, &creation, &err);
    }
    if (!done)
        fail_msg("%s: the second try: %s", trial->scenario->name, err.message);
    assert_done(trial);
    end_trial(trial);
    return seen.struck != NULL;
}

/* How many calls there were to fail. */
static unsigned fail_each(struct fixture *fixture, const struct scenario *scenario,
                          struct fault_plan fault)
{
    struct trial trial = {.fixture = fixture, .scenario = scenario};

    for (fault.nth = 1; try_with(&trial, &fault); fault.nth++) {
    }
    return fault.nth - 1;
}

static void fail_disk(struct fixture *fixture, const struct scenario *scenario)
{
    static const int errnums[] = {ENOSPC, EDQUOT, EIO, EMLINK, EXDEV, EINTR, EPERM, EACCES};

    for (size_t i = 0; i < sizeof errnums / sizeof errnums[0]; i++) {
        struct fault_plan fault = {
            .kinds = FAULT_DISK, .effect = FAULT_ERROR, .errnum = errnums[i]};
        unsigned calls = fail_each(fixture, scenario, fault);
        /* Fewer, and the linker does not give us the calls. */
        assert_true(calls >= (scenario->change == DELETE ? 2 : scenario->change == PATCH ? 5
                                                                                         : 10));
    }
}

static void fail_looks(struct fixture *fixture, const struct scenario *scenario)
{
    static const int errnums[] = {EIO, EINTR, EMFILE};

    for (size_t i = 0; i < sizeof errnums / sizeof errnums[0]; i++) {
        struct fault_plan fault = {
            .kinds = FAULT_LOOK, .effect = FAULT_ERROR, .errnum = errnums[i]};
        fail_each(fixture, scenario, fault);
    }
}

static void fail_memory(struct fixture *fixture, const struct scenario *scenario)
{
    struct fault_plan fault = {.kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .errnum = ENOMEM};

    fail_each(fixture, scenario, fault);
}

static void come_short(struct fixture *fixture, const struct scenario *scenario)
{
    struct fault_plan fault = {.kinds = FAULT_DISK | FAULT_LOOK, .effect = FAULT_SHORT};

    fail_each(fixture, scenario, fault);
}

static void a_failing_disk_leaves_things_as_they_were(void **state)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        fail_disk(*state, &scenarios[i]);
}

static void a_failing_look_leaves_things_as_they_were(void **state)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        fail_looks(*state, &scenarios[i]);
}

static void lack_of_memory_leaves_things_as_they_were(void **state)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        fail_memory(*state, &scenarios[i]);
}

static void short_reads_and_writes_lose_nothing(void **state)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        come_short(*state, &scenarios[i]);
}

static void a_failing_clone_leaves_things_as_they_were(void **state)
{
    struct fixture *fixture = *state;
    struct path at = path_of("%s/btrfs", fixture->home.text);
    struct fixture on_btrfs;

    if (!mounts_separate() || !mounts_image("btrfs", at.text))
        skip();
    fixture_make(&on_btrfs, at.text);
    fixture_open(&on_btrfs);
    fixture_hush(&on_btrfs);
    fail_disk(&on_btrfs, &by_reflink);
    fail_memory(&on_btrfs, &by_reflink);
    fixture_remove(&on_btrfs);
    mounts_end(at.text);
}

static int set_up(void **state)
{
    fixture_setup(state);
    fixture_hush(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
        TEST(a_failing_disk_leaves_things_as_they_were),
        TEST(a_failing_look_leaves_things_as_they_were),
        TEST(lack_of_memory_leaves_things_as_they_were),
        TEST(short_reads_and_writes_lose_nothing),
        TEST(a_failing_clone_leaves_things_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
