/* Whose files: as the user that OpenVMM runs as, as another user without capabilities, and as
 * root. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/store_fixture.h"

#define VMM   ((uid_t)61001)
#define OTHER ((uid_t)61002)
#define PAGE  ((size_t)4096)

/* What a child does as `uid`, and what came of it. */
struct act {
    struct fixture *fixture;
    uid_t uid;
    bool (*perform)(struct fixture *fixture, struct error *err);
    int answer[2]; /* a pipe for `err` */
    struct error err;
};

static void become(uid_t uid)
{
    must(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0,
         "another user");
}

static int act_as(void *context)
{
    struct act *act = context;
    struct error err = {0};

    become(act->uid);
    act->fixture->service = service_open(&act->fixture->settings, &err);
    if (act->fixture->service && act->perform(act->fixture, &err))
        err = (struct error){0};
    fixture_close(act->fixture);
    return write(act->answer[1], &err, sizeof err) == (ssize_t)sizeof err ? 0 : 1;
}

/* The code is ERR_NONE if it succeeded. */
static struct error perform_as(struct fixture *fixture, uid_t uid,
                               bool (*perform)(struct fixture *fixture, struct error *err))
{
    struct act act = {.fixture = fixture, .uid = uid, .perform = perform};

    must(pipe(act.answer) == 0, "a pipe");
    assert_int_equal(in_child(act_as, &act), 0);
    must(read(act.answer[0], &act.err, sizeof act.err) == (ssize_t)sizeof act.err, "the pipe");
    close(act.answer[0]);
    close(act.answer[1]);
    return act.err;
}

static void own(const char *path, uid_t uid, mode_t mode)
{
    must(lchown(path, uid, uid) == 0 && chmod(path, mode) == 0, path);
}

static struct path state_of(const struct fixture *fixture)
{
    return path_of("%s/state", fixture->root.text);
}

static struct path captured(const struct fixture *fixture, const char *id, const char *file)
{
    return path_of("%s/snapshots/%s%s%s", fixture->store.text, id, *file ? "/" : "", file);
}

/* The VMM's directory with its files; the store, which its user made. */
static int set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof *fixture);

    must(fixture, "out of memory");
    fixture_make(fixture, NULL);
    *state = fixture;
    if (geteuid() != 0)
        return 0;
    own(fixture->home.text, 0, 0755);
    own(fixture->root.text, VMM, 0755);
    disk_write(fixture_memory(fixture).text, PAGE, 'm');
    own(fixture_memory(fixture).text, VMM, 0640);
    disk_write(state_of(fixture).text, 10, 's');
    own(state_of(fixture).text, VMM, 0644);
    disk_make_dir(fixture->store.text);
    return 0;
}

static void need_root(void)
{
    if (geteuid() == 0)
        return;
    fprintf(stderr, "SKIPPED: only root can become two other users\n");
    skip();
}

/* A non-owner may then link only what it can read and write. */
static void need_protected_links(void)
{
    char protects = '0';
    auto_fd int fd = open("/proc/sys/fs/protected_hardlinks", O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && read(fd, &protects, 1) == 1 && protects == '1')
        return;
    fprintf(stderr, "SKIPPED: fs.protected_hardlinks is off on this machine\n");
    skip();
}

static bool create(struct fixture *fixture, const char *id, enum capture capture,
                   const char *state_path, struct error *err)
{
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, id, fixture_memory(fixture).text, capture, 1);
    creation.state_file_path = state_path ? strdup(state_path) : NULL;
    return snapshot_create(fixture->service, &creation, NULL, &made, err);
}

static bool create_link(struct fixture *fixture, struct error *err)
{
    return create(fixture, "s", CAPTURE_LINK, NULL, err);
}

static bool create_copy(struct fixture *fixture, struct error *err)
{
    return create(fixture, "s", CAPTURE_COPY, NULL, err);
}

static bool create_with_state(struct fixture *fixture, struct error *err)
{
    return create(fixture, "s", CAPTURE_LINK, state_of(fixture).text, err);
}

static bool create_in_place(struct fixture *fixture, struct error *err)
{
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, "s", captured(fixture, "s", MEMORY_FILE).text, CAPTURE_LINK, 1);
    return snapshot_create(fixture->service, &creation, NULL, &made, err);
}

static bool replace(struct fixture *fixture, struct error *err)
{
    const struct guard guard = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    request(&creation, "s", fixture_memory(fixture).text, CAPTURE_LINK, 2);
    return snapshot_replace(fixture->service, &creation, NULL, &guard, &made, err);
}

static bool delete (struct fixture *fixture, struct error *err)
{
    const struct guard guard = {0};

    return snapshot_delete(fixture->service, "s", &guard, err);
}

static bool hold(struct fixture *fixture, struct error *err)
{
    const struct guard guard = {0};
    const struct patch patch = {.has_held = true, .held = true};
    auto_snapshot struct snapshot patched = {0};

    return snapshot_patch(fixture->service, "s", &patch, &guard, &patched, err);
}

static struct path saved_of(const struct fixture *fixture)
{
    return path_of("%s/saved", fixture->root.text);
}

static bool take_in(struct fixture *fixture, struct error *err)
{
    auto_made struct made made = {0};
    auto_creation struct creation creation = {
        .snapshot_dir_path = strdup(saved_of(fixture).text),
        .capture = CAPTURE_LINK,
        .allow_writer = true,
    };

    return snapshot_create(fixture->service, &creation, NULL, &made, err);
}

static bool get(struct fixture *fixture, struct error *err)
{
    auto_snapshot struct snapshot found = {0};

    return snapshot_get(fixture->service, "s", LIVE_NONE, &found, err);
}

/* Also the writer check, which takes the file's owner. */
static bool do_everything(struct fixture *fixture, struct error *err)
{
    auto_snapshot struct snapshot found = {0};

    if (!create_with_state(fixture, err) || !replace(fixture, err)
        || !snapshot_get(fixture->service, "s", LIVE_WRITER, &found, err))
        return false;
    if (found.live.writer != WRITER_NONE)
        return error_set(err, ERR_INTERNAL, "the writer is not known");
    if (strcmp(fixture->service->capabilities, "none") != 0)
        return error_set(err, ERR_INTERNAL, "capabilities: %s", fixture->service->capabilities);
    return create(fixture, "copy", CAPTURE_COPY, state_of(fixture).text, err)
        && delete (fixture, err) && create_link(fixture, err) && hold(fixture, err);
}

static void the_vmms_own_user_needs_no_capability(void **state)
{
    struct fixture *fixture = *state;

    need_root();
    own(fixture->store.text, VMM, 0750);
    struct error err = perform_as(fixture, VMM, do_everything);
    if (err.code != ERR_NONE)
        fail_msg("%s", err.message);
    struct stat copy = disk_stat(captured(fixture, "copy", MEMORY_FILE).text);
    assert_int_equal(copy.st_uid, VMM);
    assert_int_equal(copy.st_mode & 07777, 0640);
}

/* Refused, with a remedy, and nothing is left. */
static void assert_refused(struct fixture *fixture,
                           bool (*perform)(struct fixture *fixture, struct error *err),
                           const char *about)
{
    auto_text struct text before = {0};
    auto_text struct text after = {0};

    own(fixture->store.text, OTHER, 0750);
    perform_as(fixture, OTHER, get); /* makes the store */
    disk_describe(captured(fixture, "", "").text, &before);
    struct error err = perform_as(fixture, OTHER, perform);
    if (err.code != ERR_PERMISSION)
        fail_msg("%s: %s", error_slug(err.code), err.message);
    assert_non_null(strstr(err.message, about));
    assert_non_null(strstr(err.message, "run vmsnapd as"));
    assert_non_null(strstr(err.message, "CAP_"));
    disk_describe(captured(fixture, "", "").text, &after);
    assert_string_equal(text_str(&before), text_str(&after));
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", fixture->store.text).text), 0);
}

static void memory_that_may_not_be_read_is_refused_with_a_remedy(void **state)
{
    need_root();
    assert_refused(*state, create_link, fixture_memory(*state).text);
}

static void memory_that_may_not_be_reached_is_refused_with_a_remedy(void **state)
{
    struct fixture *fixture = *state;
    struct path inner = path_of("%s/inner", fixture->root.text);

    need_root();
    disk_make_dir(inner.text);
    must(rename(fixture_memory(fixture).text, path_of("%s/memory", inner.text).text) == 0,
         "rename");
    own(inner.text, VMM, 0700);
    must(symlink("inner/memory", fixture_memory(fixture).text) == 0, "symlink");
    assert_refused(fixture, create_link, fixture_memory(fixture).text);
}

static void memory_that_may_not_be_linked_is_refused_with_a_remedy(void **state)
{
    need_root();
    need_protected_links();
    own(fixture_memory(*state).text, VMM, 0644);
    assert_refused(*state, create_link, fixture_memory(*state).text);
}

static void a_copy_that_cannot_be_given_away_is_refused_with_a_remedy(void **state)
{
    need_root();
    own(fixture_memory(*state).text, VMM, 0644);
    assert_refused(*state, create_copy, MEMORY_FILE);
}

static void state_that_may_not_be_read_is_refused_with_a_remedy(void **state)
{
    need_root();
    own(fixture_memory(*state).text, OTHER, 0640);
    own(state_of(*state).text, VMM, 0600);
    assert_refused(*state, create_with_state, state_of(*state).text);
}

static void a_saved_directory_that_may_not_be_looked_into_is_refused_with_a_remedy(void **state)
{
    need_root();
    openvmm_save(saved_of(*state).text, PAGE, 'm', 1);
    own(saved_of(*state).text, VMM, 0700);
    assert_refused(*state, take_in, saved_of(*state).text);
}

static void a_saved_file_that_may_not_be_read_is_refused_with_a_remedy(void **state)
{
    struct path manifest = path_of("%s/" MANIFEST_FILE, saved_of(*state).text);

    need_root();
    openvmm_save(saved_of(*state).text, PAGE, 'm', 1);
    own(saved_of(*state).text, VMM, 0755);
    own(manifest.text, VMM, 0600);
    assert_refused(*state, take_in, manifest.text);
}

/* In the service's store, but made by the VMM's user, as OpenVMM does. */
static void make_foreign_directory(struct fixture *fixture, mode_t mode)
{
    own(fixture->store.text, OTHER, 0755);
    perform_as(fixture, OTHER, get);
    own(captured(fixture, "", "").text, OTHER, 0755);
    disk_make_dir(captured(fixture, "s", "").text);
    disk_write(captured(fixture, "s", MEMORY_FILE).text, PAGE, 'm');
    own(captured(fixture, "s", MEMORY_FILE).text, VMM, 0644);
    own(captured(fixture, "s", "").text, VMM, mode);
    own(fixture_memory(fixture).text, OTHER, 0640);
}

static void a_directory_that_may_not_be_read_is_refused_with_a_remedy(void **state)
{
    need_root();
    make_foreign_directory(*state, 0700);
    assert_refused(*state, get, "snapshot s");
    assert_refused(*state, delete, "snapshot s");
    assert_refused(*state, replace, "snapshot s");
}

static void a_directory_that_may_not_be_changed_is_refused_with_a_remedy(void **state)
{
    need_root();
    make_foreign_directory(*state, 0755);
    assert_refused(*state, delete, "snapshot s");
    assert_refused(*state, replace, "snapshot s");
    disk_write(captured(*state, "s", MANIFEST_FILE).text, 0, 'm');
    own(captured(*state, "s", MANIFEST_FILE).text, OTHER, 0644);
    assert_refused(*state, hold, "snapshot s");
}

static void an_in_place_directory_that_may_not_be_changed_is_refused_with_a_remedy(void **state)
{
    need_root();
    make_foreign_directory(*state, 0755);
    own(captured(*state, "s", MEMORY_FILE).text, OTHER, 0644);
    assert_refused(*state, create_in_place, "snapshot s");
}

static bool list_both(struct fixture *fixture, struct error *err)
{
    auto_snapshot_page struct snapshot_page list = {0};
    const struct snapshot_query query = {.limit = 10};

    if (!create(fixture, "t", CAPTURE_LINK, NULL, err)
        || !snapshot_list(fixture->service, &query, false, &list, err))
        return false;
    if (list.count != 2 || !strstr(list.items[1].json.data, "\"status\":\"ready\""))
        return error_set(err, ERR_INTERNAL, "%zu snapshots", list.count);
    const char *unreadable = list.items[0].json.data;
    return (strstr(unreadable, "\"status\":\"damaged\"") && strstr(unreadable, "may not read"))
        || error_set(err, ERR_INTERNAL, "%s", unreadable);
}

static void a_directory_that_may_not_be_read_hides_no_other(void **state)
{
    need_root();
    make_foreign_directory(*state, 0700);
    struct error err = perform_as(*state, OTHER, list_both);
    if (err.code != ERR_NONE)
        fail_msg("%s", err.message);
}

static void assert_owned(const char *path, uid_t uid, mode_t mode)
{
    struct stat stat = disk_stat(path);

    assert_int_equal(stat.st_uid, uid);
    assert_int_equal(stat.st_gid, uid);
    assert_int_equal(stat.st_mode & 07777, mode);
}

/* With every capability: what is made belongs to the VMM's user, who can then restore from it. */
static void root_gives_what_it_makes_to_the_memory_files_owner(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    need_root();
    own(fixture_memory(fixture).text, VMM, 0604);
    fixture_open(fixture);
    assert_succeeds(create(fixture, "s", CAPTURE_COPY, state_of(fixture).text, &err));
    assert_owned(captured(fixture, "s", MEMORY_FILE).text, VMM, 0604);
    assert_owned(captured(fixture, "s", STATE_FILE).text, VMM, 0604);
    assert_owned(captured(fixture, "s", MANIFEST_FILE).text, VMM, 0640);
    assert_owned(captured(fixture, "s", RECORD_FILE).text, VMM, 0640);
    assert_owned(captured(fixture, "s", "").text, VMM, 0750);
}

static void root_gives_a_first_record_to_the_manifests_owner(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    need_root();
    fixture_open(fixture);
    openvmm_save(captured(fixture, "s", "").text, PAGE, 'm', 1);
    own(captured(fixture, "s", MANIFEST_FILE).text, VMM, 0600);
    assert_succeeds(hold(fixture, &err));
    assert_owned(captured(fixture, "s", RECORD_FILE).text, VMM, 0640);
    assert_succeeds(hold(fixture, &err));
}

static void a_linked_memory_file_keeps_its_owner_and_mode(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    need_root();
    own(fixture_memory(fixture).text, VMM, 0604);
    struct stat before = disk_stat(fixture_memory(fixture).text);
    fixture_open(fixture);
    assert_succeeds(create(fixture, "s", CAPTURE_LINK, NULL, &err));
    assert_owned(captured(fixture, "s", MEMORY_FILE).text, VMM, 0604);
    assert_int_equal(disk_stat(fixture_memory(fixture).text).st_ino, before.st_ino);
    assert_owned(captured(fixture, "s", STATE_FILE).text, VMM, 0604);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_vmms_own_user_needs_no_capability),
        TEST(memory_that_may_not_be_read_is_refused_with_a_remedy),
        TEST(memory_that_may_not_be_reached_is_refused_with_a_remedy),
        TEST(memory_that_may_not_be_linked_is_refused_with_a_remedy),
        TEST(a_copy_that_cannot_be_given_away_is_refused_with_a_remedy),
        TEST(state_that_may_not_be_read_is_refused_with_a_remedy),
        TEST(a_saved_directory_that_may_not_be_looked_into_is_refused_with_a_remedy),
        TEST(a_saved_file_that_may_not_be_read_is_refused_with_a_remedy),
        TEST(a_directory_that_may_not_be_read_is_refused_with_a_remedy),
        TEST(a_directory_that_may_not_be_changed_is_refused_with_a_remedy),
        TEST(an_in_place_directory_that_may_not_be_changed_is_refused_with_a_remedy),
        TEST(a_directory_that_may_not_be_read_hides_no_other),
        TEST(root_gives_what_it_makes_to_the_memory_files_owner),
        TEST(root_gives_a_first_record_to_the_manifests_owner),
        TEST(a_linked_memory_file_keeps_its_owner_and_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
