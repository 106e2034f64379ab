/* A multipart body, in pieces: it must tell the same as in one piece. */
#include <string.h>

#include "api/multipart.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

static bool note_begin(void *context, const char *name, struct error *err)
{
    (void)err;
    return text_appendf(context, "[%s]", name);
}

static bool note_data(void *context, const void *data, size_t len, struct error *err)
{
    (void)err;
    MUST(len > 0);
    return text_append(context, data, len);
}

static bool note_end(void *context, struct error *err)
{
    (void)err;
    return text_appends(context, "[/]");
}

static const struct multipart_events notes = {note_begin, note_data, note_end};

/* In memory of its own, where reading past the end is seen. */
static bool feed(struct multipart *multipart, const uint8_t *data, size_t len, struct error *err)
{
    uint8_t *piece = malloc(len);

    MUST(piece);
    memcpy(piece, data, len);
    bool ok = multipart_feed(multipart, piece, len, err);
    free(piece);
    return ok;
}

/* Pieces have from 1 to `most` bytes, as the bytes themselves would have it. */
static bool parse(const char *type, const uint8_t *data, size_t len, size_t most, struct text *told)
{
    struct error err = {0};
    auto_multipart struct multipart *multipart = multipart_new(type, &notes, told, &err);

    if (!multipart)
        return false;
    while (len > 0) {
        size_t piece = 1 + *data % most;
        piece = piece < len ? piece : len;
        if (most > len)
            piece = len;
        if (!feed(multipart, data, piece, &err))
            return false;
        data += piece;
        len -= piece;
    }
    return multipart_finish(multipart, &err);
}

/* The first line is the Content-Type, the rest the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);

    if (!end || size == 0)
        return 0;
    size_t type_len = (size_t)(end - data);
    auto_free char *type = strndup((const char *)data, type_len);
    auto_text struct text whole = {0};
    auto_text struct text pieces = {0};
    auto_text struct text bytes = {0};
    MUST(type);
    size_t len = size - type_len - 1;
    bool ok = parse(type, end + 1, len, SIZE_MAX, &whole);
    MUST(parse(type, end + 1, len, 13, &pieces) == ok);
    MUST(parse(type, end + 1, len, 1, &bytes) == ok);
    MUST(text_equals(&whole, pieces.data, pieces.len));
    MUST(text_equals(&whole, bytes.data, bytes.len));
    return 0;
}
