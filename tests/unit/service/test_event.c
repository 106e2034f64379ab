#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "service/event.h"
#include "tests/check.h"

#define EPOCH  7
#define NEVER  3600000 /* ms: no beat while a test runs */
#define BEHIND 100000  /* events: further than any reader may be */

struct world {
    struct metrics *metrics;
    struct event_hub *hub;
};

static struct world *make_world(unsigned beat_ms)
{
    struct world *world = calloc(1, sizeof *world);
    struct error err = {0};

    assert_non_null(world);
    world->metrics = metrics_new(&err);
    assert_non_null(world->metrics);
    world->hub = event_hub_open(world->metrics, beat_ms, &err);
    assert_non_null(world->hub);
    event_hub_load(world->hub, &(struct event_position){EPOCH, 0}, NULL, 0);
    return world;
}

static int set_up(void **state)
{
    *state = make_world(NEVER);
    return 0;
}

static int set_up_with_beats(void **state)
{
    *state = make_world(1);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    event_hub_close(world->hub);
    metrics_free(world->metrics);
    free(world);
    return 0;
}

static uint64_t measure(const struct world *world, enum metric metric, size_t series)
{
    uint64_t value = UINT64_MAX;

    assert_true(metrics_read(world->metrics, metric, series, &value));
    return value;
}

/* Somebody who reads, and what the hub told him. */
struct listener {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool asleep;
    int cuts;
    unsigned cut_ms;
    struct event_reader *reader;
};

#define LISTENER                                                                \
    {                                                                           \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static void change(struct listener *listener, bool asleep)
{
    pthread_mutex_lock(&listener->mutex);
    assert_int_not_equal(listener->asleep, asleep);
    listener->asleep = asleep;
    pthread_cond_broadcast(&listener->changed);
    pthread_mutex_unlock(&listener->mutex);
}

static void note_sleep(void *context)
{
    change(context, true);
}

static void note_wake(void *context)
{
    change(context, false);
}

static void note_cut(void *context, unsigned milliseconds)
{
    struct listener *listener = context;

    pthread_mutex_lock(&listener->mutex);
    listener->cuts++;
    listener->cut_ms = milliseconds;
    pthread_cond_broadcast(&listener->changed);
    pthread_mutex_unlock(&listener->mutex);
}

static void follow(struct world *world, struct listener *listener,
                   const struct event_position *from)
{
    const struct event_listener calls = {note_sleep, note_wake, note_cut, listener};
    struct error err = {0};

    listener->reader = event_subscribe(world->hub, from, &calls, &err);
    assert_non_null(listener->reader);
}

static void wait_awake(struct listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    while (listener->asleep)
        pthread_cond_wait(&listener->changed, &listener->mutex);
    pthread_mutex_unlock(&listener->mutex);
}

static void wait_cut(struct listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    while (listener->cuts == 0)
        pthread_cond_wait(&listener->changed, &listener->mutex);
    pthread_mutex_unlock(&listener->mutex);
}

static void assert_reads(struct listener *listener, enum event_news expected)
{
    struct event_batch batch;

    assert_int_equal(event_read(listener->reader, &batch), expected);
}

/* The ids of the events that are there, joined by blanks. */
static void assert_tells(struct listener *listener, const char *expected)
{
    auto_text struct text told = {0};
    struct event_batch batch;
    enum event_news news;

    while ((news = event_read(listener->reader, &batch)) == NEWS_EVENTS) {
        assert_in_range(batch.count, 1, EVENT_BATCH_MAX);
        for (size_t i = 0; i < batch.count; i++)
            text_appendf(&told, "%s%s", told.len ? " " : "", batch.events[i].id);
    }
    assert_int_equal(news, NEWS_NONE);
    assert_string_equal(text_str(&told), expected);
}

static void publish(struct world *world, const char *ids)
{
    for (; *ids; ids++)
        event_publish(world->hub, EVENT_CREATED, (char[]){*ids, '\0'});
}

static void publish_many(struct world *world, size_t count)
{
    for (size_t i = 0; i < count; i++)
        event_publish(world->hub, EVENT_UPDATED, "x");
}

static void who_follows_begins_at_now_and_gets_what_happens_in_order(void **state)
{
    struct world *world = *state;
    struct listener listener = LISTENER;
    struct event_batch batch;

    publish(world, "ab");
    follow(world, &listener, NULL);
    assert_int_equal(event_read(listener.reader, &batch), NEWS_POSITION);
    assert_int_equal(batch.position.epoch, EPOCH);
    assert_int_equal(batch.position.number, 2);
    publish(world, "cdefghijklm");
    assert_tells(&listener, "c d e f g h i j k l m");
    assert_true(listener.asleep);
    event_unsubscribe(listener.reader);
}

static void a_sleeper_is_woken_by_an_event(void **state)
{
    struct world *world = *state;
    struct listener listener = LISTENER;

    follow(world, &listener, NULL);
    assert_reads(&listener, NEWS_POSITION);
    for (int i = 0; i < 100; i++) {
        assert_tells(&listener, i == 0 ? "" : "a");
        publish(world, "a");
        wait_awake(&listener);
    }
    event_unsubscribe(listener.reader);
}

static void an_event_has_kind_number_and_time_and_is_counted(void **state)
{
    struct world *world = *state;
    struct event first = event_publish(world->hub, EVENT_PRUNED, "a");
    struct event second = event_publish(world->hub, EVENT_DAMAGED, "b");

    assert_int_equal(first.kind, EVENT_PRUNED);
    assert_string_equal(second.id, "b");
    assert_true(second.number > first.number);
    assert_true(second.at_ms >= first.at_ms && first.at_ms > 1577836800000);
    assert_int_equal(measure(world, METRIC_EVENTS, EVENT_PRUNED), 1);
    assert_int_equal(measure(world, METRIC_EVENTS, EVENT_CREATED), 0);
}

static void who_resumes_misses_nothing_and_hears_nothing_twice(void **state)
{
    struct world *world = *state;

    publish(world, "abcde");
    for (uint64_t seen = 0; seen <= 5; seen++) {
        struct listener listener = LISTENER;
        follow(world, &listener, &(struct event_position){EPOCH, seen});
        if (seen == 5)
            assert_reads(&listener, NEWS_POSITION);
        assert_tells(&listener, &"a b c d e"[seen < 5 ? 2 * seen : 9]);
        event_unsubscribe(listener.reader);
    }
}

static void assert_resets(struct world *world, uint64_t epoch, uint64_t number)
{
    struct listener listener = LISTENER;

    follow(world, &listener, &(struct event_position){epoch, number});
    assert_reads(&listener, NEWS_RESET);
    assert_tells(&listener, "");
    event_unsubscribe(listener.reader);
}

static void what_the_history_does_not_reach_is_a_reset(void **state)
{
    struct world *world = *state;
    struct listener listener = LISTENER;

    publish_many(world, EVENT_HISTORY + 5);
    assert_int_equal(event_hub_forgotten(world->hub), 5);
    assert_resets(world, EPOCH, 4);
    assert_resets(world, EPOCH, 0);
    assert_resets(world, EPOCH, EVENT_HISTORY + 6); /* from the future */
    assert_resets(world, EPOCH, UINT64_MAX);
    assert_resets(world, EPOCH + 1, EVENT_HISTORY);
    follow(world, &listener, &(struct event_position){EPOCH, 5});
    assert_reads(&listener, NEWS_EVENTS);
    event_unsubscribe(listener.reader);
}

/* As they are after a restart: with gaps, and the last one lost by a crash. */
static void a_loaded_history_can_be_resumed_and_numbers_go_on_beyond_it(void **state)
{
    struct world *world = *state;
    const struct event history[] = {
        {EVENT_CREATED, 1, 1, "a"},
        {EVENT_CREATED, 2, 2, "b"},
        {EVENT_CREATED, 9, 3, "c"},
    };

    event_hub_load(world->hub, &(struct event_position){EPOCH, 100}, history, 3);
    assert_int_equal(event_publish(world->hub, EVENT_DELETED, "d").number, 101);
    const struct {
        uint64_t seen;
        const char *told;
    } cases[] = {
        {0,   "a b c d"},
        {1,   "b c d"  },
        {2,   "c d"    },
        {5,   "c d"    },
        {9,   "d"      },
        {50,  "d"      },
        {100, "d"      }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct listener listener = LISTENER;
        follow(world, &listener, &(struct event_position){EPOCH, cases[i].seen});
        assert_tells(&listener, cases[i].told);
        event_unsubscribe(listener.reader);
    }
}

static void a_history_that_was_cut_off_reaches_back_to_where_it_begins(void **state)
{
    struct world *world = *state;
    struct event *history = calloc(EVENT_HISTORY, sizeof *history);

    assert_non_null(history);
    for (uint64_t i = 0; i < EVENT_HISTORY; i++)
        history[i] = (struct event){EVENT_CREATED, 1000 + i, 1, "a"};
    event_hub_load(world->hub, &(struct event_position){EPOCH, 50000}, history, EVENT_HISTORY);
    assert_int_equal(event_hub_forgotten(world->hub), 999);
    assert_resets(world, EPOCH, 998);
    publish_many(world, 3);
    assert_int_equal(event_hub_forgotten(world->hub), 1002);
    assert_resets(world, EPOCH, 1001);
    free(history);
}

static void another_catalogue_is_a_reset_for_who_reads_and_who_sleeps(void **state)
{
    struct world *world = *state;
    struct listener sleeper = LISTENER;
    struct listener reader = LISTENER;
    struct event_batch batch;

    follow(world, &sleeper, NULL);
    follow(world, &reader, NULL);
    assert_reads(&sleeper, NEWS_POSITION);
    assert_tells(&sleeper, "");
    event_hub_load(world->hub, &(struct event_position){EPOCH + 1, 0}, NULL, 0);
    wait_awake(&sleeper);
    publish(world, "a"); /* is told by the reset, too */
    assert_int_equal(event_read(sleeper.reader, &batch), NEWS_RESET);
    assert_int_equal(batch.position.epoch, EPOCH + 1);
    assert_int_equal(batch.position.number, 1);
    assert_reads(&reader, NEWS_RESET);
    publish(world, "b");
    assert_tells(&reader, "b");
    assert_tells(&sleeper, "b");
    event_unsubscribe(sleeper.reader);
    event_unsubscribe(reader.reader);
}

static size_t count_events(struct listener *listener)
{
    struct event_batch batch;
    size_t count = 0;

    wait_awake(listener);
    while (event_read(listener->reader, &batch) == NEWS_EVENTS)
        count += batch.count;
    return count;
}

static void who_does_not_read_is_cut_and_nobody_else(void **state)
{
    struct world *world = *state;
    struct listener slow = LISTENER;
    struct listener quick = LISTENER;

    follow(world, &slow, NULL);
    follow(world, &quick, NULL);
    assert_reads(&slow, NEWS_POSITION);
    for (size_t told = 0; told < BEHIND; told += 1000) {
        publish_many(world, 1000);
        assert_int_equal(count_events(&quick), 1000);
    }
    wait_cut(&slow);
    assert_int_equal(slow.cut_ms, 0);
    assert_reads(&slow, NEWS_END);
    assert_int_equal(quick.cuts, 0);
    assert_int_equal(measure(world, METRIC_EVENT_STREAMS_DROPPED, 0), 1);
    event_unsubscribe(slow.reader);
    event_unsubscribe(quick.reader);
}

static void silence_is_told_again_and_again(void **state)
{
    struct listener first = LISTENER;
    struct listener second = LISTENER;

    follow(*state, &first, NULL);
    follow(*state, &second, NULL);
    assert_reads(&first, NEWS_POSITION);
    assert_reads(&second, NEWS_POSITION);
    for (int i = 0; i < 20; i++) {
        assert_tells(&first, "");
        assert_tells(&second, "");
        wait_awake(&second);
        assert_reads(&second, NEWS_BEAT);
        wait_awake(&first);
        assert_reads(&first, NEWS_BEAT);
    }
    event_unsubscribe(first.reader);
    event_unsubscribe(second.reader);
}

static void who_is_dismissed_wakes_up_and_has_some_time_to_end(void **state)
{
    struct world *world = *state;
    struct listener sleeper = LISTENER;
    struct listener reader = LISTENER;
    struct listener later = LISTENER;

    follow(world, &sleeper, NULL);
    follow(world, &reader, NULL);
    assert_reads(&sleeper, NEWS_POSITION);
    assert_tells(&sleeper, "");
    assert_int_equal(measure(world, METRIC_EVENT_STREAMS, 0), 2);
    event_dismiss(world->hub, 500);
    assert_int_equal(sleeper.cut_ms, 500);
    assert_int_equal(reader.cut_ms, 500);
    wait_awake(&sleeper);
    assert_reads(&sleeper, NEWS_END);
    assert_reads(&reader, NEWS_END);
    event_unsubscribe(sleeper.reader);
    event_unsubscribe(reader.reader);
    follow(world, &later, NULL);
    assert_reads(&later, NEWS_POSITION);
    event_unsubscribe(later.reader);
    assert_int_equal(measure(world, METRIC_EVENT_STREAMS, 0), 0);
    assert_int_equal(measure(world, METRIC_EVENT_STREAMS_DROPPED, 0), 0);
}

#define PUBLISHERS 4
#define READERS    8
#define EACH       2000 /* events of a publisher: with those of all, fewer than the ring holds */

static void *publish_each(void *context)
{
    publish_many(context, EACH);
    return NULL;
}

/* Numbers rise by one where nothing was lost. */
static void *read_all(void *context)
{
    struct listener *listener = context;
    struct event_batch batch;
    uint64_t number = 0;

    while (number < (uint64_t)PUBLISHERS * EACH) {
        wait_awake(listener);
        if (event_read(listener->reader, &batch) != NEWS_EVENTS)
            continue;
        for (size_t i = 0; i < batch.count; i++)
            if (batch.events[i].number != ++number)
                return NULL;
    }
    return listener;
}

static void many_readers_get_all_that_many_publish(void **state)
{
    struct listener listeners[READERS];
    pthread_t readers[READERS];
    pthread_t publishers[PUBLISHERS];

    for (size_t i = 0; i < READERS; i++) {
        listeners[i] = (struct listener)LISTENER;
        follow(*state, &listeners[i], NULL);
        assert_int_equal(pthread_create(&readers[i], NULL, read_all, &listeners[i]), 0);
    }
    for (size_t i = 0; i < PUBLISHERS; i++)
        assert_int_equal(pthread_create(&publishers[i], NULL, publish_each, *state), 0);
    for (size_t i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i], NULL);
    for (size_t i = 0; i < READERS; i++) {
        void *whole;
        pthread_join(readers[i], &whole);
        assert_non_null(whole);
        event_unsubscribe(listeners[i].reader);
    }
}

#define TEST(name)            cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITH_BEATS(name) cmocka_unit_test_setup_teardown(name, set_up_with_beats, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_follows_begins_at_now_and_gets_what_happens_in_order),
        TEST(a_sleeper_is_woken_by_an_event),
        TEST(an_event_has_kind_number_and_time_and_is_counted),
        TEST(who_resumes_misses_nothing_and_hears_nothing_twice),
        TEST(what_the_history_does_not_reach_is_a_reset),
        TEST(a_loaded_history_can_be_resumed_and_numbers_go_on_beyond_it),
        TEST(a_history_that_was_cut_off_reaches_back_to_where_it_begins),
        TEST(another_catalogue_is_a_reset_for_who_reads_and_who_sleeps),
        TEST(who_does_not_read_is_cut_and_nobody_else),
        TEST_WITH_BEATS(silence_is_told_again_and_again),
        TEST(who_is_dismissed_wakes_up_and_has_some_time_to_end),
        TEST(many_readers_get_all_that_many_publish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
