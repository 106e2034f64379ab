#include "tests/stranger.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define PAGE     ((size_t)4096)
#define PATIENCE UINT64_C(60000000000)

void stranger_serve(struct test *test, struct program *program, const char *rescan)
{
    SERVE(test, program, "127.0.0.1:0", "--no-access-log", "--rescan", rescan);
}

void stranger_end(struct program *program)
{
    kill(program->pid, SIGTERM);
    assert_int_equal(program_finish(program), 0);
}

struct path in_store(const struct test *test, const char *id, const char *file)
{
    return fixture_snapshot(&test->fixture, id, file);
}

struct path outside(const struct test *test, const char *name)
{
    return path_of("%s/%s", test->fixture.root.text, name);
}

void move(struct path from, struct path to)
{
    must(rename(from.text, to.text) == 0, to.text);
}

void bring(const struct test *test, const char *id, uint32_t vp_count)
{
    openvmm_save(outside(test, id).text, PAGE, 'm', vp_count);
    move(outside(test, id), in_store(test, id, ""));
}

void take_away(const struct test *test, const char *id)
{
    move(in_store(test, id, ""), outside(test, "gone"));
    disk_remove(outside(test, "gone").text);
}

static void pause_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static const json_t *find(const struct answer *list, const char *id)
{
    const json_t *entries = answer_at(list, "snapshots");

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
            return entry;
    }
    return NULL;
}

static bool says(const json_t *entry, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(entry, name));

    return !expected || (text && strcmp(text, expected) == 0);
}

static bool counts(const json_t *entry, const char *object, const char *name, json_int_t expected)
{
    const json_t *inner = json_object_get(entry, object);

    return !expected || json_integer_value(json_object_get(inner, name)) == expected;
}

static bool is_listed_so(const struct answer *list, const struct expected *expected)
{
    const json_t *entry = find(list, expected->id);

    if (strcmp(expected->status, "none") == 0)
        return !entry;
    return entry && says(entry, "status", expected->status)
        && says(entry, "problem", expected->problem)
        && counts(entry, "manifest", "vp_count", expected->vp_count)
        && counts(entry, "memory", "size_bytes", expected->memory_bytes);
}

void await(struct test *test, const struct expected *expected)
{
    const uint64_t deadline = clock_monotonic_ns() + PATIENCE;

    for (;;) {
        auto_answer struct answer list = {0};
        test_get(test, LIST_ALL, &list);
        assert_int_equal(list.status, 200);
        if (is_listed_so(&list, expected))
            return;
        if (clock_monotonic_ns() > deadline)
            fail_msg("%s does not become %s: %s", expected->id, expected->status,
                     text_str(&list.body));
        pause_a_moment();
    }
}

void await_between(struct test *test, const char *series, double least, double most)
{
    const uint64_t deadline = clock_monotonic_ns() + PATIENCE;
    double value;

    while ((value = test_series(test, series)) < least || value > most) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("%s stays %g", series, value);
        pause_a_moment();
    }
}

/* The first mark is seen while the thread may still be about what came with it. */
void sync_with(struct test *test)
{
    static const char *const marks[] = {"zz-mark-1", "zz-mark-2"};

    for (size_t i = 0; i < 2; i++) {
        bring(test, marks[i], 1);
        AWAIT(test, marks[i], "ready");
    }
    for (size_t i = 0; i < 2; i++) {
        take_away(test, marks[i]);
        AWAIT(test, marks[i], "none");
    }
}
