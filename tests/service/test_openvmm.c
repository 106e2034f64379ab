/* What OpenVMM's own tests ask of write_snapshot, read_snapshot and validate_manifest, asked of
 * this service. */
#include <string.h>
#include <unistd.h>

#include "codec/manifest_pb.h"
#include "service/file.h"
#include "tests/check.h"
#include "tests/store_fixture.h"

#define ID          "s"
#define MEMORY_SIZE 4096

static struct path in_snapshot(const struct fixture *fixture, const char *file)
{
    return path_of("%s/snapshots/" ID "/%s", fixture->store.text, file);
}

static struct path make_memory(const struct fixture *fixture)
{
    struct path memory = path_of("%s/memory.bin", fixture->root.text);

    disk_write(memory.text, MEMORY_SIZE, 'm');
    return memory;
}

static void create(struct fixture *fixture, const char *memory, const char *state)
{
    struct error err = {0};
    auto_creation struct creation creation = {0};
    auto_made struct made made = {0};

    request(&creation, ID, memory, CAPTURE_LINK, 2);
    creation.has_created_at = true;
    creation.created_at = (struct timestamp){.seconds = 1234567890, .nanos = 7};
    creation.has_state_bytes = true;
    assert_true(text_appends(&creation.state_bytes, state));
    assert_succeeds(snapshot_create(fixture->service, &creation, NULL, &made, &err));
}

static void read_manifest(const struct fixture *fixture, struct manifest *out)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    struct path path = in_snapshot(fixture, MANIFEST_FILE);

    assert_succeeds(file_read(-1, path.text, MANIFEST_MAX, &bytes, NULL, &err));
    assert_succeeds(manifest_decode(bytes.data, bytes.len, out, &err));
}

static void a_written_snapshot_reads_back_as_it_was(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};
    auto_text struct text bytes = {0};

    create(*state, make_memory(*state).text, "device state");
    read_manifest(*state, &manifest);
    assert_int_equal(manifest.version, 1);
    assert_int_equal(manifest.created_at.seconds, 1234567890);
    assert_int_equal(manifest.created_at.nanos, 7);
    assert_true(text_equals(&manifest.openvmm_version, "0.0.0", 5));
    assert_int_equal(manifest.memory_size_bytes, MEMORY_SIZE);
    assert_int_equal(manifest.vp_count, 2);
    assert_int_equal(manifest.page_size, 4096);
    assert_true(text_equals(&manifest.architecture, "x86_64", 6));
    assert_succeeds(file_read(-1, in_snapshot(*state, STATE_FILE).text, 100, &bytes, NULL, &err));
    assert_string_equal(text_str(&bytes), "device state");
}

static void memory_has_the_length_that_the_manifest_declares(void **state)
{
    auto_manifest struct manifest manifest = {0};

    create(*state, make_memory(*state).text, "");
    read_manifest(*state, &manifest);
    assert_int_equal(disk_stat(in_snapshot(*state, MEMORY_FILE).text).st_size,
                     manifest.memory_size_bytes);
}

static void directories_are_created_with_their_parents(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    fixture->store = path_of("%s/of/many/parents", fixture->home.text);
    fixture_open(fixture);
    create(fixture, make_memory(fixture).text, "");
    assert_int_equal(access(in_snapshot(fixture, MANIFEST_FILE).text, F_OK), 0);
    assert_int_equal(access(in_snapshot(fixture, STATE_FILE).text, F_OK), 0);
}

static void a_memory_file_outside_is_linked_in(void **state)
{
    struct path memory = make_memory(*state);

    create(*state, memory.text, "");
    assert_int_equal(disk_stat(in_snapshot(*state, MEMORY_FILE).text).st_ino,
                     disk_stat(memory.text).st_ino);
}

static void a_memory_file_at_its_own_path_stays_as_it_is(void **state)
{
    struct path memory = in_snapshot(*state, MEMORY_FILE);

    disk_make_dir(in_snapshot(*state, "").text);
    disk_write(memory.text, MEMORY_SIZE, 'm');
    ino_t inode = disk_stat(memory.text).st_ino;
    create(*state, memory.text, "");
    assert_int_equal(disk_stat(memory.text).st_ino, inode);
    assert_int_equal(disk_stat(memory.text).st_nlink, 1);
    assert_true(disk_holds(memory.text, MEMORY_SIZE, 'm'));
}

static void a_missing_memory_file_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    auto_creation struct creation creation = {0};
    auto_made struct made made = {0};

    request(&creation, ID, path_of("%s/none", fixture->root.text).text, CAPTURE_LINK, 2);
    assert_fails(snapshot_create(fixture->service, &creation, NULL, &made, &err), ERR_INVALID);
    assert_string_equal(err.field, "/memory_file_path");
    assert_int_equal(disk_count(path_of("%s/snapshots", fixture->store.text).text), 0);
}

/* The first message about a snapshot like `create` makes it; "" if it is valid. */
static struct path judge(struct fixture *fixture, const struct expectation *expectation)
{
    struct error err = {0};
    auto_verdict struct verdict verdict = {0};

    assert_succeeds(snapshot_validate(fixture->service, ID, expectation, &verdict, &err));
    if (verdict.mismatch_count == 0)
        return (struct path){""};
    return path_of("%s", text_str(&verdict.mismatches[0].message));
}

static struct expectation expect_same(void)
{
    struct expectation expectation = {
        .has_architecture = true,
        .has_memory_size = true,
        .memory_size_bytes = MEMORY_SIZE,
        .has_vp_count = true,
        .vp_count = 2,
        .has_page_size = true,
        .page_size = 4096,
    };

    assert_true(text_appends(&expectation.architecture, "x86_64"));
    return expectation;
}

static void a_manifest_that_matches_is_valid(void **state)
{
    auto_expectation struct expectation expectation = expect_same();

    create(*state, make_memory(*state).text, "");
    assert_string_equal(judge(*state, &expectation).text, "");
}

static void a_wrong_version_is_invalid(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};
    auto_text struct text bytes = {0};
    auto_expectation struct expectation expectation = expect_same();
    struct path path = in_snapshot(*state, MANIFEST_FILE);

    create(*state, make_memory(*state).text, "");
    read_manifest(*state, &manifest);
    manifest.version = 99;
    assert_succeeds(manifest_encode(&manifest, &bytes, &err));
    assert_int_equal(unlink(path.text), 0);
    auto_fd int fd = file_create(-1, path.text, &err);
    assert_succeeds(file_write_all(fd, bytes.data, bytes.len, path.text, &err));
    assert_string_equal(judge(*state, &expectation).text,
                        "snapshot manifest version 99 is not supported (expected 1)");
}

static void a_wrong_architecture_is_invalid(void **state)
{
    auto_expectation struct expectation expectation = expect_same();

    create(*state, make_memory(*state).text, "");
    assert_true(text_set(&expectation.architecture, "aarch64", 7));
    assert_string_equal(judge(*state, &expectation).text,
                        "snapshot architecture 'x86_64' doesn't match expected 'aarch64'");
}

static void a_wrong_memory_size_is_invalid(void **state)
{
    auto_expectation struct expectation expectation = expect_same();

    create(*state, make_memory(*state).text, "");
    expectation.memory_size_bytes = 8192;
    assert_string_equal(judge(*state, &expectation).text,
                        "snapshot memory size (4096 bytes) doesn't match expected (8192 bytes)");
}

static void a_wrong_vp_count_is_invalid(void **state)
{
    auto_expectation struct expectation expectation = expect_same();

    create(*state, make_memory(*state).text, "");
    expectation.vp_count = 3;
    assert_string_equal(judge(*state, &expectation).text,
                        "snapshot VP count (2) doesn't match expected (3)");
}

static void a_wrong_page_size_is_invalid(void **state)
{
    auto_expectation struct expectation expectation = expect_same();

    create(*state, make_memory(*state).text, "");
    expectation.page_size = 65536;
    assert_string_equal(judge(*state, &expectation).text,
                        "snapshot page size (4096) doesn't match expected (65536)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_written_snapshot_reads_back_as_it_was),
        TEST(memory_has_the_length_that_the_manifest_declares),
        TEST(directories_are_created_with_their_parents),
        TEST(a_memory_file_outside_is_linked_in),
        TEST(a_memory_file_at_its_own_path_stays_as_it_is),
        TEST(a_missing_memory_file_is_an_error),
        TEST(a_manifest_that_matches_is_valid),
        TEST(a_wrong_version_is_invalid),
        TEST(a_wrong_architecture_is_invalid),
        TEST(a_wrong_memory_size_is_invalid),
        TEST(a_wrong_vp_count_is_invalid),
        TEST(a_wrong_page_size_is_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
