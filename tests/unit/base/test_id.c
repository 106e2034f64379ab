#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "tests/check.h"

static void ids_are_names_that_are_safe_in_a_path(void **state)
{
    static const char *const valid[] = {"a", "Z", "0", "web-42-before_upgrade.1", "a..", "0.-_"};
    static const char *const invalid[] = {
        "",
        ".",
        "..",
        ".a",
        "-a",
        "_a",
        "a/b",
        "/",
        "a b",
        "a\n",
        "a\\b",
        "a:b",
        "\u00e9",
        "a\u00e9",
        "a%20",
        "a+b",
        " a",
        "a ",
        "~a",
        "a@b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        assert_true(id_is_valid(valid[i]));
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        assert_false(id_is_valid(invalid[i]));
}

static void every_byte_is_judged_alone(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char id[] = {'a', (char)byte, '\0'};
        bool alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z')
            || (byte >= 'a' && byte <= 'z');
        assert_int_equal(id_is_valid(id), alphanumeric || strchr("._-", byte) != NULL);
        assert_int_equal(id_is_valid(id + 1), alphanumeric);
    }
}

static void an_id_has_at_most_128_characters(void **state)
{
    char id[ID_MAX + 2];

    (void)state;
    memset(id, 'a', sizeof id);
    id[ID_MAX + 1] = '\0';
    assert_false(id_is_valid(id));
    id[ID_MAX] = '\0';
    assert_true(id_is_valid(id));
}

static void a_new_id_is_valid_and_of_its_size(void **state)
{
    char id[ID_NEW_SIZE];

    (void)state;
    id_new(id);
    assert_true(id_is_valid(id));
    assert_int_equal(strlen(id), ID_NEW_SIZE - 1);
    assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), ID_NEW_SIZE - 1);
}

static struct timespec early(void)
{
    return (struct timespec){1469918176, 385000000};
}

static struct timespec late(void)
{
    return (struct timespec){1469918176, 386000000};
}

static void make_at(struct timespec (*now)(void), char id[ID_NEW_SIZE])
{
    clock_replace(now);
    id_new(id);
    clock_replace(NULL);
}

static void an_id_begins_with_the_time_it_was_made(void **state)
{
    char id[ID_NEW_SIZE];

    (void)state;
    make_at(early, id);
    assert_memory_equal(id, "01ARYZ6S41", 10); /* the example of the ULID specification */
}

static void ids_sort_by_the_time_they_were_made(void **state)
{
    char first[ID_NEW_SIZE];
    char second[ID_NEW_SIZE];

    (void)state;
    make_at(early, first);
    make_at(late, second);
    assert_true(strcmp(first, second) < 0);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ids_of_one_moment_differ(void **state)
{
    char ids[1000][ID_NEW_SIZE];

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        make_at(early, ids[i]);
    qsort(ids, 1000, ID_NEW_SIZE, compare_ids);
    for (size_t i = 1; i < 1000; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_names_that_are_safe_in_a_path),
        cmocka_unit_test(every_byte_is_judged_alone),
        cmocka_unit_test(an_id_has_at_most_128_characters),
        cmocka_unit_test(a_new_id_is_valid_and_of_its_size),
        cmocka_unit_test(an_id_begins_with_the_time_it_was_made),
        cmocka_unit_test(ids_sort_by_the_time_they_were_made),
        cmocka_unit_test(ids_of_one_moment_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
