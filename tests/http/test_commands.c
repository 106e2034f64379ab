/* vmsnapd show and vmsnapd validate: what they print, and how they end. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/manifest_pb.h"
#include "tests/golden/vectors.h"
#include "tests/program.h"

#define PAGE ((size_t)4096)

/* What a command said, and its exit status. */
struct said {
    int status;
    struct text text;
    json_t *json; /* of the text, if it is one document */
};

static void said_clear_p(struct said *said)
{
    text_clear(&said->text);
    json_decref(said->json);
}
#define auto_said AUTO(said_clear)

/* `arguments` begin with the program's name and end with NULL. */
static void hear(struct program *program, const char *const *arguments, struct said *out)
{
    char buffer[4096];
    size_t got;

    program_run(program, arguments);
    while ((got = fread(buffer, 1, sizeof buffer, program->output)) > 0)
        must(text_append(&out->text, buffer, got), "memory");
    out->status = program_finish(program);
    out->json = json_loadb(text_str(&out->text), out->text.len, JSON_ALLOW_NUL, NULL);
}

static void run(const char *const *arguments, struct said *out)
{
    struct program program = {0};

    hear(&program, arguments, out);
}
#define RUN(out, ...) run((const char *const[]){"vmsnapd", __VA_ARGS__, NULL}, out)

static const char *string_in(const json_t *json, const char *key)
{
    const char *value = json_string_value(json_object_get(json, key));

    if (!value)
        fail_msg("no string \"%s\"", key);
    return value;
}

static const char *text_at(const json_t *json, const char *list, size_t i)
{
    const json_t *item = json_array_get(json_object_get(json, list), i);

    return json_string_value(json_is_object(item) ? json_object_get(item, "message") : item);
}

/* A directory that OpenVMM saved, in no store. */
static struct path save(struct test *test, const char *name)
{
    struct path dir = path_of("%s/%s", test->fixture.root.text, name);

    openvmm_save(dir.text, PAGE, 'm', 2);
    return dir;
}

static struct path in(const struct path *dir, const char *file)
{
    return path_of("%s/%s", dir->text, file);
}

static void what_is_shown_of_a_stores_snapshot_is_what_the_service_answers(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", PAGE, 7);
    struct program program = {0};
    struct path dir = fixture_snapshot(&test->fixture, "a", "");
    auto_answer struct answer made = {0};
    auto_answer struct answer answer = {0};
    auto_said struct said said = {0};

    SERVE(test, &program, "127.0.0.1:0", "--no-access-log");
    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\",\"vmm_args\":[\"--uefi\"],"
              "\"labels\":{\"vm\":\"web\"}," REQUIRED_MEMBERS "}",
              memory.text);
    assert_int_equal(made.status, 201);
    RUN(&said, "show", dir.text);
    test_get(test, "/snapshots?include=live", &answer);
    assert_int_equal(said.status, 0);
    const json_t *answered = answer_at(&answer, "snapshots.0");
    for (void *at = json_object_iter((json_t *)answered); at;
         at = json_object_iter_next((json_t *)answered, at)) {
        const char *key = json_object_iter_key(at);
        if (!json_equal(json_object_get(said.json, key), json_object_iter_value(at)))
            fail_msg("%s differs: %s, %s", key, text_str(&said.text), text_str(&answer.body));
    }
    assert_int_equal(json_object_size(said.json),
                     json_object_size(answered) + 4);
    assert_string_equal(string_in(json_object_get(said.json, "record"), "capture"), "link");
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

static void each_directory_is_a_line_whatever_the_others_are(void **state)
{
    struct path good = save(*state, "good");
    struct path bad = save(*state, "bad");
    auto_said struct said said = {0};
    char *rest = NULL;

    assert_int_equal(unlink(in(&bad, STATE_FILE).text), 0);
    RUN(&said, "show", good.text, bad.text, good.text);
    assert_int_equal(said.status, 1);
    const char *const ids[] = {"good", "bad", "good"};
    char *line = strtok_r(said.text.data, "\n", &rest);
    for (size_t i = 0; i < 3; i++, line = strtok_r(NULL, "\n", &rest)) {
        json_t *json = json_loads(line, 0, NULL);
        assert_string_equal(string_in(json, "id"), ids[i]);
        assert_int_equal(json_array_size(json_object_get(json, "reasons")), i == 1);
        assert_int_equal(json_is_true(json_object_get(json, "restorable")), i != 1);
        json_decref(json);
    }
    assert_null(line);
}

/* A command that ends so; what it says holds `part`. */
struct ending {
    const char *arguments[5];
    int status;
    const char *part;
};

static void commands_end_with_0_for_yes_1_for_no_2_for_neither(void **state)
{
    struct path good = save(*state, "good");
    struct path bad = save(*state, "bad");
    struct path file = in(&good, MANIFEST_FILE);
    struct path missing = path_of("%s.missing", good.text);
    /* clang-format off */
    const struct ending endings[] = {
        {{"show", good.text}, 0, "\"restorable\":true"},
        {{"show", bad.text}, 1, "\"reasons\":[\"failed to decode snapshot manifest: "},
        {{"show", bad.text, missing.text}, 2, "No such file or directory\n"},
        {{"show", file.text}, 2, "Not a directory\n"},
        {{"show"}, 2, "which directory? see vmsnapd show --help\n"},
        {{"show", "--shape"}, 2, "unknown option --shape: see vmsnapd show --help\n"},
        {{"show", "-h"}, 2, "unknown option -h: see vmsnapd show --help\n"},
        {{"show", "--help"}, 0, "Usage: vmsnapd show DIR...\n"},
        {{"validate", good.text}, 0, "{\"valid\":true,\"mismatches\":[],\"warnings\":[],"},
        {{"validate", bad.text}, 1, "{\"valid\":false,\"mismatches\":[{\"field\":\"manifest\","},
        {{"validate", good.text, "--vp-count=3"}, 1, "snapshot VP count (2) doesn't match "},
        {{"validate", "--memory-size=4k", "--page-size=4K", good.text}, 0, "\"valid\":true"},
        {{"validate", "--memory-size", "0", good.text}, 1, "doesn't match expected (0 bytes)"},
        {{"validate", missing.text}, 2, "No such file or directory\n"},
        {{"validate", file.text}, 2, "Not a directory\n"},
        {{"validate"}, 2, "give one directory: see vmsnapd validate --help\n"},
        {{"validate", good.text, good.text}, 2, "give one directory"},
        {{"validate", good.text, "--vp-count"}, 2, "--vp-count needs a value: N\n"},
        {{"validate", good.text, "--vp-count=4294967296"}, 2, "from 0 to 4294967295\n"},
        {{"validate", good.text, "--memory-size=1GiB"}, 2, "like 65536, 64K or 1G\n"},
        {{"validate", "--help"}, 0, "  --state-unit NAME "},
    };
    /* clang-format on */

    disk_write(in(&bad, MANIFEST_FILE).text, 1, '\xff');
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const struct ending *ending = &endings[i];
        const char *const *more = ending->arguments;
        auto_said struct said said = {0};
        RUN(&said, more[0], more[1], more[2], more[3], more[4]);
        if (said.status != ending->status || !strstr(text_str(&said.text), ending->part))
            fail_msg("%s %s: %d, %s", more[0], more[1], said.status, text_str(&said.text));
    }
}

/* Where a user reads; a root that may read everything is made one that may not. */
static bool run_restricted(const char *command, const char *dir, struct said *out)
{
    static const char binary[] = BINARY_DIR "/vmsnapd";
    const char *const arguments[] = {
        "setpriv", "--bounding-set=-dac_override,-dac_read_search", binary, command, dir, NULL};
    struct program program = {.binary = "/usr/bin/setpriv"};

    if (geteuid() != 0) {
        RUN(out, command, dir);
        return true;
    }
    hear(&program, arguments, out);
    if (strncmp(text_str(&out->text), "setpriv:", strlen("setpriv:")) != 0)
        return true;
    fprintf(stderr, "SKIPPED: root cannot be kept from reading here: %s", out->text.data);
    return false;
}

static void what_may_not_be_read_is_shown_as_such_and_not_judged(void **state)
{
    struct path dir = save(*state, "closed");
    auto_said struct said shown = {0};
    auto_said struct said judged = {0};

    assert_int_equal(chmod(in(&dir, STATE_FILE).text, 0), 0);
    if (!run_restricted("show", dir.text, &shown) || !run_restricted("validate", dir.text, &judged))
        return;
    assert_int_equal(shown.status, 1);
    assert_non_null(strstr(text_at(shown.json, "reasons", 0), "state.bin may not be read by uid "));
    assert_string_equal(string_in(shown.json, "status"), "ready");
    assert_int_equal(judged.status, 2);
    assert_null(judged.json);
}

static void run_into(int output, const char *const *arguments, struct said *out)
{
    struct program program = {.standard_output = output};

    hear(&program, arguments, out);
}

static void output_that_cannot_be_written_is_told(void **state)
{
    struct path dir = save(*state, "dir");
    const char *const commands[] = {"show", "validate"};
    int ends[2];
    auto_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    must(full >= 0, "/dev/full");
    must(pipe2(ends, O_CLOEXEC) == 0, "a pipe");
    close(ends[0]);
    for (size_t i = 0; i < 2; i++) {
        const char *const arguments[] = {"vmsnapd", commands[i], dir.text, NULL};
        auto_said struct said on_full = {0};
        auto_said struct said on_closed = {0};
        run_into(full, arguments, &on_full);
        assert_int_equal(on_full.status, 2);
        assert_non_null(strstr(on_full.text.data, "standard output: No space left on device\n"));
        run_into(ends[1], arguments, &on_closed);
        assert_int_equal(on_closed.status, 2);
        assert_non_null(strstr(on_closed.text.data, "standard output: Broken pipe\n"));
    }
    close(ends[1]);
}

static void paths_may_be_relative_and_lead_through_links(void **state)
{
    struct test *test = *state;
    struct path dir = save(test, "dir");
    struct path away = path_of("%s/away", test->fixture.home.text);
    auto_free char *home = realpath(".", NULL);
    auto_said struct said shown = {0};
    auto_said struct said judged = {0};
    auto_said struct said dangling = {0};

    assert_int_equal(rename(in(&dir, MEMORY_FILE).text, away.text), 0);
    assert_int_equal(symlink("../../away", in(&dir, MEMORY_FILE).text), 0);
    assert_int_equal(symlink("dir", path_of("%s/link", test->fixture.root.text).text), 0);
    must(chdir(test->fixture.root.text) == 0, "chdir");
    RUN(&shown, "show", "link/");
    RUN(&judged, "validate", "link");
    assert_int_equal(unlink(away.text), 0);
    RUN(&dangling, "validate", "./link");
    must(chdir(home) == 0, "chdir");
    assert_int_equal(shown.status, 0);
    assert_string_equal(string_in(shown.json, "path"), dir.text);
    assert_int_equal(judged.status, 0);
    assert_int_equal(dangling.status, 1);
    assert_string_equal(text_at(dangling.json, "mismatches", 0),
                        "failed to open file `./link/memory.bin`: No such file or directory (os "
                        "error 2)");
}

/* manifest.bin as OpenVMM writes it, beside an empty state and sparse memory of that length, or, if
 * no file can be as long, without any. */
static bool save_manifest(const char *dir, const struct manifest *manifest)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    struct path memory = path_of("%s/" MEMORY_FILE, dir);

    assert_succeeds(manifest_encode(manifest, &bytes, &err));
    disk_make_dir(dir);
    test_write(path_of("%s/" MANIFEST_FILE, dir).text, bytes.data, bytes.len);
    disk_write(path_of("%s/" STATE_FILE, dir).text, 0, 0);
    disk_write(memory.text, 0, 0);
    return manifest->memory_size_bytes <= INT64_MAX
        && truncate(memory.text, (off_t)manifest->memory_size_bytes) == 0;
}

static void strings_may_hold_nul(void **state)
{
    struct test *test = *state;
    struct path dir = path_of("%s/nul", test->fixture.root.text);
    auto_manifest struct manifest manifest = {.version = 1};
    auto_said struct said shown = {0};
    auto_said struct said judged = {0};

    assert_true(text_append(&manifest.architecture, "x\0y", 3));
    save_manifest(dir.text, &manifest);
    RUN(&shown, "show", dir.text);
    assert_int_equal(shown.status, 0);
    assert_non_null(strstr(shown.text.data, "\"architecture\":\"x\\u0000y\""));
    RUN(&judged, "validate", "--architecture=x", dir.text);
    assert_int_equal(judged.status, 1);
    assert_non_null(
        strstr(judged.text.data, "architecture 'x\\u0000y' doesn't match expected 'x'"));
}

#define BLOB ((uint64_t)1 << 40)

static void append_varint(struct text *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        must(text_append(out, &(char){(char)(value | 0x80)}, 1), "memory");
    must(text_append(out, &(char){(char)value}, 1), "memory");
}

/* A unit "a" whose blob is the rest of the file: a hole of 1 TiB. */
static void state_of_any_size_is_listed_without_being_read(void **state)
{
    struct path dir = save(*state, "huge");
    struct path file = in(&dir, STATE_FILE);
    auto_text struct text value = {0};
    auto_text struct text unit = {0};
    auto_text struct text whole = {0};
    auto_said struct said said = {0};

    text_appends(&value, "\x12"); /* Any.value */
    append_varint(&value, BLOB);
    text_append(&unit, "\x0a\x01"
                       "a\x12",
                4); /* SavedStateUnit.name and .state */
    append_varint(&unit, value.len + BLOB);
    text_append(&unit, value.data, value.len);
    text_appends(&whole, "\x0a"); /* SavedState.units */
    append_varint(&whole, unit.len + BLOB);
    text_append(&whole, unit.data, unit.len);
    test_write(file.text, whole.data, whole.len);
    must(truncate(file.text, (off_t)(whole.len + BLOB)) == 0, "truncate");
    RUN(&said, "show", dir.text);
    assert_int_equal(said.status, 0);
    assert_non_null(strstr(said.text.data, "\"units\":[{\"name\":\"a\",\"type_url\":\"\","
                                           "\"size_bytes\":1099511627776}]"));
}

static void a_verdict_is_what_the_service_answers(void **state)
{
    static const struct {
        const char *body, *arguments[5];
    } expectations[] = {
        {"{\"vp_count\":2}",                                 {"--vp-count=2"} },
        {"{\"vp_count\":3,\"architecture\":\"aarch64\"}",
         {"--vp-count=3", "--architecture=aarch64"}                           },
        {"{\"memory_size_bytes\":4096,\"page_size\":65536}",
         {"--memory-size=4K", "--page-size=64K"}                              },
        {"{\"state_units\":[\"rtc\",\"pit\",\"rtc\"]}",
         {"--state-unit=rtc", "--state-unit=pit", "--state-unit=rtc"}         },
        {"{\"state_units\":[\"\"]}",                         {"--state-unit="}},
    };
    struct test *test = *state;
    struct program program = {0};
    struct path dir = fixture_snapshot(&test->fixture, "a", "");

    SERVE(test, &program, "127.0.0.1:0", "--no-access-log");
    openvmm_save(dir.text, PAGE, 'm', 2);
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const char *const *more = expectations[i].arguments;
        auto_answer struct answer answer = {0};
        auto_said struct said said = {0};
        test_send(test, "POST", "/snapshots/a/validate", &answer, "%s", expectations[i].body);
        assert_int_equal(answer.status, 200);
        RUN(&said, "validate", dir.text, more[0], more[1], more[2]);
        text_appends(&answer.body, "\n");
        assert_string_equal(text_str(&said.text), text_str(&answer.body));
        assert_int_equal(said.status, json_is_true(answer_at(&answer, "valid")) ? 0 : 1);
    }
    kill(program.pid, SIGTERM);
    assert_int_equal(program_finish(&program), 0);
}

#define VECTORS 270
#define UNTRIED 8 /* of which so many expect what no argument can say */

struct trial {
    struct path dir;
    size_t untried;
};

/* "--memory-size=N" and the like; the architecture holds no NUL. */
static void judge(const struct trial *trial, const struct expectation *expected, struct said *out)
{
    struct path architecture = path_of("--architecture=%s", text_str(&expected->architecture));
    struct path memory = path_of("--memory-size=%ju", (uintmax_t)expected->memory_size_bytes);
    struct path vp_count = path_of("--vp-count=%u", expected->vp_count);
    struct path page_size = path_of("--page-size=%u", expected->page_size);

    RUN(out, "validate", trial->dir.text, architecture.text, memory.text, vp_count.text,
        page_size.text);
}

static bool says(const struct said *said, const json_t *result, bool has_memory)
{
    const char *first = text_at(said->json, "mismatches", 0);
    const char *error = json_string_value(json_object_get(result, "error"));

    if (error)
        return said->status == 1 && first && strcmp(first, error) == 0;
    if (has_memory)
        return said->status == 0 && !first;
    return said->status == 1 && first && strncmp(first, "memory.bin size ", 16) == 0;
}

static bool check_vector(const json_t *vector, void *context)
{
    struct trial *trial = context;
    auto_manifest struct manifest manifest = {0};
    auto_expectation struct expectation expected = {0};
    auto_said struct said said = {0};

    vector_manifest(vector_get(vector, "manifest"), &manifest);
    vector_expectation(vector_get(vector, "expected"), &expected);
    if (memchr(text_str(&expected.architecture), '\0', expected.architecture.len)
        || expected.memory_size_bytes == UINT64_MAX) {
        trial->untried++;
        return true;
    }
    bool has_memory = save_manifest(trial->dir.text, &manifest);
    judge(trial, &expected, &said);
    if (says(&said, vector_get(vector, "result"), has_memory))
        return true;
    fprintf(stderr, "  %d: %s", said.status, text_str(&said.text));
    return false;
}

static void every_manifest_is_judged_as_openvmm_judges_it(void **state)
{
    const struct test *test = *state;
    struct trial trial = {.dir = path_of("%s/vector", test->fixture.root.text)};

    assert_true(vectors_hold(GOLDEN("validate.jsonl"), VECTORS, check_vector, &trial));
    assert_int_equal(trial.untried, UNTRIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PROGRAM(what_is_shown_of_a_stores_snapshot_is_what_the_service_answers),
        WITH_PROGRAM(each_directory_is_a_line_whatever_the_others_are),
        WITH_PROGRAM(commands_end_with_0_for_yes_1_for_no_2_for_neither),
        WITH_PROGRAM(what_may_not_be_read_is_shown_as_such_and_not_judged),
        WITH_PROGRAM(output_that_cannot_be_written_is_told),
        WITH_PROGRAM(paths_may_be_relative_and_lead_through_links),
        WITH_PROGRAM(strings_may_hold_nul),
        WITH_PROGRAM(state_of_any_size_is_listed_without_being_read),
        WITH_PROGRAM(a_verdict_is_what_the_service_answers),
        WITH_PROGRAM(every_manifest_is_judged_as_openvmm_judges_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
