/* Many read while one writes: what is read is one snapshot, whole. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID       "s"
#define PAGE     ((size_t)4096)
#define VERSIONS 5 /* version v has v VPs, v pages of memory (but in place), v bytes of state */
#define READERS  4
#define ROUNDS   500

struct race {
    struct fixture *fixture;
    bool in_place;
    atomic_bool over;
    atomic_uint reads, torn, failed;
};

static struct path memory_path(const struct race *race, uint32_t version)
{
    if (race->in_place)
        return path_of("%s/snapshots/" ID "/" MEMORY_FILE, race->fixture->store.text);
    return path_of("%s/%u", race->fixture->root.text, (unsigned)version);
}

static void make_memory(const struct race *race)
{
    disk_make_dir(path_of("%s/snapshots/" ID, race->fixture->store.text).text);
    if (race->in_place)
        disk_write(memory_path(race, 1).text, PAGE, 'm');
    else
        disk_remove(path_of("%s/snapshots/" ID, race->fixture->store.text).text);
    for (uint32_t version = 1; !race->in_place && version <= VERSIONS; version++)
        disk_write(memory_path(race, version).text, version * PAGE, 'm');
}

static void describe(const struct race *race, uint32_t version, struct creation *out)
{
    request(out, ID, memory_path(race, version).text, CAPTURE_LINK, version);
    out->has_state_bytes = true;
    must(text_append(&out->state_bytes, "sssss", version), "out of memory");
}

static bool replace(const struct race *race, uint32_t version, struct error *err)
{
    const struct guard guard = {0};
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    describe(race, version, &creation);
    return snapshot_replace(race->fixture->service, &creation, NULL, &guard, &made, err);
}

static bool is_whole(const struct race *race, const struct snapshot *found)
{
    uint32_t version = found->manifest.vp_count;

    if (found->status == SNAPSHOT_INCOMPLETE)
        return race->in_place;
    return found->status == SNAPSHOT_READY && found->has_record && found->record.labels.count == 1
        && strtoul(found->record.labels.items[0].value, NULL, 10) == version
        && found->state_size_bytes == version && found->record.state_size_bytes == version
        && found->memory_size_bytes == found->manifest.memory_size_bytes
        && (race->in_place || found->memory_size_bytes == version * PAGE);
}

static void read_once(struct race *race)
{
    struct error err = {0};
    auto_snapshot struct snapshot found = {0};

    if (!snapshot_get(race->fixture->service, ID, LIVE_COUNTS, &found, &err))
        atomic_fetch_add(&race->failed, err.code != ERR_NOT_FOUND);
    else
        atomic_fetch_add(&race->torn, !is_whole(race, &found));
}

/* Memory whose length is not the manifest's would be of another snapshot. */
static void validate_once(struct race *race)
{
    struct error err = {0};
    const struct expectation expectation = {0};
    auto_verdict struct verdict verdict = {0};

    if (snapshot_validate(race->fixture->service, ID, &expectation, &verdict, &err))
        atomic_fetch_add(&race->torn, verdict.mismatch_count > 0);
    else
        atomic_fetch_add(&race->failed, err.code != ERR_NOT_FOUND);
}

static unsigned long number_after(const char *json, const char *key)
{
    const char *at = strstr(json, key);

    return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

static bool is_whole_document(const struct race *race, const char *json)
{
    unsigned long version = number_after(json, "\"vp_count\":");

    if (strstr(json, "\"status\":\"incomplete\""))
        return race->in_place;
    return strstr(json, "\"status\":\"ready\"")
        && number_after(json, "\"labels\":{\"vp\":\"") == version
        && number_after(json, "\"state\":{\"size_bytes\":") == version;
}

static void list_once(struct race *race)
{
    struct error err = {0};
    auto_snapshot_page struct snapshot_page list = {0};
    const struct snapshot_query query = {.limit = 10};

    if (!snapshot_list(race->fixture->service, &query, false, &list, &err))
        atomic_fetch_add(&race->failed, 1);
    for (size_t i = 0; i < list.count; i++)
        atomic_fetch_add(&race->torn, !is_whole_document(race, list.items[i].json.data));
}

static void *read_all_along(void *context)
{
    struct race *race = context;

    while (!atomic_load(&race->over)) {
        read_once(race);
        validate_once(race);
        list_once(race);
        atomic_fetch_add(&race->reads, 1);
    }
    return NULL;
}

static bool write_round(struct race *race, unsigned round, struct error *err)
{
    const struct guard guard = {0};

    if (!replace(race, 1 + round % VERSIONS, err))
        return false;
    /* Now and then it is gone for a moment. */
    return race->in_place || round % 10 != 9
        || snapshot_delete(race->fixture->service, ID, &guard, err);
}

static void run_race(struct fixture *fixture, bool in_place)
{
    struct error err = {0};
    struct race race = {.fixture = fixture, .in_place = in_place};
    pthread_t readers[READERS];
    bool written = true;

    make_memory(&race);
    for (size_t i = 0; i < READERS; i++)
        must(pthread_create(&readers[i], NULL, read_all_along, &race) == 0, "a thread");
    for (unsigned round = 0; written && round < ROUNDS; round++)
        written = write_round(&race, round, &err);
    atomic_store(&race.over, true);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    if (!written)
        fail_msg("%s", err.message);
    print_message("%u reads of %d snapshots\n", atomic_load(&race.reads), ROUNDS);
    assert_int_equal(atomic_load(&race.torn), 0);
    assert_int_equal(atomic_load(&race.failed), 0);
    assert_int_not_equal(atomic_load(&race.reads), 0);
}

static void readers_see_each_replaced_snapshot_whole(void **state)
{
    run_race(*state, false);
}

static void readers_see_each_snapshot_in_place_whole_or_incomplete(void **state)
{
    run_race(*state, true);
}

/* One of many that want the same id, each for a request of its own. */
struct rival {
    pthread_t thread;
    struct race *race;
    uint32_t version;
    struct error err;
    bool won;
};

static void *compete(void *context)
{
    struct rival *rival = context;
    auto_creation struct creation creation;
    auto_made struct made made = {0};

    describe(rival->race, rival->version, &creation);
    struct service *service = rival->race->fixture->service;
    rival->won = snapshot_create(service, &creation, NULL, &made, &rival->err);
    return NULL;
}

/* The version that won. */
static uint32_t hold_contest(struct race *race)
{
    struct rival rivals[VERSIONS] = {0};
    uint32_t winner = 0;

    for (uint32_t i = 0; i < VERSIONS; i++) {
        rivals[i] = (struct rival){.race = race, .version = i + 1};
        must(pthread_create(&rivals[i].thread, NULL, compete, &rivals[i]) == 0, "a thread");
    }
    for (size_t i = 0; i < VERSIONS; i++) {
        pthread_join(rivals[i].thread, NULL);
        assert_true(rivals[i].won || rivals[i].err.code == ERR_BUSY
                    || rivals[i].err.code == ERR_EXISTS);
        assert_false(rivals[i].won && winner);
        winner = rivals[i].won ? rivals[i].version : winner;
    }
    return winner;
}

static void of_many_creates_of_one_id_one_succeeds(void **state)
{
    struct race race = {.fixture = *state};
    const struct guard guard = {0};

    make_memory(&race);
    for (int round = 0; round < 50; round++) {
        struct error err = {0};
        auto_snapshot struct snapshot found = {0};
        uint32_t winner = hold_contest(&race);
        assert_true(snapshot_get(race.fixture->service, ID, LIVE_NONE, &found, &err));
        assert_int_equal(found.manifest.vp_count, winner);
        assert_true(is_whole(&race, &found));
        assert_true(snapshot_delete(race.fixture->service, ID, &guard, &err));
    }
}

static void replace_again(void *context)
{
    struct error err = {0};

    /* Twice: a filesystem may give the first manifest's inode number to the third. */
    must(replace(context, 2, &err) && replace(context, 3, &err), err.message);
}

/* At the nth call of a reader, two others replace what it reads. False if it makes no nth call. */
static bool overtake(struct race *race, unsigned nth, void (*read_all)(struct race *race))
{
    struct error err = {0};
    struct fault_plan fault = {.kinds = FAULT_LOOK,
                               .effect = FAULT_HOOK,
                               .nth = nth,
                               .hook = replace_again,
                               .context = race};

    assert_succeeds(replace(race, 1, &err));
    fault_arm(&fault);
    read_all(race);
    bool struck = fault_disarm().struck != NULL;
    if (atomic_load(&race->torn) > 0 || atomic_load(&race->failed) > 0)
        fail_msg("torn when replaced at call %u", nth);
    return struck;
}

static void overtake_at_each(struct fixture *fixture, bool in_place,
                             void (*read_all)(struct race *race))
{
    struct race race = {.fixture = fixture, .in_place = in_place};
    unsigned nth = 1;

    make_memory(&race);
    while (overtake(&race, nth, read_all))
        nth++;
    assert_true(nth > 5); /* fewer, and the linker does not give us the calls */
}

static void a_reader_is_not_deceived_whenever_it_is_overtaken(void **state)
{
    overtake_at_each(*state, false, read_once);
    overtake_at_each(*state, true, read_once);
}

static void a_verdict_is_on_one_snapshot_whenever_it_is_overtaken(void **state)
{
    overtake_at_each(*state, false, validate_once);
    overtake_at_each(*state, true, validate_once);
}

/* On a filesystem that uses the numbers of inodes again at once, as ext4 does. */
static int setup_on_disk(void **state)
{
    struct fixture *fixture = malloc(sizeof *fixture);

    must(fixture, "out of memory");
    fixture_make(fixture, "/tmp");
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

int main(void)
{
#define TEST(name)         cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_ON_DISK(name) cmocka_unit_test_setup_teardown(name, setup_on_disk, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(readers_see_each_replaced_snapshot_whole),
        TEST(readers_see_each_snapshot_in_place_whole_or_incomplete),
        TEST(of_many_creates_of_one_id_one_succeeds),
        TEST_ON_DISK(a_reader_is_not_deceived_whenever_it_is_overtaken),
        TEST_ON_DISK(a_verdict_is_on_one_snapshot_whenever_it_is_overtaken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
