#include <pthread.h>
#include <sched.h>

#include "base/lane.h"
#include "tests/check.h"

/* Work that waits until it is let go, and counts. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open;
    int inside, done;
};

static void pass(void *context)
{
    struct gate *gate = context;

    pthread_mutex_lock(&gate->mutex);
    gate->inside++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    gate->done++;
    pthread_mutex_unlock(&gate->mutex);
}

static void wait_inside(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->inside < count)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void let_go(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

#define GATE                                                                    \
    {                                                                           \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static void threads_work_side_by_side_and_a_full_queue_says_so(void **state)
{
    struct gate gate = GATE;
    struct error err;
    struct lane *lane = lane_start("test", 2, 3, &err);

    (void)state;
    assert_non_null(lane);
    assert_true(lane_submit(lane, pass, &gate));
    assert_true(lane_submit(lane, pass, &gate));
    wait_inside(&gate, 2);
    for (int i = 0; i < 3; i++)
        assert_true(lane_submit(lane, pass, &gate));
    assert_false(lane_submit(lane, pass, &gate));
    let_go(&gate);
    lane_stop(lane);
    assert_int_equal(gate.done, 5);
}

static void it_tells_how_busy_it_is(void **state)
{
    struct gate gate = GATE;
    struct error err;
    struct lane *lane = lane_start("test", 2, 1, &err);

    (void)state;
    struct lane_load load = lane_measure(lane);
    assert_int_equal(load.threads, 2);
    assert_int_equal(load.busy, 0);
    assert_int_equal(load.queue_max, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(lane_submit(lane, pass, &gate));
        wait_inside(&gate, i + 1);
    }
    assert_true(lane_submit(lane, pass, &gate));
    assert_false(lane_submit(lane, pass, &gate));
    load = lane_measure(lane);
    assert_int_equal(load.busy, 2);
    assert_int_equal(load.queued, 1);
    assert_int_equal(load.taken, 3);
    assert_int_equal(load.refused, 1);
    let_go(&gate);
    while (lane_measure(lane).busy > 0)
        sched_yield();
    assert_int_equal(lane_measure(lane).queued, 0);
    lane_stop(lane);
}

static void a_stop_runs_what_is_queued(void **state)
{
    struct gate gate = GATE;
    struct error err;
    struct lane *lane = lane_start("test", 1, 100, &err);

    (void)state;
    gate.open = true;
    for (int i = 0; i < 100; i++)
        assert_true(lane_submit(lane, pass, &gate));
    lane_stop(lane);
    assert_int_equal(gate.done, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_work_side_by_side_and_a_full_queue_says_so),
        cmocka_unit_test(it_tells_how_busy_it_is),
        cmocka_unit_test(a_stop_runs_what_is_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
