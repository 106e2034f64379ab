/* The JSON of every manifest among OpenVMM's vectors: nothing is lost, and the document is as
 * promised. */
#include <stdio.h>

#include "base/clock.h"
#include "codec/manifest_json.h"
#include "tests/check.h"
#include "tests/golden/vectors.h"

#define ENCODE_LINES 991
#define DECODE_LINES 3600
#define EXACT_MAX    INT64_C(9007199254740991) /* 2^53-1 */

static bool differs(const char *what)
{
    fprintf(stderr, "  %s\n", what);
    return false;
}

static bool comes_back(const struct manifest *manifest, const struct text *json)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_manifest struct manifest again = {0};

    if (!manifest_from_json(json->data, json->len, &again, &faults, &err))
        return differs(err.message);
    return manifests_equal(manifest, &again) || differs("other fields came back");
}

/* A number where every reader is exact, else a string of digits. */
static bool is_exact(const json_t *integer)
{
    bool is_safe = vector_int64(integer) >= -EXACT_MAX && vector_int64(integer) <= EXACT_MAX;

    return is_safe == json_is_integer(integer);
}

static bool is_exact_size(const json_t *size)
{
    return (vector_uint64(size) <= (uint64_t)EXACT_MAX) == json_is_integer(size);
}

static bool has_rfc3339(const struct timestamp *time)
{
    return time->seconds >= RFC3339_MIN && time->seconds <= RFC3339_MAX
        && time->nanos >= 0 && time->nanos <= 999999999;
}

/* "2009-02-13T23:31:30" and 0, 3, 6 or 9 digits, no three of which could be left out. */
static bool is_short_rfc3339(const char *string)
{
    size_t len = strlen(string);
    size_t digits = len > 21 ? len - 21 : 0;

    if (len < 20 || string[len - 1] != 'Z' || digits % 3 != 0 || digits > 9)
        return false;
    return digits == 0 || (string[19] == '.' && memcmp(string + len - 4, "000", 3) != 0);
}

static bool check_time(const struct timestamp *time, const json_t *json)
{
    if (has_rfc3339(time))
        return json_is_string(json) && is_short_rfc3339(json_string_value(json));
    if (!json_is_object(json) || json_object_size(json) != 2)
        return false;
    const json_t *seconds = vector_get(json, "seconds");
    return is_exact(seconds) && vector_int64(seconds) == time->seconds
        && json_integer_value(vector_get(json, "nanos")) == time->nanos;
}

static bool has_members_in_tag_order(json_t *document)
{
    static const char *const names[] = {
        "version", "created_at", "openvmm_version", "memory_size_bytes",
        "vp_count", "page_size", "architecture"};
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach(document, name, value)
    {
        if (count == 7 || strcmp(name, names[count++]) != 0)
            return false;
    }
    return count == 7;
}

static bool holds_text(const json_t *string, const struct text *text)
{
    return json_is_string(string)
        && text_equals(text, json_string_value(string), json_string_length(string));
}

static bool check_members(const struct manifest *manifest, json_t *document)
{
    const json_t *size = vector_get(document, "memory_size_bytes");

    return has_members_in_tag_order(document)
        && json_integer_value(vector_get(document, "version")) == manifest->version
        && check_time(&manifest->created_at, vector_get(document, "created_at"))
        && holds_text(vector_get(document, "openvmm_version"), &manifest->openvmm_version)
        && is_exact_size(size) && vector_uint64(size) == manifest->memory_size_bytes
        && json_integer_value(vector_get(document, "vp_count")) == manifest->vp_count
        && json_integer_value(vector_get(document, "page_size")) == manifest->page_size
        && holds_text(vector_get(document, "architecture"), &manifest->architecture);
}

static bool check_document(const struct manifest *manifest, const struct text *json)
{
    json_error_t why;
    json_t *document = json_loadb(json->data, json->len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                                  &why);

    if (!document)
        return differs(why.text);
    bool good = check_members(manifest, document);
    json_decref(document);
    return good || differs(json->data);
}

static bool check_manifest(const json_t *fields)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};
    auto_text struct text json = {0};

    vector_manifest(fields, &manifest);
    if (!manifest_to_json(&manifest, &json, &err))
        return differs(err.message);
    return check_document(&manifest, &json) && comes_back(&manifest, &json);
}

static bool check_encoded(const json_t *vector, void *context)
{
    (void)context;
    return check_manifest(vector_get(vector, "manifest"));
}

static bool check_decoded(const json_t *vector, void *context)
{
    const json_t *result = vector_get(vector, "result");
    size_t *decoded = context;

    if (!json_is_true(vector_get(result, "ok")))
        return true;
    ++*decoded;
    return check_manifest(result);
}

static void every_manifest_that_openvmm_encodes_is_told_in_json(void **state)
{
    (void)state;
    assert_true(vectors_hold(GOLDEN("manifest_encode.jsonl"), ENCODE_LINES, check_encoded, NULL));
}

static void every_manifest_that_openvmm_decodes_is_told_in_json(void **state)
{
    size_t decoded = 0;

    (void)state;
    assert_true(vectors_hold(GOLDEN("manifest_decode.jsonl"), DECODE_LINES, check_decoded,
                             &decoded));
    assert_int_equal(decoded, 1636);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_manifest_that_openvmm_encodes_is_told_in_json),
        cmocka_unit_test(every_manifest_that_openvmm_decodes_is_told_in_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
