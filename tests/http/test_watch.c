/* What other processes do in the store is noticed by the program itself. What is asked are lists,
 * which read no snapshot. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/store.h"
#include "tests/record.h"
#include "tests/stranger.h"

#define PAGE      ((size_t)4096)
#define NEVER     "0"
#define FILES_ALL 3

static const char *const files[FILES_ALL] = {MANIFEST_FILE, STATE_FILE, MEMORY_FILE};

static void what_appears_is_listed_and_what_vanishes_is_not(void **state)
{
    struct test *test = *state;
    struct program program = {0};

    stranger_serve(test, &program, NEVER);
    bring(test, "a", 3);
    AWAIT(test, "a", "ready", .vp_count = 3);
    disk_make_dir(in_store(test, "b", "").text);
    AWAIT(test, "b", "incomplete");
    must(rmdir(in_store(test, "b", "").text) == 0, "rmdir");
    AWAIT(test, "b", "none");
    move(in_store(test, "a", ""), in_store(test, "c", ""));
    AWAIT(test, "c", "ready", .vp_count = 3);
    AWAIT(test, "a", "none");
    take_away(test, "c");
    AWAIT(test, "c", "none");
    stranger_end(&program);
}

/* In this order, each file for all to see before the next. */
static void save_in_order(struct test *test, const char *id, const size_t order[FILES_ALL])
{
    struct path memory = outside(test, "backing");

    openvmm_save(outside(test, id).text, 2 * PAGE, 'm', 2);
    disk_remove(memory.text);
    move(path_of("%s/" MEMORY_FILE, outside(test, id).text), memory);
    disk_make_dir(in_store(test, id, "").text);
    AWAIT(test, id, "incomplete", "manifest.bin is missing");
    bool has[FILES_ALL] = {false};
    for (size_t i = 0; i < FILES_ALL; i++) {
        const char *file = files[order[i]];
        if (order[i] == 2)
            must(link(memory.text, in_store(test, id, file).text) == 0, "link");
        else
            move(path_of("%s/%s", outside(test, id).text, file), in_store(test, id, file));
        has[order[i]] = true;
        size_t missing = 0;
        while (missing < FILES_ALL && has[missing])
            missing++;
        if (missing < FILES_ALL)
            AWAIT(test, id, "incomplete", path_of("%s is missing", files[missing]).text);
    }
    AWAIT(test, id, "ready", .vp_count = 2, .memory_bytes = 2 * (json_int_t)PAGE);
    disk_remove(outside(test, id).text);
}

static void a_save_is_incomplete_until_all_its_files_are_there(void **state)
{
    static const size_t orders[][FILES_ALL] = {
        {0, 1, 2}, /* OpenVMM's own: the link is the last */
        {0, 2, 1},
        {1, 0, 2},
        {1, 2, 0},
        {2, 0, 1},
        {2, 1, 0}
    };
    struct test *test = *state;
    struct program program = {0};

    stranger_serve(test, &program, NEVER);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        save_in_order(test, path_of("s%zu", i).text, orders[i]);
    stranger_end(&program);
}

static void what_still_grows_is_looked_at_until_it_rests(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    const char half[PAGE / 2] = {0};

    stranger_serve(test, &program, NEVER);
    openvmm_save(outside(test, "a").text, PAGE, 'm', 2);
    disk_make_dir(in_store(test, "a", "").text);
    for (size_t i = 0; i < 2; i++)
        move(path_of("%s/%s", outside(test, "a").text, files[i]), in_store(test, "a", files[i]));
    auto_fd int fd =
        open(in_store(test, "a", MEMORY_FILE).text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    AWAIT(test, "a", "ready", .vp_count = 2);
    must(write(fd, half, sizeof half) == sizeof half, "write"); /* of which nobody tells */
    AWAIT(test, "a", "ready", .memory_bytes = sizeof half);
    must(write(fd, half, sizeof half) == sizeof half, "write");
    close_p(&fd);
    fd = -1;
    AWAIT(test, "a", "ready", .memory_bytes = PAGE);
    await_between(test, WATCHED, 0, 0); /* it is not watched for ever */
    stranger_end(&program);
}

static void a_directory_in_anothers_place_is_another_snapshot(void **state)
{
    struct test *test = *state;
    struct program program = {0};

    stranger_serve(test, &program, NEVER);
    bring(test, "a", 1);
    AWAIT(test, "a", "ready", .vp_count = 1);
    openvmm_save(outside(test, "b").text, PAGE, 'm', 2);
    must(renameat2(AT_FDCWD, outside(test, "b").text, AT_FDCWD, in_store(test, "a", "").text,
                   RENAME_EXCHANGE)
             == 0,
         "exchange");
    AWAIT(test, "a", "ready", .vp_count = 2);
    disk_remove(in_store(test, "a", "").text); /* the next one may get its inode */
    openvmm_save(in_store(test, "a", "").text, PAGE, 'm', 3);
    AWAIT(test, "a", "ready", .vp_count = 3);
    disk_make_dir(in_store(test, "i", "").text);
    AWAIT(test, "i", "incomplete");
    move(in_store(test, "i", ""), in_store(test, "j", "")); /* its watch goes with it */
    AWAIT(test, "j", "incomplete");
    AWAIT(test, "i", "none");
    openvmm_save(in_store(test, "j", "").text, PAGE, 'm', 4);
    AWAIT(test, "j", "ready", .vp_count = 4);
    stranger_end(&program);
}

static void only_directories_are_snapshots_and_nothing_is_touched(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    auto_text struct text before = {0};
    auto_text struct text after = {0};
    auto_answer struct answer list = {0};

    stranger_serve(test, &program, NEVER);
    openvmm_save(outside(test, "whole").text, PAGE, 'm', 1);
    must(symlink(outside(test, "whole").text, in_store(test, "link", "").text) == 0, "symlink");
    disk_write(in_store(test, "file", "").text, 1, 'f');
    disk_make_dir(in_store(test, ".hidden", "").text);
    disk_make_dir(in_store(test, "with space", "").text);
    openvmm_save(in_store(test, "torn", "").text, PAGE, 'm', 1);
    disk_remove(in_store(test, "torn", STATE_FILE).text);
    openvmm_save(in_store(test, "undecodable", "").text, PAGE, 'm', 1);
    test_write(in_store(test, "undecodable", MANIFEST_FILE).text, "\xff", 1);
    openvmm_save(in_store(test, "foreign", "").text, PAGE, 'm', 1);
    disk_write(in_store(test, "foreign", "disk.img").text, PAGE, 'd');
    disk_describe(path_of("%s/snapshots", test->fixture.store.text).text, &before);
    AWAIT(test, "torn", "incomplete", "state.bin is missing");
    AWAIT(test, "undecodable", "damaged");
    AWAIT(test, "foreign", "ready");
    sync_with(test);
    test_get(test, LIST_ALL, &list);
    assert_int_equal(json_array_size(answer_at(&list, "snapshots")), 3);
    disk_describe(path_of("%s/snapshots", test->fixture.store.text).text, &after);
    assert_string_equal(before.data, after.data);
    stranger_end(&program);
}

static void own_changes_are_not_read_again(void **state)
{
    struct test *test = *state;
    struct program program = {0};
    struct path memory = test_memory(test, "m", PAGE, 'm');

    stranger_serve(test, &program, NEVER);
    sync_with(test);
    const double reads = test_series(test, READS);
    sync_with(test);
    const double of_sync = test_series(test, READS) - reads;
    for (unsigned i = 0; i < 100; i++) {
        auto_answer struct answer replaced = {0};
        auto_answer struct answer patched = {0};
        auto_answer struct answer removed = {0};
        struct path path = path_of("/snapshots/s%u", i);
        test_create(test, path_of("s%u", i).text, &memory, 1);
        test_send(test, "PUT", path.text, &replaced,
                  "{\"memory_file_path\":\"%s\",\"capture\":\"copy\"," REQUIRED_MEMBERS "}",
                  memory.text);
        assert_int_equal(replaced.status, 200);
        test_call(test,
                  &(struct call){.method = "PATCH",
                                 .path = path.text,
                                 .headers = {"Content-Type: application/merge-patch+json"},
                                 .body = "{\"labels\":{\"a\":\"b\"}}"},
                  &patched);
        assert_int_equal(patched.status, 200);
        if (i % 2)
            continue;
        test_call(test, &(struct call){.method = "DELETE", .path = path.text}, &removed);
        assert_int_equal(removed.status, 204);
    }
    sync_with(test);
    assert_true(test_series(test, READS) - reads == 2 * of_sync);
    stranger_end(&program);
}

static void a_burst_is_looked_at_as_one(void **state)
{
    struct test *test = *state;
    struct program program = {0};

    stranger_serve(test, &program, NEVER);
    disk_make_dir(in_store(test, "a", "").text);
    AWAIT(test, "a", "incomplete");
    const uint64_t begun = clock_monotonic_ns();
    const double wakeups = test_series(test, WAKEUPS);
    const double reads = test_series(test, READS);
    for (unsigned i = 0; i < 1000; i++)
        disk_write(in_store(test, "a", path_of("f%u", i).text).text, 1, 'f');
    sync_with(test);
    /* It rests for 50 ms in between; and reads one and the same directory each time. */
    const double most = (double)(clock_monotonic_ns() - begun) / 50e6 + 2;
    assert_true(test_series(test, WAKEUPS) - wakeups <= most);
    assert_true(test_series(test, READS) - reads <= most + 4 * 2);
    assert_true(test_series(test, READS) > reads);
    stranger_end(&program);
}

static unsigned long read_limit(const char *name)
{
    char line[32] = "";
    FILE *file = fopen(path_of("/proc/sys/fs/inotify/%s", name).text, "r");

    must(file && fgets(line, sizeof line, file) && fclose(file) == 0, name);
    return strtoul(line, NULL, 10);
}

/* More than the kernel keeps. */
static void make_noise(const struct test *test, unsigned long events)
{
    struct path noise = in_store(test, "noise", "");

    for (unsigned long i = 0; i < events; i += 2)
        must(mkdir(noise.text, 0700) == 0 && rmdir(noise.text) == 0, "noise");
}

static void stop(const struct program *program)
{
    int status;

    must(kill(program->pid, SIGSTOP) == 0
             && waitpid(program->pid, &status, WUNTRACED) == program->pid && WIFSTOPPED(status),
         "SIGSTOP");
}

static void lost_changes_are_found_by_looking_at_everything(void **state)
{
    const unsigned long most = read_limit("max_queued_events");
    struct test *test = *state;
    struct program program = {0};

    if (most > 200000) {
        printf("[  SKIPPED ] fs.inotify.max_queued_events is %lu: too many to be made\n", most);
        skip();
    }
    stranger_serve(test, &program, NEVER);
    bring(test, "going", 1);
    bring(test, "changing", 1);
    disk_make_dir(in_store(test, "becoming", "").text);
    bring(test, "altered", 1);
    sync_with(test);
    stop(&program);
    make_noise(test, most + 2);
    take_away(test, "going");
    bring(test, "coming", 2);
    take_away(test, "changing");
    bring(test, "changing", 3);
    openvmm_save(in_store(test, "becoming", "").text, PAGE, 'm', 4);
    disk_make_dir(in_store(test, "begun", "").text);
    disk_write(in_store(test, "altered", MEMORY_FILE).text, 3 * PAGE, 'n');
    kill(program.pid, SIGCONT);
    AWAIT(test, "going", "none");
    AWAIT(test, "coming", "ready", .vp_count = 2);
    AWAIT(test, "changing", "ready", .vp_count = 3);
    AWAIT(test, "becoming", "ready", .vp_count = 4);
    AWAIT(test, "altered", "ready", .memory_bytes = 3 * PAGE);
    assert_true(test_series(test, LOSSES) >= 1);
    AWAIT(test, "begun", "incomplete"); /* and is watched, though nobody told of it */
    openvmm_save(in_store(test, "begun", "").text, PAGE, 'm', 5);
    AWAIT(test, "begun", "ready", .vp_count = 5);
    stranger_end(&program);
}

static void a_rescan_finds_what_changed_in_ready_ones(void **state)
{
    struct test *test = *state;
    struct program program = {0};

    stranger_serve(test, &program, "1");
    bring(test, "replaced", 1);
    bring(test, "shorter", 1);
    bring(test, "torn", 1);
    bring(test, "same", 1);
    sync_with(test);
    openvmm_save(outside(test, "other").text, PAGE, 'm', 7);
    move(path_of("%s/" MANIFEST_FILE, outside(test, "other").text),
         in_store(test, "replaced", MANIFEST_FILE));
    must(truncate(in_store(test, "shorter", MEMORY_FILE).text, 100) == 0, "truncate");
    disk_remove(in_store(test, "torn", MEMORY_FILE).text);
    AWAIT(test, "replaced", "ready", .vp_count = 7);
    AWAIT(test, "shorter", "ready", .memory_bytes = 100);
    AWAIT(test, "torn", "incomplete", "memory.bin is missing");
    AWAIT(test, "same", "ready", .vp_count = 1);
    sync_with(test);
    const double reads = test_series(test, READS);
    await_between(test, RESCANS, test_series(test, RESCANS) + 2, INFINITY);
    /* What rescans look at has not changed, and what is incomplete is watched already. */
    assert_true(test_series(test, READS) - reads == 0);
    stranger_end(&program);
}

#define LIMIT "echo 1 2>/dev/null >/proc/sys/user/max_inotify_watches"

static bool can_limit_watches(void)
{
    struct program program = {.binary = "/usr/bin/unshare"};

    program_run(&program, (const char *const[]){"unshare", "-U", "-r", "sh", "-c", LIMIT, NULL});
    return program_finish(&program) == 0;
}

static void without_watches_all_is_still_found(void **state)
{
    struct test *test = *state;
    static const char binary[] = BINARY_DIR "/vmsnapd";
    static const char command[] = LIMIT "; exec \"$@\"";
    struct program program = {.binary = "/usr/bin/unshare"};
    char line[1024];

    if (!can_limit_watches()) {
        printf("[  SKIPPED ] watches cannot be limited here: that takes user namespaces\n");
        skip();
    }
    const char *const arguments[] = {
        "unshare", "-U", "-r", "sh", "-c", command, "sh", binary,
        "--store", test->fixture.store.text, "--memory-root", test->fixture.root.text,
        "--listen", "127.0.0.1:0", "--no-access-log", "--rescan", NEVER, NULL};
    program_run(&program, arguments);
    program_read_until(&program, "listening", line, sizeof line);
    snprintf(test->url, sizeof test->url, "%s", strstr(line, "http://"));
    test->url[strcspn(test->url, "\n")] = '\0';
    disk_make_dir(in_store(test, "a", "").text); /* the one watch is that of snapshots/ */
    program_read_until(&program, "max_user_watches", line, sizeof line);
    AWAIT(test, "a", "incomplete");
    assert_true(test_series(test, LIMITED) == 1);
    openvmm_save(in_store(test, "a", "").text, PAGE, 'm', 2);
    AWAIT(test, "a", "ready", .vp_count = 2);
    program_read_until(&program, "watched", line, sizeof line); /* not the same once more */
    assert_non_null(strstr(line, "watched again"));
    assert_true(test_series(test, LIMITED) == 0);
    stranger_end(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PROGRAM(what_appears_is_listed_and_what_vanishes_is_not),
        WITH_PROGRAM(a_save_is_incomplete_until_all_its_files_are_there),
        WITH_PROGRAM(what_still_grows_is_looked_at_until_it_rests),
        WITH_PROGRAM(a_directory_in_anothers_place_is_another_snapshot),
        WITH_PROGRAM(only_directories_are_snapshots_and_nothing_is_touched),
        WITH_PROGRAM(own_changes_are_not_read_again),
        WITH_PROGRAM(a_burst_is_looked_at_as_one),
        WITH_PROGRAM(lost_changes_are_found_by_looking_at_everything),
        WITH_PROGRAM(a_rescan_finds_what_changed_in_ready_ones),
        WITH_PROGRAM(without_watches_all_is_still_found),
    };

    record_nothing(); /* lists are asked for over and over, and judged elsewhere */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
