#include "codec/field_types.h"
#include "tests/check.h"

struct thing {
    bool boolean;
    uint32_t u32;
    uint64_t u64;
    struct text text;
    char *string;
    struct strings strings;
    struct labels labels;
    enum capture capture;
    struct timestamp timestamp;
};

static const struct field rows[] = {
    FIELD(thing, boolean, boolean),
    FIELD(thing, u32, u32),
    FIELD(thing, u64, u64),
    FIELD(thing, text, text),
    FIELD(thing, string, string, .max = 4),
    FIELD(thing, strings, strings, .max = 6),
    FIELD(thing, labels, labels),
    FIELD(thing, capture, capture),
    FIELD(thing, timestamp, timestamp),
};
static const struct fields thing_fields = {FIELDS(rows)};

static void thing_clear(struct thing *thing)
{
    text_clear(&thing->text);
    free(thing->string);
    strings_clear(&thing->strings);
    labels_clear(&thing->labels);
}
#define auto_thing __attribute__((cleanup(thing_clear)))

/* Reads {"name":value}; what is wrong with it goes to `faults`. */
static bool read_member(const char *name, const char *value, struct thing *out,
                        struct faults *faults)
{
    struct error err = {0};
    auto_text struct text json = {0};

    assert_true(text_appendf(&json, "{\"%s\":%s}", name, value));
    return fields_parse(&thing_fields, json.data, json.len, out, faults, &err);
}

static void assert_fault(const char *name, const char *value, const char *pointer,
                         const char *detail)
{
    auto_thing struct thing thing = {0};
    struct faults faults = {0};

    assert_false(read_member(name, value, &thing, &faults));
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, pointer);
    assert_string_equal(faults.items[0].detail, detail);
}

static void assert_read_as(const char *name, const char *value, const char *written)
{
    auto_thing struct thing thing = {0};
    struct faults faults = {0};
    auto_text struct text member = {0};
    auto_text struct text out = {0};

    if (!read_member(name, value, &thing, &faults))
        fail_msg("%s: %s", value, faults.items[0].detail);
    assert_true(text_appendf(&member, "\"%s\":%s", name, written));
    fields_write(&thing_fields, &thing, &out);
    assert_non_null(strstr(text_str(&out), member.data));
}

static void booleans_are_true_or_false(void **state)
{
    (void)state;
    assert_read_as("boolean", "true", "true");
    assert_read_as("boolean", "false", "false");
    assert_fault("boolean", "1", "/boolean", "must be true or false");
    assert_fault("boolean", "\"true\"", "/boolean", "must be true or false");
}

static void integers_have_their_types_range(void **state)
{
    (void)state;
    assert_read_as("u32", "4294967295", "4294967295");
    assert_read_as("u32", "\"4294967295\"", "4294967295");
    assert_fault("u32", "4294967296", "/u32", "must be at most 4294967295");
    assert_fault("u32", "-1", "/u32", "must be at least 0");
    assert_read_as("u64", "18446744073709551615", "\"18446744073709551615\"");
    assert_read_as("u64", "\"18446744073709551615\"", "\"18446744073709551615\"");
    assert_fault("u64", "18446744073709551616", "/u64", "must be at most 18446744073709551615");
    assert_fault("u64", "\"-1\"", "/u64", "must be at least 0");
    assert_fault("u64", "-99999999999999999999", "/u64", "must be at least 0");
}

static void integers_are_nothing_else(void **state)
{
    static const char *const values[] = {"1.0", "1e3", "18446744073709551615.0", "\"-0\"", "\"+1\"",
                                         "\"01\"", "\"\"", "\"1 \"", "true", "[1]", "{}"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_fault("u64", values[i], "/u64", "must be an integer");
}

static void texts_may_hold_nul_and_strings_may_not(void **state)
{
    (void)state;
    assert_read_as("text", "\"a\\u0000b\"", "\"a\\u0000b\"");
    assert_read_as("string", "\"abcd\"", "\"abcd\"");
    assert_fault("string", "\"a\\u0000b\"", "/string", "must not hold U+0000");
    assert_fault("string", "\"\\u00e9\\u00e9a\"", "/string", "must be at most 4 bytes");
    assert_fault("string", "12345678901234567890", "/string", "must be a string");
    assert_fault("text", "12345678901234567890", "/text", "must be a string");
}

static void lists_of_strings_keep_their_order(void **state)
{
    (void)state;
    assert_read_as("strings", "[]", "[]");
    assert_read_as("strings", "[\"b\",\"\",\"a\",\"b\"]", "[\"b\",\"\",\"a\",\"b\"]");
    assert_read_as("strings", "[\"abc\",\"def\"]", "[\"abc\",\"def\"]");
    assert_fault("strings", "[\"abc\",\"defg\"]", "/strings", "must be at most 6 bytes in all");
    assert_fault("strings", "\"abc\"", "/strings", "must be an array of strings");
    assert_fault("strings", "[\"a\",1]", "/strings/1", "must be a string");
    assert_fault("strings", "[\"a\",\"b\",\"\\u0000\"]", "/strings/2", "must not hold U+0000");
}

static void labels_are_sorted(void **state)
{
    (void)state;
    assert_read_as("labels", "{}", "{}");
    assert_read_as("labels", "{\"b\":\"\",\"B\":\"2\",\"a\":\"3\",\"1\":\"4\"}",
                   "{\"1\":\"4\",\"B\":\"2\",\"a\":\"3\",\"b\":\"\"}");
}

#define NAME_FAULT "a label's name must match [A-Za-z0-9][A-Za-z0-9._-]{0,127}"

static void labels_have_names_like_ids_and_short_values(void **state)
{
    auto_text struct text value = {0};

    (void)state;
    assert_fault("labels", "[]", "/labels", "must be an object of strings");
    assert_fault("labels", "{\"\":\"x\"}", "/labels/", NAME_FAULT);
    assert_fault("labels", "{\"a/b\":\"x\"}", "/labels/a~1b", NAME_FAULT);
    assert_fault("labels", "{\"a\\n\":\"x\"}", "/labels/a\n", NAME_FAULT);
    assert_fault("labels", "{\"a\":1}", "/labels/a", "must be a string");
    assert_fault("labels", "{\"a\":\"\\u0000\"}", "/labels/a", "must not hold U+0000");
    assert_true(text_appendf(&value, "{\"a\":\"%0256d\"}", 0));
    assert_read_as("labels", value.data, value.data);
    text_clear(&value);
    assert_true(text_appendf(&value, "{\"a\":\"%0257d\"}", 0));
    assert_fault("labels", value.data, "/labels/a", "must be at most 256 bytes");
}

static void write_many_labels(struct text *out, int count)
{
    text_clear(out);
    for (int i = 0; i < count; i++)
        text_appendf(out, "%c\"k%03d\":\"\"", i ? ',' : '{', i);
    assert_true(text_append(out, "}", 1));
}

static void labels_are_at_most_64(void **state)
{
    auto_text struct text value = {0};

    (void)state;
    write_many_labels(&value, 64);
    assert_read_as("labels", value.data, value.data);
    write_many_labels(&value, 65);
    assert_fault("labels", value.data, "/labels", "must have at most 64 members");
}

static void captures_are_named(void **state)
{
    (void)state;
    assert_read_as("capture", "\"link\"", "\"link\"");
    assert_read_as("capture", "\"isolate\"", "\"isolate\"");
    assert_fault("capture", "\"Link\"", "/capture", "must be link, reflink, copy or isolate");
    assert_fault("capture", "\"\"", "/capture", "must be link, reflink, copy or isolate");
    assert_fault("capture", "\"link\\u0000\"", "/capture", "must not hold U+0000");
    assert_fault("capture", "1", "/capture", "must be a string");
}

static void times_are_written_as_rfc3339_where_it_can_say_them(void **state)
{
    (void)state;
    assert_read_as("timestamp", "\"2009-02-13T23:31:30Z\"", "\"2009-02-13T23:31:30Z\"");
    assert_read_as("timestamp", "\"2009-02-14T00:31:30.5+01:00\"", "\"2009-02-13T23:31:30.500Z\"");
    assert_read_as("timestamp", "{\"seconds\":-62135596800,\"nanos\":0}",
                   "\"0001-01-01T00:00:00Z\"");
    assert_read_as("timestamp", "{\"nanos\":\"999999999\",\"seconds\":253402300799}",
                   "\"9999-12-31T23:59:59.999999999Z\"");
}

static void times_beyond_rfc3339_are_objects(void **state)
{
    (void)state;
    assert_read_as("timestamp", "{\"seconds\":253402300800,\"nanos\":0}",
                   "{\"seconds\":253402300800,\"nanos\":0}");
    assert_read_as("timestamp", "{\"seconds\":-62135596801,\"nanos\":0}",
                   "{\"seconds\":-62135596801,\"nanos\":0}");
    assert_read_as("timestamp", "{\"seconds\":0,\"nanos\":-1}", "{\"seconds\":0,\"nanos\":-1}");
    assert_read_as("timestamp", "{\"seconds\":0,\"nanos\":1000000000}",
                   "{\"seconds\":0,\"nanos\":1000000000}");
    assert_read_as("timestamp", "{\"seconds\":-9223372036854775808,\"nanos\":-2147483648}",
                   "{\"seconds\":\"-9223372036854775808\",\"nanos\":-2147483648}");
    assert_read_as("timestamp", "{\"seconds\":\"9223372036854775807\",\"nanos\":2147483647}",
                   "{\"seconds\":\"9223372036854775807\",\"nanos\":2147483647}");
}

#define TIME_FAULT "must be an RFC 3339 time, or an object of seconds and nanos"

static void other_times_are_refused(void **state)
{
    (void)state;
    assert_fault("timestamp", "\"2009-02-13\"", "/timestamp", TIME_FAULT);
    assert_fault("timestamp", "\"2009-02-13T23:31:30Z\\u0000\"", "/timestamp", TIME_FAULT);
    assert_fault("timestamp", "1234567890", "/timestamp", TIME_FAULT);
    assert_fault("timestamp", "{\"seconds\":1}", "/timestamp/nanos", "is required");
    assert_fault("timestamp", "{\"seconds\":1,\"nanos\":1,\"zone\":1}", "/timestamp/zone",
                 "unknown member");
    assert_fault("timestamp", "{\"seconds\":1,\"nanos\":2147483648}", "/timestamp/nanos",
                 "must be at most 2147483647");
    assert_fault("timestamp", "{\"seconds\":-9223372036854775809,\"nanos\":0}",
                 "/timestamp/seconds", "must be at least -9223372036854775808");
    assert_fault("timestamp", "{\"seconds\":9223372036854775808,\"nanos\":0}", "/timestamp/seconds",
                 "must be at most 9223372036854775807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_are_true_or_false),
        cmocka_unit_test(integers_have_their_types_range),
        cmocka_unit_test(integers_are_nothing_else),
        cmocka_unit_test(texts_may_hold_nul_and_strings_may_not),
        cmocka_unit_test(lists_of_strings_keep_their_order),
        cmocka_unit_test(labels_are_sorted),
        cmocka_unit_test(labels_have_names_like_ids_and_short_values),
        cmocka_unit_test(labels_are_at_most_64),
        cmocka_unit_test(captures_are_named),
        cmocka_unit_test(times_are_written_as_rfc3339_where_it_can_say_them),
        cmocka_unit_test(times_beyond_rfc3339_are_objects),
        cmocka_unit_test(other_times_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
