/* Another process changes the store at random while clients do: in the end lists are what a fresh
 * start makes of the disk, byte for byte. */
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "service/store.h"
#include "tests/record.h"
#include "tests/stranger.h"

#define PAGE     ((size_t)4096)
#define STEPS    600
#define NAMES    8
#define SEEDS    4
#define FILES    3
#define ANYTHING 100

static const char *const files[FILES] = {MANIFEST_FILE, STATE_FILE, MEMORY_FILE};

/* One side of the turmoil: what it does depends on its seed alone. */
struct player {
    struct test *test;
    uint64_t state;
    bool is_reckless; /* changes what is in snapshots that are ready, too */
};

static unsigned draw(struct player *player, unsigned below)
{
    player->state = hash_add(player->state, "x", 1);
    return (unsigned)((player->state >> 33) % below);
}

/* Of the names that only the other process uses, and of those that clients use. */
static struct path draw_foreign(struct player *player)
{
    return path_of("e%u", draw(player, NAMES));
}

static struct path draw_own(struct player *player)
{
    return path_of("a%u", draw(player, NAMES));
}

static struct path place(const struct player *player, const char *id, const char *file)
{
    return in_store(player->test, id, file);
}

static bool is_there(const char *path)
{
    struct stat stat;

    return lstat(path, &stat) == 0;
}

static bool is_directory(const char *path)
{
    struct stat stat;

    return lstat(path, &stat) == 0 && S_ISDIR(stat.st_mode);
}

static bool has_all(const struct player *player, const char *id)
{
    for (size_t i = 0; i < FILES; i++)
        if (!is_there(place(player, id, files[i]).text))
            return false;
    return true;
}

/* ---- the other process ---- */

static void bring_one(struct player *player, const char *id)
{
    struct path from = outside(player->test, "brought");

    openvmm_save(from.text, (1 + draw(player, 3)) * PAGE, 'm', 1 + draw(player, 9));
    if (draw(player, 3) == 0)
        disk_remove(path_of("%s/%s", from.text, files[draw(player, FILES)]).text);
    if (renameat2(AT_FDCWD, from.text, AT_FDCWD, place(player, id, "").text, RENAME_NOREPLACE) != 0)
        renameat2(AT_FDCWD, from.text, AT_FDCWD, place(player, id, "").text, RENAME_EXCHANGE);
    disk_remove(from.text);
}

/* A file that is missing, or, while others are, over one that is there. */
static void write_file(struct player *player, const char *id)
{
    struct path from = outside(player->test, "part");
    const char *file = files[draw(player, FILES)];
    struct path to = place(player, id, file);

    if (!is_directory(place(player, id, "").text) || (!player->is_reckless && has_all(player, id)))
        return;
    openvmm_save(from.text, (1 + draw(player, 3)) * PAGE, 'm', 1 + draw(player, 9));
    switch (draw(player, 4)) {
    case 0:
        test_write(to.text, "\xff", 1);
        break;
    case 1:
        disk_write(to.text, draw(player, 3) * PAGE, 'w');
        break;
    default:
        rename(path_of("%s/%s", from.text, file).text, to.text);
    }
    disk_remove(from.text);
}

static void remove_file(struct player *player, const char *id)
{
    if (player->is_reckless || !has_all(player, id))
        unlink(place(player, id, files[draw(player, FILES)]).text);
}

static void put_something_else(struct player *player, const char *id)
{
    struct path path = place(player, id, "");

    if (is_directory(path.text))
        disk_write(place(player, id, "disk.img").text, 1, 'd');
    else if (is_there(path.text))
        unlink(path.text);
    else if (draw(player, 2))
        disk_write(path.text, 1, 'f');
    else
        must(symlink(outside(player->test, "").text, path.text) == 0, "symlink");
}

static void take_one_away(struct player *player, const char *id)
{
    struct path gone = outside(player->test, "gone");

    if (rename(place(player, id, "").text, gone.text) == 0)
        disk_remove(gone.text);
}

static void change_something(struct player *player)
{
    struct path id = draw_foreign(player);
    struct path other = draw_foreign(player);

    switch (draw(player, 12)) {
    case 0:
    case 1:
        bring_one(player, id.text);
        break;
    case 2:
    case 3:
        mkdir(place(player, id.text, "").text, 0700);
        break;
    case 4:
        disk_remove(place(player, id.text, "").text);
        break;
    case 5:
        renameat2(AT_FDCWD, place(player, id.text, "").text, AT_FDCWD,
                  place(player, other.text, "").text, RENAME_NOREPLACE);
        break;
    case 6:
        renameat2(AT_FDCWD, place(player, id.text, "").text, AT_FDCWD,
                  place(player, other.text, "").text, RENAME_EXCHANGE);
        break;
    case 7:
        put_something_else(player, id.text);
        break;
    case 8:
        take_one_away(player, draw_own(player).text);
        break;
    case 9:
        remove_file(player, id.text);
        break;
    default:
        write_file(player, id.text);
    }
}

static pid_t start_changing(const struct player *template)
{
    struct player player = *template;
    pid_t pid = fork();

    must(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    for (unsigned i = 0; i < STEPS; i++) {
        change_something(&player);
        if (draw(&player, 10) == 0) /* for what was done to be seen half done */
            nanosleep(&(struct timespec){.tv_nsec = draw(&player, 40) * 1000000L}, NULL);
    }
    _exit(0);
}

/* ---- the clients ---- */

static void ask_something(struct player *player, const struct path *memory)
{
    auto_answer struct answer answer = {0};
    struct path own = path_of("/snapshots/%s", draw_own(player).text);
    struct path foreign = path_of("/snapshots/%s", draw_foreign(player).text);

    switch (draw(player, 6)) {
    case 0:
        test_send(player->test, "POST", "/snapshots", &answer,
                  "{\"id\":\"%s\",\"memory_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
                  strrchr(own.text, '/') + 1, memory->text);
        break;
    case 1:
    case 2:
        test_send(player->test, "PUT", own.text, &answer,
                  "{\"memory_file_path\":\"%s\",\"capture\":\"copy\"," REQUIRED_MEMBERS
                  ",\"labels\":{\"n\":\"%u\"}}",
                  memory->text, draw(player, ANYTHING));
        break;
    case 3:
        test_call(player->test, &(struct call){.method = "DELETE", .path = own.text}, &answer);
        break;
    case 4:
        test_get(player->test, own.text, &answer);
        break;
    default:
        test_get(player->test, foreign.text, &answer);
    }
    if (answer.status >= 500)
        fail_msg("%ld: %s", answer.status, text_str(&answer.body));
}

/* Whoever writes into a full pipe waits: every write is a line of its log. */
static void let_it_log(const struct program *program)
{
    struct pollfd polled = {.fd = fileno(program->output), .events = POLLIN};
    char unread[4096];

    while (poll(&polled, 1, 0) > 0 && read(polled.fd, unread, sizeof unread) > 0)
        continue;
}

/* Until the other process is done. */
static void ask(struct player *player, const struct program *program, pid_t changing)
{
    struct path memory = test_memory(player->test, "memory", 2 * PAGE, 'c');
    int status;

    while (waitpid(changing, &status, WNOHANG) == 0) {
        ask_something(player, &memory);
        let_it_log(program);
    }
    assert_int_equal(status, 0);
}

/* ---- what comes of it ---- */

static void remove_catalogue(const struct test *test)
{
    static const char *const parts[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        disk_remove(path_of("%s/.vmsnapd/catalog.db%s", test->fixture.store.text, parts[i]).text);
}

static void read_list(struct test *test, struct text *out)
{
    auto_answer struct answer list = {0};

    test_get(test, LIST_ALL, &list);
    assert_int_equal(list.status, 200);
    assert_true(text_append(out, list.body.data, list.body.len));
}

/* Ends the program, and compares what it said last with what another says. */
static void assert_same_anew(struct test *test, struct program *program, const char *rescan,
                             uint64_t seed)
{
    auto_text struct text before = {0};

    read_list(test, &before);
    for (int i = 0; i < 2; i++) {
        auto_text struct text after = {0};
        stranger_end(program);
        if (i == 1)
            remove_catalogue(test);
        *program = (struct program){0};
        stranger_serve(test, program, rescan);
        read_list(test, &after);
        if (!text_equals(&before, after.data, after.len))
            fail_msg("seed %llu: %s\nis, read %s:\n%s", (unsigned long long)seed,
                     text_str(&before), i ? "without a catalogue" : "with one", text_str(&after));
    }
    stranger_end(program);
}

static void run(struct test *test, uint64_t seed, bool is_reckless)
{
    const char *rescan = is_reckless ? "1" : "0";
    struct program program = {0};
    struct player changing = {test, hash_add(HASH_SEED, &seed, sizeof seed), is_reckless};
    struct player asking = {test, hash_add(changing.state, "asking", 6), is_reckless};

    stranger_serve(test, &program, rescan);
    ask(&asking, &program, start_changing(&changing));
    sync_with(test);
    if (is_reckless)
        await_between(test, RESCANS, test_series(test, RESCANS) + 2, INFINITY);
    assert_same_anew(test, &program, rescan, seed);
}

static void what_a_stranger_does_is_listed_as_it_is_on_disk(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(*state, seed, false);
}

static void whatever_a_stranger_does_a_rescan_finds(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(*state, seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PROGRAM(what_a_stranger_does_is_listed_as_it_is_on_disk),
        WITH_PROGRAM(whatever_a_stranger_does_a_rescan_finds),
    };

    record_nothing(); /* what is answered depends on who was first */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
