#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "tests/check.h"

#define STAMP "2009-02-13T23:31:30.005Z "

/* Standard error, caught in a pipe. */
struct capture {
    int read_end;
    int stderr_copy;
    char data[1 << 17];
    size_t len;
};

static struct timespec moment(void)
{
    return (struct timespec){1234567890, 5999999};
}

static void begin(struct capture *capture)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    capture->read_end = ends[0];
    capture->stderr_copy = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    clock_replace(moment);
}

static void end(struct capture *capture)
{
    ssize_t len;

    clock_replace(NULL);
    dup2(capture->stderr_copy, STDERR_FILENO);
    close(capture->stderr_copy);
    capture->len = 0;
    while ((len = read(capture->read_end, capture->data + capture->len,
                       sizeof capture->data - 1 - capture->len))
           > 0)
        capture->len += (size_t)len;
    close(capture->read_end);
    assert_int_equal(len, 0);
    capture->data[capture->len] = '\0';
}

/* Logs one event, which must come out as `expected` and nothing else. */
#define CHECK_LINE(format, expected, ...)                  \
    do {                                                   \
        struct capture capture_;                           \
        log_open(format, LOG_INFO);                        \
        begin(&capture_);                                  \
        log_event(LOG_INFO, __VA_ARGS__);                  \
        end(&capture_);                                    \
        assert_string_equal(capture_.data, expected "\n"); \
    } while (0)
#define CHECK_TEXT(expected, ...) CHECK_LINE(LOG_AS_TEXT, STAMP "info  " expected, __VA_ARGS__)

#define JSON_STAMP "{\"time\":\"2009-02-13T23:31:30.005Z\",\"level\":\"info\","
#define CHECK_JSON(expected, ...) \
    CHECK_LINE(LOG_AS_JSON, JSON_STAMP "\"event\":" expected "}", __VA_ARGS__)

static void an_event_is_a_line_of_text(void **state)
{
    (void)state;
    CHECK_TEXT("store opened", "store opened");
    CHECK_TEXT("store opened path=/x snapshots=3 fresh=true", "store opened",
               LOG_TEXT("path", "/x"), LOG_NUMBER("snapshots", 3), LOG_FLAG("fresh", true));
    CHECK_TEXT("x most=18446744073709551615 off=false", "x", LOG_NUMBER("most", UINT64_MAX),
               LOG_FLAG("off", false));
}

static void an_event_is_a_json_object(void **state)
{
    (void)state;
    CHECK_JSON("\"store opened\"", "store opened");
    CHECK_JSON("\"x\",\"path\":\"/x\",\"snapshots\":18446744073709551615,\"fresh\":false", "x",
               LOG_TEXT("path", "/x"), LOG_NUMBER("snapshots", UINT64_MAX),
               LOG_FLAG("fresh", false));
}

static void a_text_that_is_null_is_left_out(void **state)
{
    (void)state;
    CHECK_TEXT("x b=1", "x", LOG_TEXT("a", NULL), LOG_NUMBER("b", 1));
    CHECK_JSON("\"x\",\"b\":1", "x", LOG_TEXT("a", NULL), LOG_NUMBER("b", 1));
}

static void values_that_are_no_word_are_quoted(void **state)
{
    (void)state;
    CHECK_TEXT("x a=\"\"", "x", LOG_TEXT("a", ""));
    CHECK_TEXT("x a=\"b c\"", "x", LOG_TEXT("a", "b c"));
    CHECK_TEXT("x a=\"b=c\"", "x", LOG_TEXT("a", "b=c"));
    CHECK_TEXT("x a=\"\u00e9\"", "x", LOG_TEXT("a", "\u00e9"));
    CHECK_TEXT("x a=http://[::1]:80/?b#c", "x", LOG_TEXT("a", "http://[::1]:80/?b#c"));
}

static void quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    CHECK_TEXT("x a=\"\\\" b=\\\"\\\\\"", "x", LOG_TEXT("a", "\" b=\"\\"));
    CHECK_JSON("\"x\",\"a\":\"\\\",\\\"b\\\":\\\\\"", "x", LOG_TEXT("a", "\",\"b\":\\"));
}

static void nothing_in_a_value_ends_the_line(void **state)
{
    static const char value[] = "a\n\r\t\x1b\x7f\xc2\x85\u2028\u2029z";

    (void)state;
    CHECK_TEXT("x a=\"a\\u000a\\u000d\\u0009\\u001b\\u007f\\u0085\\u2028\\u2029z\"", "x",
               LOG_TEXT("a", value));
    CHECK_JSON("\"x\",\"a\":\"a\\u000a\\u000d\\u0009\\u001b\\u007f\\u0085\\u2028\\u2029z\"", "x",
               LOG_TEXT("a", value));
    CHECK_TEXT("x\\u000ay", "x\ny");
}

static void bytes_that_are_no_utf8_are_made_so(void **state)
{
    (void)state;
    CHECK_TEXT("x a=\"\\xff\\xc3\"", "x", LOG_TEXT("a", "\xff\xc3"));
    CHECK_JSON("\"x\",\"a\":\"\ufffd\ufffd\"", "x", LOG_TEXT("a", "\xff\xc3"));
}

static void only_levels_from_the_least_on_are_written(void **state)
{
    struct capture capture;

    (void)state;
    log_open(LOG_AS_TEXT, LOG_WARN);
    begin(&capture);
    log_event(LOG_DEBUG, "one");
    log_event(LOG_INFO, "two");
    log_event(LOG_WARN, "three");
    log_open(LOG_AS_TEXT, LOG_ERROR);
    log_event(LOG_ERROR, "four");
    log_event(LOG_AUDIT, "five"); /* always */
    end(&capture);
    assert_string_equal(capture.data,
                        STAMP "warn  three\n" STAMP "error four\n" STAMP "audit five\n");
}

static void names_are_in_the_order_of_the_values(void **state)
{
    (void)state;
    assert_string_equal(log_level_names[LOG_DEBUG], "debug");
    assert_string_equal(log_level_names[LOG_ERROR], "error");
    assert_null(log_level_names[LOG_AUDIT]);
    assert_string_equal(log_format_names[LOG_AS_JSON], "json");
    assert_null(log_format_names[LOG_FORMAT__COUNT]);
}

static void log_long_value(struct capture *capture, enum log_format format, const char *piece,
                           size_t count)
{
    char value[3 * LOG_LINE_MAX];
    char *end_of_value = value;

    *end_of_value = '\0';
    for (size_t i = 0; i < count; i++)
        end_of_value = stpcpy(end_of_value, piece);
    log_open(format, LOG_INFO);
    begin(capture);
    log_event(LOG_INFO, "x", LOG_TEXT("a", value), LOG_NUMBER("number", 1234567890),
              LOG_TEXT("text", "bcd"));
    end(capture);
    assert_true(capture->len <= LOG_LINE_MAX);
    assert_ptr_equal(strchr(capture->data, '\n'), capture->data + capture->len - 1);
}

static void check_cut_json(const struct capture *capture)
{
    json_t *line = json_loads(capture->data, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(line, "text"));
    bool is_whole = text && strcmp(text, "bcd") == 0;

    assert_true(json_is_object(line));
    assert_true(json_is_true(json_object_get(line, "truncated")) != is_whole);
    assert_true(!is_whole || json_integer_value(json_object_get(line, "number")) == 1234567890);
    json_decref(line);
}

/* Of every length at which a field may just fit or just not. */
static void a_line_that_is_too_long_is_cut_and_says_so(void **state)
{
    static const char *const pieces[] = {"x", "\u00e9", "\n", " "};
    struct capture capture;

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t count = 600; count < LOG_LINE_MAX + 100; count++) {
            if (count % 64 != 0 && (count < LOG_LINE_MAX - 150 || i > 0) && (count > 720 || i != 2))
                continue;
            log_long_value(&capture, LOG_AS_JSON, pieces[i], count);
            check_cut_json(&capture);
            log_long_value(&capture, LOG_AS_TEXT, pieces[i], count);
            bool is_whole = strstr(capture.data, " text=bcd\n") != NULL;
            assert_true((strstr(capture.data, " ...\n") != NULL) != is_whole);
        }
}

static void logging_keeps_errno(void **state)
{
    struct capture capture;

    (void)state;
    log_open(LOG_AS_TEXT, LOG_INFO);
    begin(&capture);
    int copy = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOSPC;
    log_event(LOG_INFO, "nowhere to go");
    int after = errno;
    dup2(copy, STDERR_FILENO);
    close(copy);
    end(&capture);
    assert_int_equal(after, ENOSPC);
    assert_int_equal(capture.len, 0);
}

#define THREADS 4u
#define LINES   200

static void *log_lines(void *context)
{
    (void)context;
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "from a thread", LOG_TEXT("a", "b c"), LOG_NUMBER("n", 7));
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    static const char line[] = STAMP "info  from a thread a=\"b c\" n=7\n";
    struct capture capture;
    pthread_t threads[THREADS];

    (void)state;
    log_open(LOG_AS_TEXT, LOG_INFO);
    begin(&capture);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end(&capture);
    assert_int_equal(capture.len, (sizeof line - 1) * THREADS * LINES);
    for (size_t at = 0; at < capture.len; at += sizeof line - 1)
        assert_memory_equal(capture.data + at, line, sizeof line - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_line_of_text),
        cmocka_unit_test(an_event_is_a_json_object),
        cmocka_unit_test(a_text_that_is_null_is_left_out),
        cmocka_unit_test(values_that_are_no_word_are_quoted),
        cmocka_unit_test(quotes_and_backslashes_are_escaped),
        cmocka_unit_test(nothing_in_a_value_ends_the_line),
        cmocka_unit_test(bytes_that_are_no_utf8_are_made_so),
        cmocka_unit_test(only_levels_from_the_least_on_are_written),
        cmocka_unit_test(names_are_in_the_order_of_the_values),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_says_so),
        cmocka_unit_test(logging_keeps_errno),
        cmocka_unit_test(lines_of_several_threads_stay_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
