#include "codec/state.h"

#include "codec/wire.h"

#define WINDOW_SIZE 4096

/* The units so far, the last of which is being filled. */
struct listing {
    struct state_units units;
    size_t text_bytes; /* in their names and type URLs */
};

static struct state_unit *last_unit(struct listing *listing)
{
    return &listing->units.items[listing->units.count - 1];
}

static bool too_much(struct error *err, const char *what)
{
    return error_set(err, ERR_DAMAGED, "failed to decode saved state: %s", what);
}

/* The last of several wins, so its length replaces theirs. */
static bool take_text(struct listing *listing, const struct wire_field *field, struct text *out,
                      struct error *err)
{
    size_t others = listing->text_bytes - out->len;
    uint64_t len = 0;

    if (!wire_text_len(field, &len, err))
        return false;
    if (len > STATE_TEXT_BYTES_MAX - others)
        return too_much(err, "its names and type URLs exceed 16 MiB");
    if (!wire_text(field, out, err))
        return false;
    listing->text_bytes = others + out->len;
    return true;
}

/* OpenVMM appends a repeated blob to the one before. */
static bool take_blob(struct state_unit *unit, const struct wire_field *field, struct error *err)
{
    uint64_t len = 0;

    if (!wire_opaque_len(field, &len, err))
        return false;
    unit->size_bytes += len; /* no overflow: bodies are disjoint parts of the file */
    return true;
}

/* google.protobuf.Any */
static bool take_any(void *into, const struct wire_field *field, struct error *err)
{
    struct listing *listing = into;

    switch (field->number) {
    case 1:
        return take_text(listing, field, &last_unit(listing)->type_url, err);
    case 2:
        return take_blob(last_unit(listing), field, err);
    default:
        return true;
    }
}

/* SavedStateUnit */
static bool take_unit(void *into, const struct wire_field *field, struct error *err)
{
    struct listing *listing = into;

    switch (field->number) {
    case 1:
        return take_text(listing, field, &last_unit(listing)->name, err);
    case 2:
        return wire_message(field, take_any, listing, err);
    default:
        return true;
    }
}

static bool grow(struct state_units *units, struct error *err)
{
    size_t cap = units->cap ? units->cap * 2 : 32;
    struct state_unit *items = reallocarray(units->items, cap, sizeof *items);

    if (!items)
        return error_memory(err);
    units->items = items;
    units->cap = cap;
    return true;
}

static bool add_unit(struct state_units *units, struct error *err)
{
    if (units->count == STATE_UNITS_MAX)
        return too_much(err, "it has more than 65536 units");
    if (units->count == units->cap && !grow(units, err))
        return false;
    units->items[units->count++] = (struct state_unit){0};
    return true;
}

/* SavedState */
static bool take_state(void *into, const struct wire_field *field, struct error *err)
{
    struct listing *listing = into;

    if (field->number != 1)
        return true;
    return add_unit(&listing->units, err)
        && wire_message(field, take_unit, listing, err);
}

bool state_decode(state_read_fn *read, void *context, uint64_t size, struct state_units *out,
                  struct error *err)
{
    uint8_t window[WINDOW_SIZE];
    const struct wire_input input = {
        .subject = "saved state",
        .size = size,
        .read = read,
        .context = context,
        .window = window,
        .window_size = sizeof window,
    };
    struct listing listing = {0};

    if (!wire_decode(&input, take_state, &listing, err)) {
        state_units_clear(&listing.units);
        return false;
    }
    *out = listing.units;
    return true;
}
