#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/draft.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

static struct draft *begin(void **state, uint64_t max)
{
    struct error err = {0};
    const struct fixture *fixture = *state;
    struct draft *draft = draft_begin(fixture->service->store, max, &err);

    must(draft, err.message);
    return draft;
}

static size_t count_staged(void **state)
{
    const struct fixture *fixture = *state;

    return disk_count(path_of("%s/.vmsnapd/staging", fixture->store.text).text);
}

static void state_arrives_in_pieces_and_is_digested(void **state)
{
    struct error err = {0};
    auto_draft struct draft *draft = begin(state, 100);
    char expected[DIGEST_HEX_SIZE];
    struct stat stat;

    assert_succeeds(draft_write(draft, "ab", 2, &err) && draft_write(draft, "", 0, &err)
                    && draft_write(draft, "c", 1, &err) && draft_finish(draft, &err));
    assert_true(draft_finish(draft, &err));
    assert_true(digest_of("abc", 3, expected, &err));
    assert_string_equal(draft->state_sha256, expected);
    assert_int_equal(draft->state_size_bytes, 3);
    assert_int_equal(fstat(draft->state, &stat), 0);
    assert_int_equal(stat.st_size, 3);
}

static void state_has_a_maximum_to_the_byte(void **state)
{
    struct error err = {0};
    auto_draft struct draft *draft = begin(state, 4);

    assert_succeeds(draft_write(draft, "abc", 3, &err));
    assert_fails(draft_write(draft, "de", 2, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "4 bytes"));
    assert_fails(draft_write(draft, "d", SIZE_MAX, &err), ERR_TOO_LARGE);
    assert_succeeds(draft_write(draft, "d", 1, &err));
    assert_fails(draft_write(draft, "e", 1, &err), ERR_TOO_LARGE);
    assert_int_equal(draft->state_size_bytes, 4);
}

static void a_file_is_appended_whole(void **state)
{
    struct error err = {0};
    const struct fixture *fixture = *state;
    auto_draft struct draft *draft = begin(state, 1 << 20);
    struct path file = path_of("%s/state", fixture->root.text);

    disk_write(file.text, 600000, 's'); /* more than a piece */
    auto_source struct source *source =
        source_open(fixture->service->roots, file.text, "/state_file_path", &err);
    assert_non_null(source);
    assert_succeeds(draft_write_source(draft, source, &err));
    assert_int_equal(draft->state_size_bytes, 600000);
}

static void a_file_that_grew_meanwhile_still_has_a_maximum(void **state)
{
    struct error err = {0};
    const struct fixture *fixture = *state;
    auto_draft struct draft *draft = begin(state, 1000);
    struct path file = path_of("%s/state", fixture->root.text);

    disk_write(file.text, 1, 's');
    auto_source struct source *source =
        source_open(fixture->service->roots, file.text, "/state_file_path", &err);
    disk_write(file.text, 1001, 's');
    assert_fails(draft_write_source(draft, source, &err), ERR_TOO_LARGE);
}

static void a_settled_state_has_the_mode_of_the_memory_file(void **state)
{
    struct error err = {0};
    auto_draft struct draft *draft = begin(state, 100);
    struct stat stat;

    assert_int_equal(fstat(draft->state, &stat), 0);
    stat.st_mode = S_IFREG | 0604;
    assert_succeeds(draft_settle(draft, &stat, &err));
    assert_int_equal(fstat(draft->state, &stat), 0);
    assert_int_equal(stat.st_mode & 07777, 0604);
}

static void state_that_cannot_be_given_away_is_told_with_a_remedy(void **state)
{
    struct error err = {0};
    auto_draft struct draft *draft = begin(state, 100);
    struct stat stat;

    assert_int_equal(fstat(draft->state, &stat), 0);
    stat.st_uid += 1;
    fault_arm_error("fchown", 1, EPERM);
    assert_fails(draft_settle(draft, &stat, &err), ERR_PERMISSION);
    fault_disarm();
    assert_non_null(strstr(err.message, "CAP_CHOWN"));
}

static void a_full_disk_is_told(void **state)
{
    struct error err = {0};
    auto_draft struct draft *draft = begin(state, 100);

    fault_arm_error("write", 1, ENOSPC);
    assert_fails(draft_write(draft, "abc", 3, &err), ERR_NO_SPACE);
    fault_disarm();
    assert_int_equal(draft->state_size_bytes, 0);
}

static void a_draft_leaves_nothing_behind(void **state)
{
    size_t descriptors = open_descriptors();

    draft_free(begin(state, 100));
    draft_free(NULL);
    assert_int_equal(count_staged(state), 0);
    assert_int_equal(open_descriptors(), descriptors);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(state_arrives_in_pieces_and_is_digested),
        TEST(state_has_a_maximum_to_the_byte),
        TEST(a_file_is_appended_whole),
        TEST(a_file_that_grew_meanwhile_still_has_a_maximum),
        TEST(a_settled_state_has_the_mode_of_the_memory_file),
        TEST(state_that_cannot_be_given_away_is_told_with_a_remedy),
        TEST(a_full_disk_is_told),
        TEST(a_draft_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
