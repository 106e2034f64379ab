/* A state file is listed alike wherever the edges of the reading window fall, within its size. */
#include <string.h>

#include "codec/state.h"
#include "tests/fuzz/fuzz.h"

#define WINDOW 4096 /* the reader's: edges are at its multiples as long as no body is skipped */

static bool read_text(void *context, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    const struct text *bytes = context;

    (void)err;
    MUST(len > 0 && offset <= bytes->len && len <= bytes->len - offset);
    memcpy(buffer, bytes->data + offset, len);
    return true;
}

struct listing {
    bool ok;
    struct state_units units;
    struct error err;
};

static struct listing list(struct text *bytes)
{
    struct listing listing = {0};

    listing.ok = state_decode(read_text, bytes, bytes->len, &listing.units, &listing.err);
    MUST(listing.ok || listing.err.code == ERR_DAMAGED);
    MUST(listing.ok || (listing.err.message[0] != '\0' && listing.units.count == 0));
    return listing;
}

/* Zeros before the data are unknown fields, of two bytes each; an odd one makes a longer tag. */
static struct listing list_behind(size_t zeros, const uint8_t *data, size_t size)
{
    auto_text struct text bytes = {0};

    MUST(text_reserve(&bytes, zeros + size));
    memset(bytes.data, 0, zeros);
    bytes.len = zeros;
    if (zeros % 2 == 1)
        bytes.data[0] = '\x80';
    MUST(text_append(&bytes, data, size));
    return list(&bytes);
}

static void must_be_equal(const struct text *a, const struct text *b)
{
    MUST(text_equals(a, b->data, b->len));
}

static void must_agree(const struct listing *a, const struct listing *b)
{
    MUST(a->ok == b->ok);
    MUST(strcmp(a->err.message, b->err.message) == 0);
    MUST(a->units.count == b->units.count);
    for (size_t i = 0; i < a->units.count; i++) {
        must_be_equal(&a->units.items[i].name, &b->units.items[i].name);
        must_be_equal(&a->units.items[i].type_url, &b->units.items[i].type_url);
        MUST(a->units.items[i].size_bytes == b->units.items[i].size_bytes);
    }
}

static void must_fit(const struct state_units *units, size_t size)
{
    uint64_t total = 2 * units->count; /* a tag and a length each, at least */

    for (size_t i = 0; i < units->count; i++)
        total += units->items[i].name.len + units->items[i].type_url.len
            + units->items[i].size_bytes;
    MUST(total <= size);
}

/* Lists it with an edge of the window behind that many of its bytes. */
static void must_split(size_t edge, const uint8_t *data, size_t size, const struct listing *whole)
{
    struct listing split = list_behind(WINDOW - edge, data, size);

    must_agree(whole, &split);
    state_units_clear(&split.units);
}

static size_t add_up(const uint8_t *data, size_t size)
{
    size_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += data[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct listing whole = list_behind(0, data, size);
    size_t edges = size < WINDOW ? size : WINDOW;

    must_fit(&whole.units, size);
    if (edges > 0) {
        must_split(edges / 2, data, size, &whole);
        must_split(add_up(data, size) % edges, data, size, &whole); /* one that the data chooses */
    }
    state_units_clear(&whole.units);
    return 0;
}
