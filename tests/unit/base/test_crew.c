#include <pthread.h>
#include <stdatomic.h>

#include "base/crew.h"
#include "tests/check.h"

#define WORKERS 4

static void meet(void *context)
{
    pthread_barrier_wait(context);
}

/* Else this would never end. */
static void all_work_at_the_same_time(void **state)
{
    pthread_barrier_t barrier;

    (void)state;
    pthread_barrier_init(&barrier, NULL, WORKERS);
    crew_run(WORKERS, meet, &barrier);
    pthread_barrier_destroy(&barrier);
}

static void count(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static int count_workers(unsigned threads)
{
    atomic_int workers = 0;

    crew_run(threads, count, &workers);
    return atomic_load(&workers);
}

static void there_is_always_one_and_never_more_than_the_most(void **state)
{
    (void)state;
    assert_int_equal(count_workers(0), 1);
    assert_int_equal(count_workers(1), 1);
    assert_int_equal(count_workers(3), 3);
    assert_int_equal(count_workers(1000), CREW_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_work_at_the_same_time),
        cmocka_unit_test(there_is_always_one_and_never_more_than_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
