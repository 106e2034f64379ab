#include <stdio.h>

#include "service/watch_table.h"
#include "tests/check.h"

#define COUNT 1000

static int set_up(void **state)
{
    struct watch_table *table = malloc(sizeof *table);

    assert_non_null(table);
    watch_table_open(table);
    *state = table;
    return 0;
}

static int tear_down(void **state)
{
    watch_table_close(*state);
    free(*state);
    return 0;
}

static struct watched *add(struct watch_table *table, unsigned i)
{
    char id[16];

    snprintf(id, sizeof id, "s%u", i * 7919 % COUNT);
    struct watched *watched = watch_table_add(table, id);
    assert_non_null(watched);
    return watched;
}

static void each_id_has_one_place(void **state)
{
    struct watched *first = add(*state, 0);

    for (unsigned i = 1; i < COUNT; i++)
        assert_ptr_not_equal(add(*state, i), first);
    assert_ptr_equal(add(*state, 0), first);
    assert_ptr_equal(watch_table_find(*state, "s0"), first);
    watch_table_remove(*state, first);
    assert_null(watch_table_find(*state, "s0"));
    assert_non_null(watch_table_find(*state, "s1"));
}

static void a_number_belongs_to_whoever_got_it_last(void **state)
{
    struct watched *a = watch_table_add(*state, "a");
    struct watched *b = watch_table_add(*state, "b");

    assert_true(watch_table_number(*state, a, 1));
    assert_true(watch_table_number(*state, b, 2));
    assert_ptr_equal(watch_table_find_wd(*state, 1), a);
    assert_true(watch_table_number(*state, a, 3));
    assert_null(watch_table_find_wd(*state, 1));
    assert_ptr_equal(watch_table_find_wd(*state, 3), a);
    assert_true(watch_table_number(*state, b, -1));
    assert_null(watch_table_find_wd(*state, 2));
    assert_int_equal(b->wd, -1);
    watch_table_remove(*state, a);
    assert_null(watch_table_find_wd(*state, 3));
}

static void lists_keep_the_order_in_which_they_were_joined(void **state)
{
    struct watch_table *table = *state;
    struct watched *a = watch_table_add(table, "a");
    struct watched *b = watch_table_add(table, "b");

    watch_table_move(a, &table->heard);
    watch_table_move(b, &table->heard);
    assert_ptr_equal(TAILQ_FIRST(&table->heard), a);
    watch_table_move(a, &table->heard);
    assert_ptr_equal(TAILQ_FIRST(&table->heard), b);
    watch_table_move(b, &table->settling);
    assert_ptr_equal(TAILQ_FIRST(&table->heard), a);
    assert_ptr_equal(TAILQ_FIRST(&table->settling), b);
    watch_table_remove(table, a);
    assert_true(TAILQ_EMPTY(&table->heard));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_id_has_one_place),
        TEST(a_number_belongs_to_whoever_got_it_last),
        TEST(lists_keep_the_order_in_which_they_were_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
