#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/manifest_json.h"
#include "codec/manifest_pb.h"
#include "service/cache.h"
#include "service/file.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID   "s"
#define WAYS 4
#define SETS 1024

/* A manifest is kept only when its file has not changed for a while: let that be so. */
static struct timespec tomorrow(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += 86400;
    return now;
}

static struct timespec yesterday(void)
{
    struct timespec now = tomorrow();

    now.tv_sec -= 2L * 86400;
    return now;
}

static struct cache *cache_of(void **state)
{
    const struct fixture *fixture = *state;

    return fixture->service->cache;
}

static struct path manifest_of(void **state, const char *id)
{
    const struct fixture *fixture = *state;

    return path_of("%s/snapshots/%s/" MANIFEST_FILE, fixture->store.text, id);
}

static void create(void **state, const char *id, uint32_t vp_count)
{
    struct fixture *fixture = *state;
    struct path memory = path_of("%s/memory", fixture->root.text);

    disk_write(memory.text, 4096, 'm');
    fixture_create(fixture, id, memory.text, CAPTURE_COPY, vp_count);
}

static int set_up(void **state)
{
    fixture_setup(state);
    create(state, ID, 2);
    clock_replace(tomorrow);
    return 0;
}

static int tear_down(void **state)
{
    clock_replace(NULL);
    return fixture_teardown(state);
}

static const struct cached *load(void **state, const char *id)
{
    struct error err = {0};
    const struct cached *cached = cache_load(cache_of(state), id, &err);

    if (!cached)
        fail_msg("%s", err.message);
    return cached;
}

static void a_loaded_manifest_is_found_again(void **state)
{
    assert_null(cache_find(cache_of(state), ID));
    auto_cached const struct cached *loaded = load(state, ID);
    auto_cached const struct cached *found = cache_find(cache_of(state), ID);
    assert_ptr_equal(found, loaded);
    assert_int_equal(found->manifest.vp_count, 2);
    assert_true(cache_confirms(cache_of(state), found));
}

static void both_representations_are_of_the_same_manifest(void **state)
{
    struct error err = {0};
    auto_cached const struct cached *loaded = load(state, ID);
    auto_text struct text bytes = {0};
    auto_text struct text json = {0};

    assert_succeeds(manifest_encode(&loaded->manifest, &bytes, &err));
    assert_true(text_equals(&loaded->bytes, bytes.data, bytes.len));
    assert_succeeds(manifest_to_json(&loaded->manifest, &json, &err));
    assert_true(text_equals(&loaded->json, json.data, json.len));
    assert_string_not_equal(loaded->bytes_tag, loaded->json_tag);
    assert_int_equal(loaded->json_tag[0], '"');
    assert_int_equal(loaded->json_tag[strlen(loaded->json_tag) - 1], '"');
}

static void tags_follow_the_bytes(void **state)
{
    create(state, "same", 2);
    create(state, "other", 3);
    auto_cached const struct cached *first = load(state, ID);
    auto_cached const struct cached *other = load(state, "other");
    auto_cached const struct cached *again = load(state, ID);

    assert_string_equal(first->json_tag, again->json_tag);
    assert_string_not_equal(first->json_tag, other->json_tag);
    assert_string_not_equal(first->bytes_tag, other->bytes_tag);
}

/* Any change of the file, in place or by another in its name. */
static void a_manifest_that_changed_is_not_found(void **state)
{
    struct path path = manifest_of(state, ID);
    auto_cached const struct cached *loaded = load(state, ID);
    off_t size = disk_stat(path.text).st_size;
    auto_fd int fd = open(path.text, O_WRONLY | O_CLOEXEC);

    /* The same byte, at another time. */
    must(pwrite(fd, "\x08", 1, 0) == 1 && futimens(fd, (struct timespec[2]){{1}, {1}}) == 0,
         path.text);
    assert_int_equal(disk_stat(path.text).st_size, size);
    assert_false(cache_confirms(cache_of(state), loaded));
    assert_null(cache_find(cache_of(state), ID));
}

static void a_manifest_that_is_gone_is_not_found(void **state)
{
    struct error err = {0};
    auto_cached const struct cached *loaded = load(state, ID);

    assert_int_equal(unlink(manifest_of(state, ID).text), 0);
    assert_false(cache_confirms(cache_of(state), loaded));
    assert_null(cache_find(cache_of(state), ID));
    assert_null(cache_load(cache_of(state), ID, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "no manifest.bin"));
}

static void a_manifest_outlives_its_place_in_the_cache_while_it_is_held(void **state)
{
    auto_cached const struct cached *loaded = load(state, ID);

    disk_write(manifest_of(state, ID).text, 0, 'x');
    auto_cached const struct cached *other = load(state, ID);
    assert_int_equal(other->manifest.vp_count, 0);
    assert_int_equal(loaded->manifest.vp_count, 2);
}

/* Within one tick of the kernel's clock, a second change would not be seen. */
static void a_manifest_that_may_still_be_changing_is_not_kept(void **state)
{
    clock_replace(NULL);
    disk_write(manifest_of(state, ID).text, 0, 'x');
    clock_replace(yesterday);
    cached_release(load(state, ID));
    assert_null(cache_find(cache_of(state), ID));
}

/* A clock has no context: this one's hand. */
static struct timespec hand;

static struct timespec read_hand(void)
{
    return hand;
}

static void turn_hand(struct timespec from, long milliseconds)
{
    hand.tv_sec = from.tv_sec + (from.tv_nsec / 1000000 + milliseconds) / 1000;
    hand.tv_nsec = (from.tv_nsec + milliseconds * 1000000) % 1000000000;
}

static bool is_kept_after(void **state, long milliseconds)
{
    turn_hand(disk_stat(manifest_of(state, ID).text).st_ctim, milliseconds);
    cached_release(load(state, ID));
    auto_cached const struct cached *found = cache_find(cache_of(state), ID);
    return found;
}

static void a_manifest_is_kept_when_it_has_not_changed_for_a_tenth_of_a_second(void **state)
{
    clock_replace(read_hand);
    assert_false(is_kept_after(state, 0));
    assert_false(is_kept_after(state, 99));
    assert_true(is_kept_after(state, 101));
    assert_true(is_kept_after(state, 999));
    assert_true(is_kept_after(state, 5000));
}

static void a_huge_manifest_is_read_again_each_time(void **state)
{
    auto_free char *name = malloc(20000);
    auto_manifest struct manifest manifest = {.version = 1};
    auto_text struct text bytes = {0};
    struct error err = {0};

    memset(name, 'v', 20000);
    assert_true(text_append(&manifest.openvmm_version, name, 20000));
    assert_succeeds(manifest_encode(&manifest, &bytes, &err));
    auto_fd int fd = open(manifest_of(state, ID).text, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_succeeds(file_write_all(fd, bytes.data, bytes.len, "it", &err));
    cached_release(load(state, ID));
    assert_null(cache_find(cache_of(state), ID));
}

static void what_cannot_be_loaded_is_told_by_the_code(void **state)
{
    struct error err = {0};

    assert_null(cache_load(cache_of(state), "none", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    disk_write(manifest_of(state, ID).text, 1, '\xff');
    assert_null(cache_load(cache_of(state), ID, &err));
    assert_int_equal(err.code, ERR_DAMAGED);
    fault_arm_error("read", 1, EIO);
    assert_null(cache_load(cache_of(state), ID, &err));
    fault_disarm();
    assert_int_equal(err.code, ERR_IO);
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    struct fault_plan fault = {.kinds = FAULT_MEMORY, .effect = FAULT_ERROR, .errnum = ENOMEM};
    bool struck = true;

    for (fault.nth = 1; struck; fault.nth++) {
        struct error err = {0};
        fault_arm(&fault);
        auto_cached const struct cached *cached = cache_load(cache_of(state), ID, &err);
        struck = fault_disarm().struck != NULL;
        assert_int_equal(cached != NULL, !struck);
        assert_int_equal(err.code, struck ? ERR_INTERNAL : ERR_NONE);
    }
    assert_true(fault.nth > 3);
}

static uint32_t hash(const char *id)
{
    uint32_t hash = 2166136261U;

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619U;
    return hash % SETS;
}

/* As many ids of one set as it has places, and one more. */
static void of_too_many_the_one_unused_longest_goes(void **state)
{
    struct path ids[WAYS + 1];
    size_t count = 0;

    for (unsigned i = 0; count <= WAYS; i++) {
        struct path id = path_of("%u", i);
        if (hash(id.text) != hash("0"))
            continue;
        create(state, id.text, 1);
        ids[count++] = id;
    }
    for (size_t i = 0; i < WAYS; i++)
        cached_release(load(state, ids[i].text));
    cached_release(cache_find(cache_of(state), ids[0].text)); /* used: 1 is the oldest now */
    cached_release(load(state, ids[WAYS].text));
    assert_null(cache_find(cache_of(state), ids[1].text));
    for (size_t i = 0; i <= WAYS; i++) {
        auto_cached const struct cached *found = cache_find(cache_of(state), ids[i].text);
        assert_int_equal(found != NULL, i != 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_loaded_manifest_is_found_again),
        TEST(both_representations_are_of_the_same_manifest),
        TEST(tags_follow_the_bytes),
        TEST(a_manifest_that_changed_is_not_found),
        TEST(a_manifest_that_is_gone_is_not_found),
        TEST(a_manifest_outlives_its_place_in_the_cache_while_it_is_held),
        TEST(a_manifest_that_may_still_be_changing_is_not_kept),
        TEST(a_manifest_is_kept_when_it_has_not_changed_for_a_tenth_of_a_second),
        TEST(a_huge_manifest_is_read_again_each_time),
        TEST(what_cannot_be_loaded_is_told_by_the_code),
        TEST(lack_of_memory_is_told_and_leaks_nothing),
        TEST(of_too_many_the_one_unused_longest_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
