#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "service/claims.h"
#include "tests/check.h"

static int set_up(void **state)
{
    struct claims *claims = malloc(sizeof *claims);

    assert_non_null(claims);
    claims_open(claims);
    *state = claims;
    return 0;
}

static int tear_down(void **state)
{
    claims_close(*state);
    free(*state);
    return 0;
}

static void a_second_writer_of_an_id_is_told_that_it_is_busy(void **state)
{
    struct error err = {0};
    auto_claim struct claim first;
    struct claim second;

    assert_succeeds(claim_take(*state, "s", &first, &err));
    assert_fails(claim_take(*state, "s", &second, &err), ERR_BUSY);
    assert_non_null(strstr(err.message, "snapshot s"));
    claim_release(&second); /* it holds nothing */
    assert_fails(claim_take(*state, "s", &second, &err), ERR_BUSY);
}

static void other_ids_have_writers_of_their_own(void **state)
{
    struct error err = {0};
    auto_claim struct claim first;
    auto_claim struct claim second;

    assert_succeeds(claim_take(*state, "s", &first, &err));
    assert_succeeds(claim_take(*state, "S", &second, &err));
}

static void release_one_of_three(struct claims *table, size_t gone)
{
    static const char *const ids[] = {"a", "b", "c"};
    struct error err = {0};
    auto_claim struct claim a;
    auto_claim struct claim b;
    auto_claim struct claim c;
    auto_claim struct claim again = {0};
    struct claim *const claims[] = {&a, &b, &c};
    struct claim refused;

    for (size_t i = 0; i < 3; i++)
        assert_true(claim_take(table, ids[i], claims[i], &err));
    claim_release(claims[gone]);
    assert_true(claim_take(table, ids[gone], &again, &err));
    for (size_t i = 0; i < 3; i++)
        assert_false(claim_take(table, ids[i], &refused, &err));
}

static void a_released_id_can_be_taken_again_and_the_others_stay(void **state)
{
    for (size_t gone = 0; gone < 3; gone++)
        release_one_of_three(*state, gone);
}

static void take_for_a_moment(struct claims *table)
{
    struct error err = {0};
    auto_claim struct claim claim;

    assert_succeeds(claim_take(table, "s", &claim, &err));
}

static void a_claim_ends_with_its_scope(void **state)
{
    take_for_a_moment(*state);
    take_for_a_moment(*state);
}

/* A second thread that wants an id, and what it saw when it had it. */
struct rival {
    struct claims *claims;
    atomic_bool *is_released; /* set just before the first lets go */
    bool is_brief, has_waited;
};

static void *want(void *context)
{
    struct rival *rival = context;
    struct error err = {0};
    auto_claim struct claim claim = {0};

    if (rival->is_brief)
        claim_wait(rival->claims, "s", &claim);
    else if (!claim_take(rival->claims, "s", &claim, &err))
        return NULL;
    rival->has_waited = atomic_load(rival->is_released);
    return NULL;
}

static void let_wait(struct claims *claims, struct claim *first, bool is_brief)
{
    atomic_bool is_released = false;
    struct rival rival = {.claims = claims, .is_released = &is_released, .is_brief = is_brief};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, want, &rival), 0);
    sched_yield(); /* it may have begun to wait */
    atomic_store(&is_released, true);
    claim_release(first);
    pthread_join(thread, NULL);
    assert_true(rival.has_waited);
}

static void a_writer_waits_for_whoever_only_reads(void **state)
{
    struct claim first;

    claim_wait(*state, "s", &first);
    let_wait(*state, &first, false);
}

static void whoever_only_reads_waits_for_a_writer(void **state)
{
    struct error err = {0};
    struct claim first;

    assert_succeeds(claim_take(*state, "s", &first, &err));
    let_wait(*state, &first, true);
}

static void who_would_not_wait_is_told_that_it_is_held(void **state)
{
    struct error err = {0};
    struct claim first;
    struct claim second;

    assert_succeeds(claim_take(*state, "s", &first, &err));
    assert_false(claim_try(*state, "s", &second));
    claim_release(&first);
    assert_true(claim_try(*state, "s", &second));
    assert_false(claim_try(*state, "s", &first));
    claim_release(&second);
}

static void remember(void *context, const char *id)
{
    assert_string_equal(id, "s");
    ++*(unsigned *)context;
}

static void whoever_could_not_look_is_told_of_the_release(void **state)
{
    struct error err = {0};
    unsigned told = 0;
    struct claim writer;
    struct claim second;

    claims_listen(*state, remember, &told);
    assert_succeeds(claim_take(*state, "s", &writer, &err));
    assert_fails(claim_take(*state, "s", &second, &err), ERR_BUSY);
    claim_release(&writer);
    assert_int_equal(told, 0); /* a second writer gives up */
    assert_succeeds(claim_take(*state, "s", &writer, &err));
    assert_false(claim_try(*state, "s", &second));
    assert_false(claim_try(*state, "s", &second));
    assert_int_equal(told, 0);
    claim_release(&writer);
    assert_int_equal(told, 1);
    assert_true(claim_try(*state, "s", &second));
    claim_release(&second);
    assert_int_equal(told, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_second_writer_of_an_id_is_told_that_it_is_busy),
        TEST(other_ids_have_writers_of_their_own),
        TEST(a_released_id_can_be_taken_again_and_the_others_stay),
        TEST(a_claim_ends_with_its_scope),
        TEST(a_writer_waits_for_whoever_only_reads),
        TEST(whoever_only_reads_waits_for_a_writer),
        TEST(who_would_not_wait_is_told_that_it_is_held),
        TEST(whoever_could_not_look_is_told_of_the_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
