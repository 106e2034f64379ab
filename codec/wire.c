#include "codec/wire.h"

#include <stdio.h>

#include "base/utf8.h"

#define VARINT_BYTES 10
#define TYPE_BITS    3
#define OPAQUE_ENCODER \
    "mesh_protobuf::encoding::MessageEncoding<mesh_protobuf::message::ProtobufMessageEncoding>"

/* The part of the input that is in memory: all of it, or a window that moves forward. */
struct wire_reader {
    const struct wire_input *input;
    const uint8_t *bytes;
    uint64_t offset;
    size_t len;
};

/* What is left of one message. */
struct cursor {
    struct wire_reader *reader;
    uint64_t offset;
    uint64_t end;
};

static bool fail(const struct wire_reader *reader, const char *cause, struct error *err)
{
    return error_set(err, ERR_DAMAGED, "failed to decode %s: decoding failed: %s",
                     reader->input->subject, cause);
}

/* Makes the byte at `offset`, which is inside the input, one of those in memory. */
static bool load(struct wire_reader *reader, uint64_t offset, struct error *err)
{
    const struct wire_input *input = reader->input;

    if (offset - reader->offset < reader->len)
        return true;
    uint64_t left = input->size - offset;
    size_t len = left < input->window_size ? (size_t)left : input->window_size;
    if (!input->read(input->context, offset, input->window, len, err))
        return false;
    reader->bytes = input->window;
    reader->offset = offset;
    reader->len = len;
    return true;
}

static bool read_varint(struct cursor *cursor, uint64_t *out, struct error *err)
{
    struct wire_reader *reader = cursor->reader;
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_BYTES; i++) {
        if (cursor->offset == cursor->end)
            return fail(reader, "eof parsing a varint", err);
        if (!load(reader, cursor->offset, err))
            return false;
        uint8_t byte = reader->bytes[cursor->offset++ - reader->offset];
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return fail(reader, "varint too big", err);
}

static bool step_over(struct cursor *cursor, uint64_t len, const char *cause,
                      struct wire_field *field, struct error *err)
{
    if (len > cursor->end - cursor->offset)
        return fail(cursor->reader, cause, err);
    field->offset = cursor->offset;
    field->len = len;
    cursor->offset += len;
    return true;
}

static bool read_bytes(struct cursor *cursor, struct wire_field *field, struct error *err)
{
    uint64_t len = 0;

    return read_varint(cursor, &len, err)
        && step_over(cursor, len, "eof parsing a byte array", field, err);
}

/* Resources (handles, sent beside a message) are numbered by a range; a file has none. */
static bool read_resource_message(struct cursor *cursor, struct wire_field *field,
                                  struct error *err)
{
    uint64_t resources = 0;
    uint64_t len = 0;

    if (!read_varint(cursor, &resources, err) || !read_varint(cursor, &len, err))
        return false;
    if ((uint32_t)resources != 0)
        return fail(cursor->reader, "invalid resource range", err);
    return step_over(cursor, len, "eof parsing a byte array", field, err);
}

static bool read_body(struct cursor *cursor, unsigned type, struct wire_field *field,
                      struct error *err)
{
    switch (type) {
    case 0:
        field->kind = WIRE_VARINT;
        return read_varint(cursor, &field->value, err);
    case 1:
        field->kind = WIRE_FIXED64;
        return step_over(cursor, 8, "eof parsing a fixed64", field, err);
    case 2:
        field->kind = WIRE_BYTES;
        return read_bytes(cursor, field, err);
    case 5:
        field->kind = WIRE_FIXED32;
        return step_over(cursor, 4, "eof parsing a fixed32", field, err);
    case 6:
        field->kind = WIRE_MESSAGE;
        return read_resource_message(cursor, field, err);
    case 7:
        return fail(cursor->reader, "missing resource", err);
    default:
        return fail(cursor->reader, type == 3 ? "unknown wire type 3" : "unknown wire type 4", err);
    }
}

static bool read_field(struct cursor *cursor, struct wire_field *field, struct error *err)
{
    uint64_t key = 0;

    *field = (struct wire_field){.reader = cursor->reader};
    if (!read_varint(cursor, &key, err))
        return false;
    field->number = (uint32_t)(key >> TYPE_BITS);
    return read_body(cursor, key & ((1 << TYPE_BITS) - 1), field, err);
}

static bool take_fields(struct cursor cursor, wire_field_fn *take, void *into, struct error *err)
{
    struct wire_field field;

    while (cursor.offset < cursor.end)
        if (!read_field(&cursor, &field, err) || !take(into, &field, err))
            return false;
    return true;
}

bool wire_decode(const struct wire_input *input, wire_field_fn *take, void *into,
                 struct error *err)
{
    struct wire_reader reader = {
        .input = input,
        .bytes = input->data,
        .len = input->data ? input->size : 0,
    };

    return take_fields((struct cursor){.reader = &reader, .end = input->size}, take, into, err);
}

static bool expect_kind(const struct wire_field *field, enum wire_kind kind, const char *cause,
                        struct error *err)
{
    return field->kind == kind || fail(field->reader, cause, err);
}

static bool is_message(const struct wire_field *field)
{
    return field->kind == WIRE_BYTES || field->kind == WIRE_MESSAGE;
}

bool wire_uint64(const struct wire_field *field, uint64_t *out, struct error *err)
{
    if (!expect_kind(field, WIRE_VARINT, "expected a varint", err))
        return false;
    *out = field->value;
    return true;
}

bool wire_uint32(const struct wire_field *field, uint32_t *out, struct error *err)
{
    uint64_t value = 0;

    if (!wire_uint64(field, &value, err))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool wire_int64(const struct wire_field *field, int64_t *out, struct error *err)
{
    uint64_t value = 0;

    if (!wire_uint64(field, &value, err))
        return false;
    *out = (int64_t)value;
    return true;
}

bool wire_int32(const struct wire_field *field, int32_t *out, struct error *err)
{
    uint64_t value = 0;

    if (!wire_uint64(field, &value, err))
        return false;
    *out = (int32_t)value;
    return true;
}

bool wire_text_len(const struct wire_field *field, uint64_t *len, struct error *err)
{
    if (!expect_kind(field, WIRE_BYTES, "expected a byte array", err))
        return false;
    *len = field->len;
    return true;
}

static bool copy_body(const struct wire_field *field, struct text *out, struct error *err)
{
    struct wire_reader *reader = field->reader;
    uint64_t offset = field->offset;
    uint64_t left = field->len;

    if (left > 0 && !text_reserve(out, left))
        return error_memory(err);
    while (left > 0) {
        if (!load(reader, offset, err))
            return false;
        size_t skip = (size_t)(offset - reader->offset);
        size_t held = reader->len - skip;
        size_t len = left < held ? (size_t)left : held;
        text_append(out, reader->bytes + skip, len);
        offset += len;
        left -= len;
    }
    return true;
}

/* The words of Rust's std::str::Utf8Error. */
static bool check_utf8(const struct wire_field *field, const struct text *text, struct error *err)
{
    struct utf8_fault fault;
    char cause[128];

    if (utf8_check(text->data, text->len, &fault))
        return true;
    if (fault.len == 0)
        snprintf(cause, sizeof cause,
                 "invalid UTF-8 string: incomplete utf-8 byte sequence from index %zu",
                 fault.index);
    else
        snprintf(cause, sizeof cause,
                 "invalid UTF-8 string: invalid utf-8 sequence of %zu bytes from index %zu",
                 fault.len, fault.index);
    return fail(field->reader, cause, err);
}

bool wire_text(const struct wire_field *field, struct text *out, struct error *err)
{
    auto_text struct text text = {.max = out->max};
    uint64_t len = 0;

    if (!wire_text_len(field, &len, err)
        || !copy_body(field, &text, err)
        || !check_utf8(field, &text, err))
        return false;
    text_clear(out);
    *out = text;
    text = (struct text){0};
    return true;
}

bool wire_message(const struct wire_field *field, wire_field_fn *take, void *into,
                  struct error *err)
{
    struct cursor body = {
        .reader = field->reader,
        .offset = field->offset,
        .end = field->offset + field->len,
    };

    if (!is_message(field))
        return fail(field->reader, "expected a message", err);
    return take_fields(body, take, into, err);
}

bool wire_opaque_len(const struct wire_field *field, uint64_t *len, struct error *err)
{
    /* The one cause that OpenVMM prefixes with the encoder it arose in. */
    if (!is_message(field))
        return error_set(err, ERR_DAMAGED, "failed to decode %s: decoding failed in %s: %s",
                         field->reader->input->subject, OPAQUE_ENCODER, "expected a message");
    *len = field->len;
    return true;
}
