/* What a request asks for, checked before anything is written and told with the member at fault. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/making.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID   "s"
#define PAGE ((size_t)4096)

static int set_up(void **state)
{
    fixture_setup(state);
    disk_write(fixture_memory(*state).text, PAGE, 'm');
    return 0;
}

static bool make(void **state, const struct creation *creation, struct made *out,
                 struct error *err)
{
    const struct fixture *fixture = *state;

    *err = (struct error){0};
    return snapshot_create(fixture->service, creation, NULL, out, err);
}

static void assert_refused(void **state, const struct creation *creation, enum error_code code,
                           const char *field)
{
    struct error err;
    auto_made struct made made = {0};
    const struct fixture *fixture = *state;

    assert_fails(make(state, creation, &made, &err), code);
    assert_string_equal(err.field, field);
    assert_int_equal(disk_count(path_of("%s/snapshots", fixture->store.text).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", fixture->store.text).text), 0);
}

static void a_length_that_is_not_the_files_is_refused(void **state)
{
    auto_creation struct creation creation;

    request(&creation, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    creation.has_memory_size = true;
    creation.memory_size_bytes = PAGE + 1;
    assert_refused(state, &creation, ERR_INVALID, "/memory_size_bytes");
    creation.memory_size_bytes = PAGE - 1;
    assert_refused(state, &creation, ERR_INVALID, "/memory_size_bytes");
}

static void an_empty_memory_file_is_refused(void **state)
{
    auto_creation struct creation creation;

    disk_write(fixture_memory(*state).text, 0, 'm');
    request(&creation, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    assert_refused(state, &creation, ERR_INVALID, "/memory_file_path");
}

static void paths_outside_the_roots_are_refused_by_their_member(void **state)
{
    auto_creation struct creation creation;
    auto_creation struct creation other;

    request(&creation, ID, "/etc/passwd", CAPTURE_LINK, 1);
    assert_refused(state, &creation, ERR_FORBIDDEN, "/memory_file_path");
    request(&other, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    other.state_file_path = strdup("/etc/passwd");
    assert_refused(state, &other, ERR_FORBIDDEN, "/state_file_path");
}

static void too_much_state_is_refused(void **state)
{
    struct fixture *fixture = *state;
    auto_creation struct creation by_path;
    auto_creation struct creation in_request;
    struct path file = path_of("%s/state", fixture->root.text);

    fixture_close(fixture);
    fixture->settings.state_max_bytes = 10;
    fixture_open(fixture);
    disk_write(file.text, 11, 's');
    request(&by_path, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    by_path.state_file_path = strdup(file.text);
    assert_refused(state, &by_path, ERR_TOO_LARGE, "/state_file_path");
    request(&in_request, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    in_request.has_state_bytes = true;
    assert_true(text_appends(&in_request.state_bytes, "eleven byte"));
    assert_refused(state, &in_request, ERR_TOO_LARGE, "");
}

static void what_is_not_given_has_a_default(void **state)
{
    struct error err;
    auto_creation struct creation creation;
    auto_made struct made made = {0};
    struct timespec before = clock_now();

    request(&creation, NULL, fixture_memory(*state).text, CAPTURE_UNKNOWN, 1);
    assert_succeeds(make(state, &creation, &made, &err));
    assert_int_equal(made.outcome, OUTCOME_CREATED);
    assert_int_equal(strlen(made.snapshot.id), ID_NEW_SIZE - 1);
    assert_int_equal(made.snapshot.record.capture, CAPTURE_LINK); /* the server's */
    assert_int_equal(made.snapshot.manifest.version, 1);
    assert_int_equal(made.snapshot.manifest.memory_size_bytes, PAGE);
    assert_true(made.snapshot.manifest.created_at.seconds >= before.tv_sec);
    assert_true(made.snapshot.manifest.created_at.seconds <= clock_now().tv_sec);
    assert_int_equal(made.snapshot.state_size_bytes, 0);
}

/* What is answered is what will be read. */
static void the_answer_is_what_is_on_disk(void **state)
{
    struct error err;
    const struct fixture *fixture = *state;
    auto_creation struct creation creation;
    auto_made struct made made = {0};
    auto_snapshot struct snapshot found = {0};

    request(&creation, ID, fixture_memory(*state).text, CAPTURE_COPY, 3);
    creation.has_state_bytes = true;
    assert_true(text_append(&creation.state_bytes, "a\0b", 3));
    assert_succeeds(make(state, &creation, &made, &err));
    assert_succeeds(snapshot_get(fixture->service, ID, LIVE_NONE, &found, &err));
    assert_string_equal(made.snapshot.path, found.path);
    assert_int_equal(made.snapshot.status, found.status);
    assert_true(found.has_record);
    assert_string_equal(made.snapshot.record.request_sha256, found.record.request_sha256);
    assert_string_equal(made.snapshot.record.manifest_sha256, found.record.manifest_sha256);
    assert_string_equal(made.snapshot.record.state_sha256, found.record.state_sha256);
    assert_int_equal(made.snapshot.state_size_bytes, found.state_size_bytes);
    assert_int_equal(found.state_size_bytes, 3);
    assert_int_equal(made.snapshot.manifest.created_at.nanos, found.manifest.created_at.nanos);
}

static void memory_in_place_is_found_without_a_root(void **state)
{
    struct error err;
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    disk_make_dir(fixture_snapshot(*state, ID, "").text);
    disk_write(fixture_snapshot(*state, ID, MEMORY_FILE).text, PAGE, 'm');
    request(&creation, ID, fixture_snapshot(*state, ID, MEMORY_FILE).text, CAPTURE_UNKNOWN, 1);
    assert_succeeds(make(state, &creation, &made, &err));
    assert_int_equal(made.snapshot.record.capture, CAPTURE_LINK);
    assert_null(made.snapshot.linked_to);
}

static void memory_in_place_can_only_be_linked(void **state)
{
    struct error err;
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    disk_make_dir(fixture_snapshot(*state, ID, "").text);
    disk_write(fixture_snapshot(*state, ID, MEMORY_FILE).text, PAGE, 'm');
    request(&creation, ID, fixture_snapshot(*state, ID, MEMORY_FILE).text, CAPTURE_COPY, 1);
    assert_fails(make(state, &creation, &made, &err), ERR_INVALID);
    assert_string_equal(err.field, "/capture");
    assert_int_equal(disk_count(fixture_snapshot(*state, ID, "").text), 1);
}

static void memory_of_another_snapshot_is_not_in_place(void **state)
{
    auto_creation struct creation creation;
    const struct fixture *fixture = *state;
    struct error err;
    auto_made struct made made = {0};

    disk_make_dir(fixture_snapshot(*state, ID, "").text);
    disk_write(fixture_snapshot(*state, ID, MEMORY_FILE).text, PAGE, 'm');
    request(&creation, "other", fixture_snapshot(*state, ID, MEMORY_FILE).text, CAPTURE_LINK, 1);
    assert_fails(make(state, &creation, &made, &err), ERR_FORBIDDEN);
    assert_int_equal(disk_count(path_of("%s/snapshots", fixture->store.text).text), 1);
}

static void capture_from_a_writer(void **state, enum capture capture)
{
    struct error err;
    struct file_user user;
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    file_user_start(&user, fixture_memory(*state).text, map_writable);
    request(&creation, ID, fixture_memory(*state).text, capture, 1);
    creation.allow_writer = false;
    assert_refused(state, &creation, ERR_IN_USE, "/memory_file_path");
    creation.allow_writer = true;
    assert_succeeds(make(state, &creation, &made, &err));
    file_user_stop(&user);
}

static void a_writer_is_accepted_unless_the_request_says_no(void **state)
{
    capture_from_a_writer(state, CAPTURE_COPY);
}

static void a_writer_is_accepted_when_isolating_unless_the_request_says_no(void **state)
{
    capture_from_a_writer(state, CAPTURE_ISOLATE);
}

/* A link is the file itself, whoever writes it. */
static void a_writer_does_not_matter_to_a_link(void **state)
{
    struct error err;
    struct file_user user;
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    file_user_start(&user, fixture_memory(*state).text, open_writable);
    request(&creation, ID, fixture_memory(*state).text, CAPTURE_LINK, 1);
    creation.allow_writer = false;
    assert_succeeds(make(state, &creation, &made, &err));
    file_user_stop(&user);
}

static void a_writer_that_cannot_be_known_is_not_guessed(void **state)
{
    auto_creation struct creation creation;

    request(&creation, ID, fixture_memory(*state).text, CAPTURE_COPY, 1);
    creation.allow_writer = false;
    fault_arm_error("fcntl", 1, EACCES);
    assert_refused(state, &creation, ERR_PERMISSION, "/memory_file_path");
    assert_non_null(fault_disarm().struck);
}

struct opening {
    struct file_user user;
    struct path path;
};

static void start_writer(void *context)
{
    struct opening *opening = context;

    file_user_start(&opening->user, opening->path.text, open_writable);
}

/* It comes between the check and the copy's end. */
static void a_writer_that_comes_while_copying_is_seen(void **state)
{
    struct opening opening = {.path = fixture_memory(*state)};
    auto_creation struct creation creation;
    struct fault_plan plan = {.kinds = FAULT_LOOK,
                              .only = "pread",
                              .effect = FAULT_HOOK,
                              .nth = 1,
                              .hook = start_writer,
                              .context = &opening};

    request(&creation, ID, fixture_memory(*state).text, CAPTURE_COPY, 1);
    creation.allow_writer = false;
    fault_arm(&plan);
    assert_refused(state, &creation, ERR_IN_USE, "/memory_file_path");
    assert_non_null(fault_disarm().struck);
    file_user_stop(&opening.user);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_length_that_is_not_the_files_is_refused),
        TEST(an_empty_memory_file_is_refused),
        TEST(paths_outside_the_roots_are_refused_by_their_member),
        TEST(too_much_state_is_refused),
        TEST(what_is_not_given_has_a_default),
        TEST(the_answer_is_what_is_on_disk),
        TEST(memory_in_place_is_found_without_a_root),
        TEST(memory_in_place_can_only_be_linked),
        TEST(memory_of_another_snapshot_is_not_in_place),
        TEST(a_writer_is_accepted_unless_the_request_says_no),
        TEST(a_writer_is_accepted_when_isolating_unless_the_request_says_no),
        TEST(a_writer_does_not_matter_to_a_link),
        TEST(a_writer_that_cannot_be_known_is_not_guessed),
        TEST(a_writer_that_comes_while_copying_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
