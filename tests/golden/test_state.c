/* state.bin against OpenVMM's own decoder. */
#include <stdio.h>

#include "codec/state.h"
#include "codec/wire.h"
#include "tests/check.h"
#include "tests/golden/vectors.h"

#define STATE_LINES 88
#define UNITS_MAX   2048

static bool differs(const char *what)
{
    fprintf(stderr, "  %s\n", what);
    return false;
}

/* FNV-1a over the blob of each unit, found by the offsets that the wire reader gives. */
struct hashes {
    const struct text *bytes;
    size_t count;
    uint64_t items[UNITS_MAX];
};

static void hash_body(struct hashes *hashes, const struct wire_field *field)
{
    uint64_t *hash = &hashes->items[hashes->count - 1];

    for (uint64_t i = 0; i < field->len; i++) {
        *hash ^= (uint8_t)hashes->bytes->data[field->offset + i];
        *hash *= UINT64_C(0x100000001b3);
    }
}

static bool hash_any(void *into, const struct wire_field *field, struct error *err)
{
    (void)err;
    if (field->number == 2)
        hash_body(into, field);
    return true;
}

static bool hash_unit(void *into, const struct wire_field *field, struct error *err)
{
    return field->number != 2 || wire_message(field, hash_any, into, err);
}

static bool hash_units(void *into, const struct wire_field *field, struct error *err)
{
    struct hashes *hashes = into;

    if (field->number != 1)
        return true;
    assert_true(hashes->count < UNITS_MAX);
    hashes->items[hashes->count++] = UINT64_C(0xcbf29ce484222325);
    return wire_message(field, hash_unit, hashes, err);
}

static bool unit_equals(const struct state_unit *unit, uint64_t hash, const json_t *expected)
{
    auto_text struct text name = {0};
    auto_text struct text type_url = {0};
    char digits[17];

    vector_text(vector_get(expected, "name"), &name);
    vector_text(vector_get(expected, "type_url"), &type_url);
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)hash);
    if (!text_equals(&unit->name, name.data, name.len)
        || !text_equals(&unit->type_url, type_url.data, type_url.len))
        return differs("a unit has another name or type URL");
    if (unit->size_bytes != vector_uint64(vector_get(expected, "blob_len")))
        return differs("a unit has another size");
    return strcmp(digits, json_string_value(vector_get(expected, "blob_fnv1a64"))) == 0
        || differs("a unit has another blob");
}

static bool units_equal(const struct state_units *units, struct text *bytes,
                        const json_t *expected)
{
    struct error err = {0};
    struct hashes hashes = {.bytes = bytes};
    uint8_t window = 0; /* of one byte, so that everything lies on its edge */
    const struct wire_input input = {
        .subject = "state",
        .size = bytes->len,
        .read = vector_read_text,
        .context = bytes,
        .window = &window,
        .window_size = 1,
    };

    if (units->count != json_array_size(expected))
        return differs("another number of units");
    if (!wire_decode(&input, hash_units, &hashes, &err))
        return differs(err.message);
    assert_int_equal(hashes.count, units->count);
    for (size_t i = 0; i < units->count; i++)
        if (!unit_equals(&units->items[i], hashes.items[i], json_array_get(expected, i)))
            return false;
    return true;
}

static bool check_bytes(struct text *bytes, const json_t *result)
{
    struct error err = {0};
    auto_state_units struct state_units units = {0};

    if (state_decode(vector_read_text, bytes, bytes->len, &units, &err))
        return json_is_true(vector_get(result, "ok"))
            ? units_equal(&units, bytes, vector_get(result, "units"))
            : differs("decoded, though it should not");
    if (json_is_true(vector_get(result, "ok")) || err.code != ERR_DAMAGED)
        return differs(err.message);
    return strcmp(err.message, json_string_value(vector_get(result, "error"))) == 0
        || differs(err.message);
}

/* "x.bin" has a twin "x.json" that says the same as its line in the index. */
static bool twin_equals(const char *file, const json_t *vector)
{
    char path[4096];

    snprintf(path, sizeof path, GOLDEN("state/%.*s.json"), (int)strcspn(file, "."), file);
    json_t *twin = json_load_file(path, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    bool equal = json_equal(twin, vector);
    json_decref(twin);
    return equal || differs("its .json says otherwise");
}

static bool check_file(const json_t *vector, void *context)
{
    const char *file = json_string_value(vector_get(vector, "file"));
    auto_text struct text bytes = {0};
    const json_t *result = vector_get(vector, "result");
    char path[4096];
    size_t *decoded = context;

    snprintf(path, sizeof path, GOLDEN("state/%s"), file);
    vector_file(path, &bytes);
    assert_int_equal(bytes.len, vector_uint64(vector_get(vector, "size")));
    *decoded += json_is_true(vector_get(result, "ok"));
    return check_bytes(&bytes, result) && twin_equals(file, vector);
}

static void every_state_file_is_listed_as_openvmm_reads_it(void **state)
{
    size_t decoded = 0;

    (void)state;
    assert_true(vectors_hold(GOLDEN("state/index.jsonl"), STATE_LINES, check_file, &decoded));
    assert_int_equal(decoded, 43);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_file_is_listed_as_openvmm_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
