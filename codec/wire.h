/* Protobuf's wire format, read with the rules and the error texts of OpenVMM's mesh_protobuf.
 *
 * They differ from other readers': overlong tags and lengths are fine, field numbers are cut to 32
 * bits, wire type 6 is a message with a list of resources (of which a file can hold none), groups
 * are refused everywhere, and strings must be UTF-8. One pass: the first fault in the order of the
 * bytes is the error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct wire_reader;

enum wire_kind {
    WIRE_VARINT,
    WIRE_FIXED64,
    WIRE_BYTES,
    WIRE_FIXED32,
    WIRE_MESSAGE, /* wire type 6; ordinary messages are WIRE_BYTES */
};

/* A field as it stands in its message. Valid only inside the wire_field_fn that got it. */
struct wire_field {
    struct wire_reader *reader;
    uint32_t number;
    enum wire_kind kind;
    uint64_t value;  /* of a varint */
    uint64_t offset; /* of the body, for all but varints, in the whole input */
    uint64_t len;    /* of the body in bytes */
};

/* Takes one field into `into`; a field it does not know is to be passed over. */
typedef bool wire_field_fn(void *into, const struct wire_field *field, struct error *err);

/* Reads just `len` bytes at `offset`, all of them inside the input. */
typedef bool wire_read_fn(void *context, uint64_t offset, void *buffer, size_t len,
                          struct error *err);

/* Bytes in memory; or, where `data` is NULL, what `read` gives: it is then read through the window,
 * in rising order, each byte at most once, and a body that nobody takes is not read at all. */
struct wire_input {
    const char *subject; /* what errors call it */
    uint64_t size;       /* in bytes */
    const void *data;
    wire_read_fn *read;
    void *context;
    void *window;
    size_t window_size; /* at least 1 */
};

/* Hands every field of the outermost message to `take`. Faults are ERR_DAMAGED, "failed to decode
 * <subject>: decoding failed: <cause>"; other errors are those of `take` and `read`. */
bool wire_decode(const struct wire_input *input, wire_field_fn *take, void *into,
                 struct error *err);

/* What a field must be to be taken. All write their output only on success. */
bool wire_uint64(const struct wire_field *field, uint64_t *out, struct error *err);
bool wire_int64(const struct wire_field *field, int64_t *out, struct error *err);

/* The low 32 bits of a varint, whatever it is. */
bool wire_uint32(const struct wire_field *field, uint32_t *out, struct error *err);
bool wire_int32(const struct wire_field *field, int32_t *out, struct error *err);

/* A string: its length, for who must bound it first; and its bytes, which must be UTF-8 and replace
 * what `out` holds. ERR_INTERNAL without memory, and `out` is then as it was. */
bool wire_text_len(const struct wire_field *field, uint64_t *len, struct error *err);
bool wire_text(const struct wire_field *field, struct text *out, struct error *err);

/* A message of known fields. */
bool wire_message(const struct wire_field *field, wire_field_fn *take, void *into,
                  struct error *err);

/* A message of another schema (mesh_protobuf's ProtobufMessage), which is not looked into. */
bool wire_opaque_len(const struct wire_field *field, uint64_t *len, struct error *err);
