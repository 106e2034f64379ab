#include <stdio.h>

#include "codec/state.h"
#include "tests/check.h"

/* A file of which only the beginning has bytes; the rest, to `size`, reads as zeros. */
struct sparse {
    struct text head;
    uint64_t size;
    uint64_t handed_out;
};

static bool read_sparse(void *context, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    struct sparse *file = context;

    (void)err;
    assert_true(offset <= file->size && len <= file->size - offset);
    memset(buffer, 0, len);
    if (offset < file->head.len) {
        size_t held = file->head.len - (size_t)offset;
        memcpy(buffer, file->head.data + offset, len < held ? len : held);
    }
    file->handed_out += len;
    return true;
}

static void append_varint(struct text *out, uint64_t value)
{
    char byte;

    for (; value >= 0x80; value >>= 7) {
        byte = (char)(value | 0x80);
        assert_true(text_append(out, &byte, 1));
    }
    byte = (char)value;
    assert_true(text_append(out, &byte, 1));
}

static void append_header(struct text *out, char key, uint64_t len)
{
    assert_true(text_append(out, &key, 1));
    append_varint(out, len);
}

static void append_field(struct text *out, char key, const void *body, size_t len)
{
    append_header(out, key, len);
    assert_true(text_append(out, body, len));
}

static bool list(struct sparse *file, struct state_units *out, struct error *err)
{
    if (file->size == 0)
        file->size = file->head.len;
    return state_decode(read_sparse, file, file->size, out, err);
}

static void no_bytes_have_no_units(void **state)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_state_units struct state_units units = {0};

    (void)state;
    assert_succeeds(list(&file, &units, &err));
    assert_int_equal(units.count, 0);
    assert_int_equal(file.handed_out, 0);
}

/* One unit "ram"; its blob is what lies behind the head. */
static void make_huge(struct sparse *file, uint64_t blob)
{
    auto_text struct text value = {0};
    auto_text struct text any = {0};
    auto_text struct text name = {0};

    append_header(&value, '\x12', blob);
    append_header(&any, '\x12', value.len + blob);
    append_field(&name, '\x0a', "ram", 3);
    append_header(&file->head, '\x0a', name.len + any.len + value.len + blob);
    assert_true(text_append(&file->head, name.data, name.len));
    assert_true(text_append(&file->head, any.data, any.len));
    assert_true(text_append(&file->head, value.data, value.len));
    file->size = file->head.len + blob;
}

static void assert_skipped(uint64_t blob)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_state_units struct state_units units = {0};

    make_huge(&file, blob);
    assert_succeeds(list(&file, &units, &err));
    assert_int_equal(units.count, 1);
    assert_string_equal(text_str(&units.items[0].name), "ram");
    assert_int_equal(units.items[0].size_bytes, blob);
    assert_in_range(file.handed_out, 1, (1 << 20) - 1);
    text_clear(&file.head);
}

static void a_huge_blob_is_skipped_not_read(void **state)
{
    (void)state;
    assert_skipped(UINT64_C(1) << 30);
    assert_skipped(UINT64_C(1) << 40);
}

static void append_unit(struct text *out, const char *name, const char *type_url, size_t blob)
{
    auto_text struct text any = {0};
    auto_text struct text unit = {0};
    auto_free void *zeros = calloc(1, blob + 1);

    assert_non_null(zeros);
    append_field(&any, '\x0a', type_url, strlen(type_url));
    append_field(&any, '\x12', zeros, blob);
    append_field(&unit, '\x0a', name, strlen(name));
    append_field(&unit, '\x12', any.data, any.len);
    append_field(out, '\x0a', unit.data, unit.len);
}

static void units_keep_the_order_of_the_file(void **state)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_state_units struct state_units units = {0};
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) { /* all their parts fall on an edge of the window */
        snprintf(name, sizeof name, "unit %u", i);
        append_unit(&file.head, name, "type.googleapis.com/t", i % 300);
    }
    assert_succeeds(list(&file, &units, &err));
    text_clear(&file.head);
    assert_int_equal(units.count, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "unit %u", i);
        assert_string_equal(text_str(&units.items[i].name), name);
        assert_string_equal(text_str(&units.items[i].type_url), "type.googleapis.com/t");
        assert_int_equal(units.items[i].size_bytes, i % 300);
    }
}

static void repeated_blobs_add_up_and_the_last_text_wins(void **state)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_state_units struct state_units units = {0};

    (void)state;
    append_field(&file.head, '\x0a', "\x0a\x01x\x12\x05\x12\x03"
                                     "abc\x0a\x01y\x12\x04\x12\x02"
                                     "de",
                 19);
    assert_succeeds(list(&file, &units, &err));
    text_clear(&file.head);
    assert_int_equal(units.count, 1);
    assert_string_equal(text_str(&units.items[0].name), "y");
    assert_int_equal(units.items[0].size_bytes, 5);
}

static void assert_refused(struct sparse *file, enum error_code code, const char *message)
{
    struct error err = {0};
    struct state_units units = {.cap = 42};

    assert_fails(list(file, &units, &err), code);
    assert_string_equal(err.message, message);
    assert_int_equal(units.cap, 42); /* nothing was written */
    text_clear(&file->head);
}

static void a_name_that_is_replaced_must_be_utf8_too(void **state)
{
    struct sparse file = {0};

    (void)state;
    append_field(&file.head, '\x0a', "\x0a\x01\xff\x0a\x01y", 6);
    assert_refused(&file, ERR_DAMAGED,
                   "failed to decode saved state: decoding failed: "
                   "invalid UTF-8 string: invalid utf-8 sequence of 1 bytes from index 0");
}

static void units_are_listed_up_to_the_cap(void **state)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_state_units struct state_units units = {0};

    (void)state;
    for (size_t i = 0; i < STATE_UNITS_MAX; i++)
        assert_true(text_append(&file.head, "\x0a\x00", 2));
    assert_succeeds(list(&file, &units, &err));
    assert_int_equal(units.count, STATE_UNITS_MAX);
    assert_true(text_append(&file.head, "\x0a\x00", 2));
    file.size = file.head.len;
    assert_refused(&file, ERR_DAMAGED,
                   "failed to decode saved state: it has more than 65536 units");
}

/* One unit with a name of `len` zeros. */
static void make_long_name(struct sparse *file, uint64_t len)
{
    auto_text struct text name = {0};

    append_header(&name, '\x0a', len);
    append_header(&file->head, '\x0a', name.len + len);
    assert_true(text_append(&file->head, name.data, name.len));
    file->size = file->head.len + len;
}

#define TEXTS_TOO_LONG "failed to decode saved state: its names and type URLs exceed 16 MiB"

static void texts_are_held_up_to_the_cap(void **state)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_state_units struct state_units units = {0};

    (void)state;
    make_long_name(&file, STATE_TEXT_BYTES_MAX);
    assert_succeeds(list(&file, &units, &err));
    assert_int_equal(units.items[0].name.len, STATE_TEXT_BYTES_MAX);
    text_clear(&file.head);
    make_long_name(&file, STATE_TEXT_BYTES_MAX + 1);
    assert_refused(&file, ERR_DAMAGED, TEXTS_TOO_LONG);
}

static void a_name_beyond_the_cap_is_not_read(void **state)
{
    struct sparse file = {0};

    (void)state;
    make_long_name(&file, UINT64_C(1) << 40);
    assert_refused(&file, ERR_DAMAGED, TEXTS_TOO_LONG);
    assert_in_range(file.handed_out, 1, 4096);
}

static void texts_of_all_units_count_together(void **state)
{
    struct sparse file = {0};
    auto_free char *name = malloc(10 << 20);

    (void)state;
    assert_non_null(name);
    memset(name, 'n', 10 << 20);
    name[(10 << 20) - 1] = '\0';
    append_unit(&file.head, name, "", 0);
    append_unit(&file.head, "short", name, 0);
    assert_refused(&file, ERR_DAMAGED, TEXTS_TOO_LONG);
}

static void a_replaced_text_no_longer_counts(void **state)
{
    struct error err = {0};
    struct sparse file = {0};
    auto_text struct text unit = {0};
    auto_free char *name = malloc(10 << 20);
    auto_state_units struct state_units units = {0};

    (void)state;
    assert_non_null(name);
    memset(name, 'n', 10 << 20);
    append_field(&unit, '\x0a', name, 10 << 20);
    append_field(&unit, '\x0a', name, 10 << 20);
    append_field(&file.head, '\x0a', unit.data, unit.len);
    assert_succeeds(list(&file, &units, &err));
    assert_int_equal(units.items[0].name.len, 10 << 20);
    text_clear(&file.head);
}

static bool refuse(void *context, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    (void)context;
    (void)offset;
    (void)buffer;
    (void)len;
    return error_set(err, ERR_IO, "the disk is gone");
}

static void a_failed_read_is_the_error(void **state)
{
    struct error err = {0};
    struct state_units units = {0};

    (void)state;
    assert_fails(state_decode(refuse, NULL, 10, &units, &err), ERR_IO);
    assert_string_equal(err.message, "the disk is gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_have_no_units),
        cmocka_unit_test(a_huge_blob_is_skipped_not_read),
        cmocka_unit_test(units_keep_the_order_of_the_file),
        cmocka_unit_test(repeated_blobs_add_up_and_the_last_text_wins),
        cmocka_unit_test(a_name_that_is_replaced_must_be_utf8_too),
        cmocka_unit_test(units_are_listed_up_to_the_cap),
        cmocka_unit_test(texts_are_held_up_to_the_cap),
        cmocka_unit_test(a_name_beyond_the_cap_is_not_read),
        cmocka_unit_test(texts_of_all_units_count_together),
        cmocka_unit_test(a_replaced_text_no_longer_counts),
        cmocka_unit_test(a_failed_read_is_the_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
