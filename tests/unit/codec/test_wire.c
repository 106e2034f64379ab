#include <stdio.h>

#include "codec/wire.h"
#include "tests/check.h"

/* Takes fields 1 to 7, each by one of the typed readers. */
struct taken {
    uint64_t u64;
    uint32_t u32;
    int64_t i64;
    int32_t i32;
    struct text text;
    uint64_t opaque_len;
    unsigned count; /* of all fields, unknown ones too */
    struct wire_field last;
};

static bool take(void *into, const struct wire_field *field, struct error *err)
{
    struct taken *taken = into;

    taken->count++;
    taken->last = *field;
    switch (field->number) {
    case 1:
        return wire_uint64(field, &taken->u64, err);
    case 2:
        return wire_uint32(field, &taken->u32, err);
    case 3:
        return wire_int64(field, &taken->i64, err);
    case 4:
        return wire_int32(field, &taken->i32, err);
    case 5:
        return wire_text(field, &taken->text, err);
    case 6:
        return wire_message(field, take, into, err);
    case 7:
        return wire_opaque_len(field, &taken->opaque_len, err);
    default:
        return true;
    }
}

struct bytes {
    const void *data;
    size_t len;
};
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

static bool read_bytes(void *context, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    const struct bytes *bytes = context;

    (void)err;
    assert_true(len > 0 && offset <= bytes->len && len <= bytes->len - offset);
    memcpy(buffer, (const char *)bytes->data + offset, len);
    return true;
}

static bool decode_windowed(struct bytes bytes, size_t window_size, struct taken *taken,
                            struct error *err)
{
    uint8_t window[16];
    const struct wire_input input = {
        .subject = "it",
        .size = bytes.len,
        .read = read_bytes,
        .context = &bytes,
        .window = window,
        .window_size = window_size,
    };

    assert_true(window_size <= sizeof window);
    return wire_decode(&input, take, taken, err);
}

static void assert_same(bool ok, const struct taken *a, const struct error *why, bool other_ok,
                        const struct taken *b, const struct error *other_why)
{
    assert_int_equal(ok, other_ok);
    assert_int_equal(a->count, b->count);
    assert_true(text_equals(&a->text, b->text.data, b->text.len));
    assert_int_equal(a->last.offset, b->last.offset);
    assert_int_equal(a->last.len, b->last.len);
    assert_string_equal(why->message, other_why->message);
}

/* From memory, and through windows of several sizes, which must not matter. */
static bool decode(struct bytes bytes, struct taken *taken, struct error *err)
{
    const struct wire_input input = {.subject = "it", .size = bytes.len, .data = bytes.data};
    bool ok = wire_decode(&input, take, taken, err);

    for (size_t size = 1; size <= 16; size++) {
        struct taken other = {0};
        struct error why = {0};
        bool other_ok = decode_windowed(bytes, size, &other, &why);

        assert_same(ok, taken, err, other_ok, &other, &why);
        text_clear(&other.text);
    }
    return ok;
}

static void assert_cause(struct bytes bytes, const char *cause)
{
    struct error err = {0};
    struct taken taken = {0};
    char expected[256];

    snprintf(expected, sizeof expected, "failed to decode it: decoding failed%s", cause);
    assert_fails(decode(bytes, &taken, &err), ERR_DAMAGED);
    assert_string_equal(err.message, expected);
    text_clear(&taken.text);
}

static void assert_taken(struct bytes bytes, struct taken *taken)
{
    struct error err = {0};

    text_clear(&taken->text);
    *taken = (struct taken){0};
    assert_succeeds(decode(bytes, taken, &err));
}

static void no_bytes_are_a_message_without_fields(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES(""), &taken);
    assert_int_equal(taken.count, 0);
}

static void varints_are_cut_to_their_width(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x20\xfe\xff\xff\xff\x1f"),
                 &taken);
    assert_true(taken.u64 == UINT64_MAX);
    assert_true(taken.u32 == UINT32_MAX);
    assert_true(taken.i64 == -1);
    assert_true(taken.i32 == -2);
}

static void overlong_varints_are_read_to_ten_bytes(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES("\x88\x80\x80\x80\x80\x80\x80\x80\x80\x00"
                       "\x85\x80\x80\x80\x80\x80\x80\x80\x80\x7e"),
                 &taken);
    assert_true(taken.u64 == 5); /* the bits past 64 are dropped */
    assert_cause(BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), ": varint too big");
    assert_cause(BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80"), ": eof parsing a varint");
    assert_cause(BYTES("\x08"), ": eof parsing a varint");
    assert_cause(BYTES("\x88"), ": eof parsing a varint");
}

static void field_numbers_are_cut_to_32_bits(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES("\x88\x80\x80\x80\x80\x01\x07"), &taken); /* 2^32 + 1 */
    assert_true(taken.u64 == 7);
    assert_taken(BYTES("\x88\x80\x80\x80\x10\x07"), &taken); /* 2^29 + 1 */
    assert_int_equal(taken.last.number, (1 << 29) + 1);
    assert_taken(BYTES("\x00\x07"), &taken); /* 0 is merely unknown */
    assert_int_equal(taken.last.number, 0);
}

static void unknown_fields_of_every_wire_type_are_passed_over(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES("\x78\x01"
                       "\x79"
                       "12345678"
                       "\x7a\x02\xff\xff"
                       "\x7d"
                       "1234"
                       "\x7e\x00\x01\xff"
                       "\x08\x09"),
                 &taken);
    assert_int_equal(taken.count, 6);
    assert_true(taken.u64 == 9);
}

static void bodies_end_inside_their_message(void **state)
{
    (void)state;
    assert_cause(BYTES("\x79"
                       "1234567"),
                 ": eof parsing a fixed64");
    assert_cause(BYTES("\x7d"
                       "123"),
                 ": eof parsing a fixed32");
    assert_cause(BYTES("\x7a\x03xx"), ": eof parsing a byte array");
    assert_cause(BYTES("\x7a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                 ": eof parsing a byte array");
    assert_cause(BYTES("\x32\x02\x08\x80\x01"), ": eof parsing a varint");
    assert_cause(BYTES("\x32\x02\x2a\x01x"), ": eof parsing a byte array");
}

static void groups_are_refused_on_unknown_fields_too(void **state)
{
    (void)state;
    assert_cause(BYTES("\x7b"), ": unknown wire type 3");
    assert_cause(BYTES("\x7c"), ": unknown wire type 4");
}

static void messages_cannot_have_resources(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_cause(BYTES("\x7f"), ": missing resource");
    assert_cause(BYTES("\x36\x01\x7f"), ": invalid resource range"); /* before the body's length */
    assert_cause(BYTES("\x36\x01"), ": eof parsing a varint");       /* after both varints */
    assert_cause(BYTES("\x36\x00\x01"), ": eof parsing a byte array");
    assert_taken(BYTES("\x36\x80\x80\x80\x80\x10\x02\x08\x09"), &taken); /* 2^32 of them are none */
    assert_true(taken.u64 == 9);
}

static void a_known_field_must_have_its_type(void **state)
{
    (void)state;
    assert_cause(BYTES("\x0d"
                       "1234"),
                 ": expected a varint");
    assert_cause(BYTES("\x28\x01"), ": expected a byte array");
    assert_cause(BYTES("\x2e\x00\x00"), ": expected a byte array");
    assert_cause(BYTES("\x30\x01"), ": expected a message");
    assert_cause(BYTES("\x38\x01"),
                 " in mesh_protobuf::encoding::MessageEncoding"
                 "<mesh_protobuf::message::ProtobufMessageEncoding>: expected a message");
    assert_cause(BYTES("\x28"), ": eof parsing a varint"); /* the body is read first */
}

static void the_last_string_wins_and_all_are_checked(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES("\x2a\x05"
                       "first"
                       "\x2a\x03"
                       "a\0b"),
                 &taken);
    assert_true(text_equals(&taken.text, "a\0b", 3));
    assert_taken(BYTES("\x2a\x00"), &taken);
    assert_int_equal(taken.text.len, 0);
    text_clear(&taken.text);
    assert_cause(BYTES("\x2a\x02x\xff\x2a\x01y"),
                 ": invalid UTF-8 string: invalid utf-8 sequence of 1 bytes from index 1");
    assert_cause(BYTES("\x2a\x03\xf0\x90\x80"),
                 ": invalid UTF-8 string: incomplete utf-8 byte sequence from index 0");
}

static void a_refused_string_leaves_the_one_before(void **state)
{
    struct error err = {0};
    struct taken taken = {0};

    (void)state;
    assert_fails(decode(BYTES("\x2a\x02ok\x2a\x01\xff"), &taken, &err), ERR_DAMAGED);
    assert_true(text_equals(&taken.text, "ok", 2));
    text_clear(&taken.text);
}

static void bodies_are_known_by_their_offset(void **state)
{
    struct taken taken = {0};

    (void)state;
    assert_taken(BYTES("\x08\x01\x32\x05\x3a\x03xyz"), &taken);
    assert_true(taken.opaque_len == 3);
    assert_int_equal(taken.last.number, 7);
    assert_int_equal(taken.last.offset, 6);
}

static bool refuse_body(void *context, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    const struct bytes *bytes = context;

    if (offset < bytes->len)
        return read_bytes(context, offset, buffer, len, err);
    return error_set(err, ERR_IO, "the body was read");
}

static void only_bodies_that_are_taken_are_read(void **state)
{
    struct bytes skipped = BYTES("\x7a\x05");
    struct bytes wanted = BYTES("\x2a\x05");
    uint8_t window = 0;
    struct wire_input input = {
        .size = 7,
        .read = refuse_body,
        .context = &skipped,
        .window = &window,
        .window_size = 1,
    };
    struct error err = {0};
    struct taken taken = {0};

    (void)state;
    assert_succeeds(wire_decode(&input, take, &taken, &err));
    input.context = &wanted;
    assert_fails(wire_decode(&input, take, &taken, &err), ERR_IO);
    assert_string_equal(err.message, "the body was read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_are_a_message_without_fields),
        cmocka_unit_test(varints_are_cut_to_their_width),
        cmocka_unit_test(overlong_varints_are_read_to_ten_bytes),
        cmocka_unit_test(field_numbers_are_cut_to_32_bits),
        cmocka_unit_test(unknown_fields_of_every_wire_type_are_passed_over),
        cmocka_unit_test(bodies_end_inside_their_message),
        cmocka_unit_test(groups_are_refused_on_unknown_fields_too),
        cmocka_unit_test(messages_cannot_have_resources),
        cmocka_unit_test(a_known_field_must_have_its_type),
        cmocka_unit_test(the_last_string_wins_and_all_are_checked),
        cmocka_unit_test(a_refused_string_leaves_the_one_before),
        cmocka_unit_test(bodies_are_known_by_their_offset),
        cmocka_unit_test(only_bodies_that_are_taken_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
