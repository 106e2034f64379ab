/* Capturing memory on real filesystems: ext4, XFS, Btrfs, tmpfs and bind mounts, in a mount
 * namespace of our own. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/prune.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/mounts.h"
#include "tests/store_fixture.h"

#define ID          "s"
#define MEMORY_SIZE ((size_t)4 << 20)
#define PAGE        ((size_t)4096)

/* A fixture and a filesystem mounted beside it. */
struct place {
    struct fixture fixture;
    struct path at;
};

static bool set_up(struct place *place)
{
    fixture_make(&place->fixture, NULL);
    place->at = path_of("%s/at", place->fixture.home.text);
    return mounts_separate();
}

static void tear_down(struct place *place)
{
    fixture_close(&place->fixture);
    if (disk_stat(place->at.text).st_dev != disk_stat(place->fixture.home.text).st_dev)
        mounts_end(place->at.text);
    fixture_remove(&place->fixture);
}

/* Store and memory root both on the filesystem that is mounted there. */
static void move_in(struct place *place)
{
    place->fixture.store = path_of("%s/store", place->at.text);
    place->fixture.root = path_of("%s/vms", place->at.text);
    place->fixture.roots[0] = place->fixture.root.text;
    disk_make_dir(place->fixture.root.text);
    fixture_open(&place->fixture);
}

static struct path captured(const struct place *place)
{
    return path_of("%s/snapshots/" ID "/" MEMORY_FILE, place->fixture.store.text);
}

static bool create(struct place *place, enum capture capture, struct made *out, struct error *err)
{
    auto_creation struct creation creation;

    request(&creation, ID, fixture_memory(&place->fixture).text, capture, 1);
    return snapshot_create(place->fixture.service, &creation, NULL, out, err);
}

static bool replace(struct place *place, struct made *out, struct error *err)
{
    const struct guard guard = {0};
    auto_creation struct creation creation;

    request(&creation, ID, fixture_memory(&place->fixture).text, CAPTURE_COPY, 1);
    return snapshot_replace(place->fixture.service, &creation, NULL, &guard, out, err);
}

static void get_live(struct place *place, struct snapshot *out)
{
    struct error err = {0};

    assert_succeeds(snapshot_get(place->fixture.service, ID, LIVE_COUNTS, out, &err));
    assert_true(out->has_live);
}

static void assert_nothing_left(const struct place *place)
{
    const char *store = place->fixture.store.text;

    assert_int_equal(disk_count(path_of("%s/snapshots", store).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", store).text), 0);
}

static void check_clones(const char *type)
{
    struct error err = {0};
    struct place place;
    auto_made struct made made = {0};
    auto_snapshot struct snapshot found = {0};

    if (!set_up(&place) || !mounts_image(type, place.at.text)) {
        fixture_remove(&place.fixture);
        skip();
    }
    move_in(&place);
    assert_true(place.fixture.service->abilities.reflink);
    disk_write(fixture_memory(&place.fixture).text, MEMORY_SIZE, 'm');
    assert_succeeds(create(&place, CAPTURE_ISOLATE, &made, &err));
    assert_int_equal(made.snapshot.record.capture, CAPTURE_REFLINK);
    assert_null(made.snapshot.linked_to);
    get_live(&place, &found);
    assert_true(found.live.shared);
    assert_int_equal(found.live.link_count, 1);

    /* Independent: the VM writes on, the snapshot stays. */
    disk_write(fixture_memory(&place.fixture).text, MEMORY_SIZE, 'x');
    assert_true(disk_holds(captured(&place).text, MEMORY_SIZE, 'm'));
    snapshot_clear(&found);
    get_live(&place, &found);
    assert_false(found.live.shared);
    tear_down(&place);
}

static void memory_is_cloned_on_xfs(void **state)
{
    (void)state;
    check_clones("xfs");
}

static void memory_is_cloned_on_btrfs(void **state)
{
    (void)state;
    check_clones("btrfs");
}

/* By a plan that drops the one snapshot there is. Its state is empty. */
static uint64_t frees(const struct place *place)
{
    struct error err = {0};
    struct retention_ticket ticket = {.policy = {.has_max_bytes = true}};
    auto_retention_plan struct retention_plan plan = {0};

    assert_succeeds(prune_plan(place->fixture.service, &ticket, &plan, &err));
    assert_int_equal(plan.drop_count, 1);
    return plan.frees_bytes;
}

/* The VM writes on, and ends. `own` is what the snapshot has for itself after the former: Btrfs
 * keeps an extent whole while any part of it is shared. */
static void check_what_is_freed(const char *type, uint64_t own)
{
    struct error err = {0};
    struct place place;
    auto_made struct made made = {0};

    if (!set_up(&place) || !mounts_image(type, place.at.text)) {
        fixture_remove(&place.fixture);
        skip();
    }
    move_in(&place);
    disk_write(fixture_memory(&place.fixture).text, MEMORY_SIZE, 'm');
    assert_succeeds(create(&place, CAPTURE_REFLINK, &made, &err));
    assert_int_equal(frees(&place), 0);

    auto_fd int source = open(fixture_memory(&place.fixture).text, O_WRONLY | O_CLOEXEC);
    auto_free char *page = calloc(1, PAGE);
    assert_int_equal(pwrite(source, page, PAGE, 0), PAGE);
    assert_int_equal(syncfs(source), 0);
    assert_int_equal(frees(&place), own);
    assert_int_equal(ftruncate(source, 0), 0);
    assert_int_equal(syncfs(source), 0);
    assert_int_equal(frees(&place), MEMORY_SIZE);
    close_p(&source);
    source = -1;
    tear_down(&place);
}

static void memory_that_is_shared_is_not_freed_on_xfs(void **state)
{
    (void)state;
    check_what_is_freed("xfs", PAGE);
}

static void memory_that_is_shared_is_not_freed_on_btrfs(void **state)
{
    (void)state;
    check_what_is_freed("btrfs", 0);
}

static void check_copies_instead(struct place *place)
{
    struct error err = {0};
    auto_made struct made made = {0};

    assert_false(place->fixture.service->abilities.reflink);
    disk_write(fixture_memory(&place->fixture).text, MEMORY_SIZE, 'm');
    assert_fails(create(place, CAPTURE_REFLINK, &made, &err), ERR_REFLINK_UNSUPPORTED);
    assert_string_equal(err.field, "/memory_file_path");
    assert_non_null(strstr(err.message, "\"isolate\""));
    assert_nothing_left(place);
    assert_succeeds(create(place, CAPTURE_ISOLATE, &made, &err));
    assert_int_equal(made.snapshot.record.capture, CAPTURE_COPY);
    assert_true(disk_holds(captured(place).text, MEMORY_SIZE, 'm'));
}

static void memory_is_isolated_by_copying_on_ext4(void **state)
{
    struct place place;

    (void)state;
    if (!set_up(&place) || !mounts_image("ext4", place.at.text)) {
        fixture_remove(&place.fixture);
        skip();
    }
    move_in(&place);
    check_copies_instead(&place);
    tear_down(&place);
}

static void memory_is_isolated_by_copying_on_tmpfs(void **state)
{
    struct place place;

    (void)state;
    if (!set_up(&place) || !mounts_tmpfs(place.at.text, "size=64m")) {
        fixture_remove(&place.fixture);
        skip();
    }
    move_in(&place);
    check_copies_instead(&place);
    tear_down(&place);
}

/* The mount is the memory root, and the store lies elsewhere. */
static void put_memory_there(struct place *place)
{
    place->fixture.root = place->at;
    place->fixture.roots[0] = place->at.text;
    fixture_open(&place->fixture);
    disk_write(fixture_memory(&place->fixture).text, PAGE, 'm');
}

static void memory_on_another_filesystem_is_told_with_openvmms_advice(void **state)
{
    struct error err = {0};
    struct place place;
    auto_made struct made made = {0};

    (void)state;
    if (!set_up(&place) || !mounts_tmpfs(place.at.text, "size=64m")) {
        fixture_remove(&place.fixture);
        skip();
    }
    put_memory_there(&place);
    assert_fails(create(&place, CAPTURE_LINK, &made, &err), ERR_DIFFERENT_FILESYSTEM);
    assert_string_equal(
        err.message,
        path_of("memory backing file (%s) must be on the same filesystem as the snapshot directory "
                "(%s/snapshots/" ID "); consider placing the backing file inside the snapshot "
                "directory",
                fixture_memory(&place.fixture).text, place.fixture.store.text)
            .text);
    assert_string_equal(err.field, "/memory_file_path");
    assert_nothing_left(&place);
    assert_succeeds(create(&place, CAPTURE_COPY, &made, &err));
    assert_true(disk_holds(captured(&place).text, PAGE, 'm'));
    tear_down(&place);
}

static void one_filesystem_through_two_mounts_is_told_as_such(void **state)
{
    struct error err = {0};
    struct place place;
    auto_made struct made made = {0};

    (void)state;
    if (!set_up(&place) || !mounts_bind(place.fixture.root.text, place.at.text)) {
        fixture_remove(&place.fixture);
        skip();
    }
    put_memory_there(&place);
    assert_fails(create(&place, CAPTURE_LINK, &made, &err), ERR_DIFFERENT_FILESYSTEM);
    assert_non_null(strstr(err.message, "one filesystem seen through two mounts"));
    assert_non_null(strstr(err.message, "mount their common parent directory once"));
    assert_non_null(strstr(err.message, fixture_memory(&place.fixture).text));
    assert_non_null(strstr(err.message, place.fixture.store.text));
    assert_nothing_left(&place);
    fixture_close(&place.fixture);
    mounts_end(place.at.text);
    fixture_remove(&place.fixture);
}

static void room_is_checked_before_the_first_byte(void **state)
{
    struct error err = {0};
    struct place place;
    auto_made struct made made = {0};
    struct fault_plan fault = {.kinds = FAULT_DISK, .only = "pwrite"};

    (void)state;
    if (!set_up(&place) || !mounts_tmpfs(place.at.text, "size=1m")) {
        fixture_remove(&place.fixture);
        skip();
    }
    place.fixture.store = path_of("%s/store", place.at.text);
    fixture_open(&place.fixture);
    disk_write(fixture_memory(&place.fixture).text, MEMORY_SIZE, 'm');
    fault_arm(&fault);
    assert_fails(create(&place, CAPTURE_COPY, &made, &err), ERR_NO_SPACE);
    assert_int_equal(fault_disarm().calls, 0);
    assert_non_null(strstr(err.message, path_of("%zu bytes", MEMORY_SIZE).text));
    assert_nothing_left(&place);
    tear_down(&place);
}

static void a_full_disk_keeps_neither_the_service_out_nor_what_makes_room(void **state)
{
    const struct guard guard = {0};
    struct error err = {0};
    struct place place;
    auto_made struct made made = {0};
    auto_made struct made again = {0};

    (void)state;
    if (!set_up(&place) || !mounts_image("xfs", place.at.text)) {
        fixture_remove(&place.fixture);
        skip();
    }
    move_in(&place);
    disk_write(fixture_memory(&place.fixture).text, MEMORY_SIZE, 'm');
    assert_succeeds(create(&place, CAPTURE_COPY, &made, &err));
    auto_fd int ballast = open(path_of("%s/ballast", place.at.text).text, O_RDWR | O_CREAT, 0600);
    fixture_close(&place.fixture); /* which gives back room: the catalogue's log ends */
    mounts_fill(ballast);
    fixture_open(&place.fixture);
    assert_false(place.fixture.service->probed);
    assert_fails(replace(&place, &again, &err), ERR_NO_SPACE);
    assert_succeeds(snapshot_delete(place.fixture.service, ID, &guard, &err));
    fixture_settle(&place.fixture);
    assert_nothing_left(&place);
    assert_int_equal(ftruncate(ballast, 0), 0);
    assert_succeeds(create(&place, CAPTURE_COPY, &again, &err));
    close_p(&ballast);
    ballast = -1;
    tear_down(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_cloned_on_xfs),
        cmocka_unit_test(memory_is_cloned_on_btrfs),
        cmocka_unit_test(memory_that_is_shared_is_not_freed_on_xfs),
        cmocka_unit_test(memory_that_is_shared_is_not_freed_on_btrfs),
        cmocka_unit_test(memory_is_isolated_by_copying_on_ext4),
        cmocka_unit_test(memory_is_isolated_by_copying_on_tmpfs),
        cmocka_unit_test(memory_on_another_filesystem_is_told_with_openvmms_advice),
        cmocka_unit_test(one_filesystem_through_two_mounts_is_told_as_such),
        cmocka_unit_test(room_is_checked_before_the_first_byte),
        cmocka_unit_test(a_full_disk_keeps_neither_the_service_out_nor_what_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
