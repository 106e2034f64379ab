#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/own.h"
#include "tests/check.h"

enum colour {
    NONE,
    RED,
    GREEN,
    BLUE,
};

struct settings {
    char *store;
    char *tokens;
    struct option_list roots;
    struct option_list origins;
    uint64_t cache;
    uint64_t wait;
    uint64_t threads;
    bool quiet;
    enum colour colour;
};

static const char *const colours[] = {"", "red", "green", "blue", NULL};

#define AT(member) offsetof(struct settings, member)

/* clang-format off */
static const struct option table[] = {
    {"--store",       "DIR",     "/var/lib/t", "keeps things",       OPTION_TEXT,    AT(store)},
    {"--token-file",  "FILE",    NULL,         "who may come in",    OPTION_TEXT,    AT(tokens)},
    {"--memory-root", "DIR",     "/a:/b",      "repeatable",         OPTION_LIST,    AT(roots)},
    {"--origin",      "URL",     NULL,         "repeatable",         OPTION_LIST,    AT(origins),
     .separator = ','},
    {"--cache",       "BYTES",   "64M",        "how much to keep",   OPTION_BYTES,   AT(cache),
     4096, 1ull << 40},
    {"--wait",        "SECONDS", "10",         "how long to wait",   OPTION_SECONDS, AT(wait)},
    {"--threads",     "N",       "4",          "how many at once",   OPTION_COUNT,   AT(threads),
     1, 64},
    {"--quiet",       NULL,      NULL,         "says less",          OPTION_FLAG,    AT(quiet)},
    {"--colour",      "NAME",    "green",      "red, green or blue", OPTION_CHOICE,  AT(colour),
     .names = colours},
};
/* clang-format on */

static const struct options options = {
    "tool",
    "[OPTION]...",
    "Does a thing,\nand well.",
    table,
    sizeof table / sizeof *table,
};

static void clear_p(struct settings *settings)
{
    options_clear(&options, settings);
}
#define auto_settings AUTO(clear)

/* The arguments end in NULL. */
static bool read_args(struct settings *settings, struct error *err, char *const args[])
{
    char *argv[16] = {(char *)"tool"};
    int argc = 1;

    for (; args[argc - 1]; argc++)
        argv[argc] = args[argc - 1];
    return options_read(&options, argc, argv, settings, err);
}
#define READ(...) read_args(&settings, &err, (char *const[]){__VA_ARGS__, NULL})

static void set_variable(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static int unset_variables(void **state)
{
    static const char *const names[] = {"TOOL_STORE", "TOOL_MEMORY_ROOT", "TOOL_ORIGIN",
                                        "TOOL_QUIET", "TOOL_COLOUR", "TOOL_CACHE",
                                        "TOOL_THREADS", "TOOL COUNT_QUIET"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]); /* NOLINT(concurrency-mt-unsafe) */
    return 0;
}

static void check_list(const struct option_list *list, const char *const *expected, size_t count)
{
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list->items[i], expected[i]);
}
#define CHECK_LIST(list, ...)                            \
    check_list(list, (const char *const[]){__VA_ARGS__}, \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void defaults_stand_where_nothing_is_said(void **state)
{
    auto_settings struct settings settings = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(options_read(&options, 0, NULL, &settings, &err));
    assert_string_equal(settings.store, "/var/lib/t");
    assert_null(settings.tokens);
    CHECK_LIST(&settings.roots, "/a", "/b");
    assert_int_equal(settings.origins.count, 0);
    assert_int_equal(settings.cache, 64 << 20);
    assert_int_equal(settings.wait, 10);
    assert_int_equal(settings.threads, 4);
    assert_false(settings.quiet);
    assert_int_equal(settings.colour, GREEN);
}

static void values_follow_a_flag_or_an_equals_sign(void **state)
{
    auto_settings struct settings settings = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(READ("--store", "/s", "--token-file=/t=1", "--cache", "8K", "--wait=0",
                         "--quiet", "--threads", "64", "--colour=blue"));
    assert_string_equal(settings.store, "/s");
    assert_string_equal(settings.tokens, "/t=1");
    assert_int_equal(settings.cache, 8192);
    assert_int_equal(settings.wait, 0);
    assert_int_equal(settings.threads, 64);
    assert_true(settings.quiet);
    assert_int_equal(settings.colour, BLUE);
}

static void a_list_on_the_command_line_replaces_the_default(void **state)
{
    auto_settings struct settings settings = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(READ("--memory-root", "/x", "--memory-root=/y:z", "--origin=https://a:1"));
    CHECK_LIST(&settings.roots, "/x", "/y:z");
    CHECK_LIST(&settings.origins, "https://a:1");
}

static void the_last_of_a_flag_given_twice_counts(void **state)
{
    auto_settings struct settings settings = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(READ("--store=/a", "--store=", "--wait=1", "--wait=2"));
    assert_string_equal(settings.store, "");
    assert_int_equal(settings.wait, 2);
}

static void the_environment_stands_between_defaults_and_the_command_line(void **state)
{
    auto_settings struct settings settings = {0};
    struct error err = {0};

    (void)state;
    set_variable("TOOL_STORE", "/env");
    set_variable("TOOL_MEMORY_ROOT", "/e:/f::");
    set_variable("TOOL_ORIGIN", "https://a:1,http://b");
    set_variable("TOOL_QUIET", "1");
    set_variable("TOOL_COLOUR", "red");
    set_variable("TOOL_CACHE", "");
    set_variable("TOOL_THREADS", "nonsense that the command line hides");
    assert_succeeds(READ("--store=/cmd", "--threads=2"));
    assert_string_equal(settings.store, "/cmd");
    CHECK_LIST(&settings.roots, "/e", "/f");
    CHECK_LIST(&settings.origins, "https://a:1", "http://b");
    assert_true(settings.quiet);
    assert_int_equal(settings.colour, RED);
    assert_int_equal(settings.cache, 64 << 20);
    assert_int_equal(settings.threads, 2);
}

static void a_bad_variable_is_named(void **state)
{
    struct settings settings = {0};
    struct error err = {0};

    (void)state;
    set_variable("TOOL_THREADS", "65");
    assert_fails(READ("--quiet"), ERR_INVALID);
    assert_string_equal(err.message, "TOOL_THREADS must be a number from 1 to 64");
    set_variable("TOOL_THREADS", "1");
    set_variable("TOOL_QUIET", "yes");
    assert_fails(READ("--store=x"), ERR_INVALID);
    assert_string_equal(err.message, "TOOL_QUIET must be 0 or 1");
}

static void check_bytes(const char *argument, uint64_t expected)
{
    auto_settings struct settings settings = {0};
    struct error err = {0};

    assert_succeeds(READ((char *)argument));
    assert_int_equal(settings.cache, expected);
}

static void bytes_take_binary_suffixes(void **state)
{
    (void)state;
    check_bytes("--cache=4096", 4096);
    check_bytes("--cache=4K", 4096);
    check_bytes("--cache=4k", 4096);
    check_bytes("--cache=3M", UINT64_C(3) << 20);
    check_bytes("--cache=2g", UINT64_C(2) << 30);
    check_bytes("--cache=1T", UINT64_C(1) << 40);
}

/* What is refused leaves the settings cleared. */
static void check_refused(const char *argument, const char *message)
{
    static const struct settings cleared;
    struct settings settings = {0};
    struct error err = {0};

    assert_fails(READ("--store=/s", "--memory-root=/r", "--colour=blue", "--quiet",
                      (char *)argument),
                 ERR_INVALID);
    assert_string_equal(err.message, message);
    assert_memory_equal(&settings, &cleared, sizeof settings);
}

static void numbers_outside_their_bounds_are_refused(void **state)
{
#define CACHE "--cache must be a number of bytes, like 65536, 64K or 1G from 4096 to 1099511627776"
    static const char *const bad[] = {
        "--cache=4095",
        "--cache=2T",
        "--cache=",
        "--cache=K",
        "--cache=4KK",
        "--cache=4 K",
        "--cache=4P",
        "--cache=-4K",
        "--cache=4Ki",
        "--cache=99999999999T",
        "--cache=1.5G",
        "--cache=18446744073709551616",
        "--cache=16777216T",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(bad[i], CACHE);
    check_refused("--threads=0", "--threads must be a number from 1 to 64");
    check_refused("--threads=65", "--threads must be a number from 1 to 64");
    check_refused("--threads=4K", "--threads must be a number from 1 to 64");
    check_refused("--wait=1s", "--wait must be a number of seconds");
    check_refused("--wait=99999999999999999999", "--wait must be a number of seconds");
}

static void what_is_wrong_is_said_with_what_to_do(void **state)
{
    (void)state;
    check_refused("--shape", "unknown option --shape: see tool --help");
    check_refused("--shape=round", "unknown option --shape: see tool --help");
    check_refused("--stor=x", "unknown option --stor: see tool --help");
    check_refused("--stores=x", "unknown option --stores: see tool --help");
    check_refused("--", "unknown option --: see tool --help");
    check_refused("file", "unexpected argument file: see tool --help");
    check_refused("-q", "unexpected argument -q: see tool --help");
    check_refused("", "unexpected argument : see tool --help");
    check_refused("--store", "--store needs a value: DIR");
    check_refused("--quiet=1", "--quiet takes no value");
    check_refused("--colour=pink", "--colour must be one of red, green, blue");
    check_refused("--colour=", "--colour must be one of red, green, blue");
}

static void a_flag_is_no_value(void **state)
{
    struct settings settings = {0};
    struct error err = {0};

    (void)state;
    assert_fails(READ("--store", "--quiet"), ERR_INVALID);
    assert_string_equal(err.message, "--store needs a value: DIR");
}

struct command {
    bool quiet;
    struct option_list files;
    uint64_t size;
    bool has_size;
};

#define AT_COMMAND(member) offsetof(struct command, member)

static const struct option command_table[] = {
    {"--quiet", NULL, NULL,        "says less",  OPTION_FLAG,      AT_COMMAND(quiet)},
    { "--size",  "BYTES", NULL, "how large", OPTION_BYTES, AT_COMMAND(size),
     .given = AT_COMMAND(has_size)},
};
static const struct option command_operands = {
    .argument = "FILE", .type = OPTION_LIST, .offset = AT_COMMAND(files)};

static const struct options command_options = {
    .program = "tool count",
    .arguments = "[OPTION]... FILE...",
    .intro = "Counts.",
    .table = command_table,
    .count = sizeof command_table / sizeof *command_table,
    .operands = &command_operands,
    .no_variables = true,
};

static void clear_command_p(struct command *command)
{
    options_clear(&command_options, command);
}
#define auto_command AUTO(clear_command)

/* The arguments end in NULL. */
static bool read_command(struct command *command, struct error *err, char *const *args)
{
    int argc = 0;

    while (args[argc])
        argc++;
    return options_read(&command_options, argc, args, command, err);
}
#define READ_COMMAND(...) \
    read_command(&command, &err, (char *const[]){(char *)"count", __VA_ARGS__, NULL})

static void operands_stand_among_the_flags(void **state)
{
    auto_command struct command command = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(READ_COMMAND("a", "--quiet", "", "-", "--", "--quiet", "-q", "--"));
    CHECK_LIST(&command.files, "a", "", "-", "--quiet", "-q", "--");
    assert_true(command.quiet);
}

static void where_operands_may_stand_a_dash_begins_a_flag(void **state)
{
    struct command command = {0};
    struct error err = {0};

    (void)state;
    assert_fails(READ_COMMAND("a", "-q"), ERR_INVALID);
    assert_string_equal(err.message, "unknown option -q: see tool count --help");
    assert_null(command.files.items);
}

static void a_number_of_zero_differs_from_none(void **state)
{
    auto_command struct command command = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(READ_COMMAND("a"));
    assert_false(command.has_size);
    options_clear(&command_options, &command);
    assert_succeeds(READ_COMMAND("--size", "0"));
    assert_true(command.has_size);
    options_clear(&command_options, &command);
    assert_false(command.has_size);
}

static void a_command_has_no_variables(void **state)
{
    auto_command struct command command = {0};
    struct error err = {0};

    (void)state;
    set_variable("TOOL COUNT_QUIET", "1");
    assert_succeeds(READ_COMMAND("a"));
    assert_false(command.quiet);
}

static void clearing_leaves_nothing(void **state)
{
    static const struct settings cleared;
    struct settings settings = {0};
    struct error err = {0};

    (void)state;
    assert_succeeds(READ("--quiet", "--token-file=x", "--origin=a,b"));
    options_clear(&options, &settings);
    assert_memory_equal(&settings, &cleared, sizeof settings);
    options_clear(&options, &settings);
}

static void help_has_a_line_for_each_option(void **state)
{
    static const char expected[] =
        "Usage: tool [OPTION]...\n"
        "Does a thing,\nand well.\n"
        "\n"
        "  --store DIR        keeps things [/var/lib/t]\n"
        "  --token-file FILE  who may come in\n"
        "  --memory-root DIR  repeatable [/a:/b]\n"
        "  --origin URL       repeatable\n"
        "  --cache BYTES      how much to keep [64M]\n"
        "  --wait SECONDS     how long to wait [10]\n"
        "  --threads N        how many at once [4]\n"
        "  --quiet            says less\n"
        "  --colour NAME      red, green or blue [green]\n";
    auto_free char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    options_print_help(&options, out);
    fclose(out);
    assert_string_equal(text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_where_nothing_is_said),
        cmocka_unit_test(values_follow_a_flag_or_an_equals_sign),
        cmocka_unit_test(a_list_on_the_command_line_replaces_the_default),
        cmocka_unit_test(the_last_of_a_flag_given_twice_counts),
        cmocka_unit_test_teardown(the_environment_stands_between_defaults_and_the_command_line,
                                  unset_variables),
        cmocka_unit_test_teardown(a_bad_variable_is_named, unset_variables),
        cmocka_unit_test(bytes_take_binary_suffixes),
        cmocka_unit_test(numbers_outside_their_bounds_are_refused),
        cmocka_unit_test(what_is_wrong_is_said_with_what_to_do),
        cmocka_unit_test(a_flag_is_no_value),
        cmocka_unit_test(operands_stand_among_the_flags),
        cmocka_unit_test(where_operands_may_stand_a_dash_begins_a_flag),
        cmocka_unit_test(a_number_of_zero_differs_from_none),
        cmocka_unit_test_teardown(a_command_has_no_variables, unset_variables),
        cmocka_unit_test(clearing_leaves_nothing),
        cmocka_unit_test(help_has_a_line_for_each_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
