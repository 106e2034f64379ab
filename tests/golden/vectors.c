#include "tests/golden/vectors.h"

#include <ctype.h>
#include <stdio.h>

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "golden vectors: %s\n", what);
    abort();
}

static void must(bool ok, const char *what)
{
    if (!ok)
        give_up(what);
}

static size_t string_length(const char *at)
{
    size_t len = 1;

    while (at[len] != '"' && at[len] != '\0')
        len += at[len] == '\\' && at[len + 1] != '\0' ? 2 : 1;
    return at[len] == '"' ? len + 1 : len;
}

static size_t number_length(const char *at)
{
    size_t len = 1;

    while (isdigit((unsigned char)at[len]))
        len++;
    return len;
}

/* The length of a string or number, whole; of anything else, one character. */
static size_t token_length(const char *at)
{
    if (*at == '"')
        return string_length(at);
    return *at == '-' || isdigit((unsigned char)*at) ? number_length(at) : 1;
}

#define LONG_NUMBER 19 /* characters: all shorter integers fit jansson's 64 bits with a sign */

static void quote_long_integers(const char *line, struct text *out)
{
    while (*line != '\0') {
        size_t len = token_length(line);
        const char *quote = *line != '"' && len >= LONG_NUMBER ? "\"" : "";

        must(text_appends(out, quote) && text_append(out, line, len) && text_appends(out, quote),
             "out of memory");
        line += len;
    }
}

static json_t *parse_line(const char *line)
{
    auto_text struct text quoted = {0};
    json_error_t why;

    quote_long_integers(line, &quoted);
    json_t *vector = json_loadb(text_str(&quoted), quoted.len,
                                JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
    must(vector, why.text);
    return vector;
}

static bool check_line(const char *line, vector_fn *check, void *context)
{
    json_t *vector = parse_line(line);
    bool holds = check(vector, context);

    json_decref(vector);
    return holds;
}

struct vector_counts vectors_each(const char *path, vector_fn *check, void *context)
{
    struct vector_counts counts = {0};
    auto_free char *line = NULL;
    size_t cap = 0;
    FILE *file = fopen(path, "r");

    must(file, path);
    while (getline(&line, &cap, file) >= 0) {
        counts.lines++;
        if (check_line(line, check, context))
            continue;
        counts.failed++;
        fprintf(stderr, "%s:%zu does not hold\n", path, counts.lines);
    }
    must(feof(file), path);
    fclose(file);
    return counts;
}

bool vectors_hold(const char *path, size_t lines, vector_fn *check, void *context)
{
    struct vector_counts counts = vectors_each(path, check, context);

    if (counts.lines != lines)
        fprintf(stderr, "%s has %zu lines, not %zu\n", path, counts.lines, lines);
    return counts.lines == lines && counts.failed == 0;
}

static const char *digits_of(const json_t *number)
{
    must(json_is_string(number), "not an integer");
    return json_string_value(number);
}

uint64_t vector_uint64(const json_t *number)
{
    char *end = NULL;

    if (json_is_integer(number))
        return (uint64_t)json_integer_value(number);
    errno = 0;
    uint64_t value = strtoull(digits_of(number), &end, 10);
    must(errno == 0 && *end == '\0', "not an unsigned integer");
    return value;
}

int64_t vector_int64(const json_t *number)
{
    char *end = NULL;

    if (json_is_integer(number))
        return json_integer_value(number);
    errno = 0;
    int64_t value = strtoll(digits_of(number), &end, 10);
    must(errno == 0 && *end == '\0', "not an integer");
    return value;
}

void vector_text(const json_t *string, struct text *out)
{
    must(json_is_string(string), "not a string");
    must(text_set(out, json_string_value(string), json_string_length(string)), "out of memory");
}

static int digit_value(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *at = digit != '\0' ? strchr(digits, digit) : NULL;

    must(at, "not a hexadecimal digit");
    return (int)(at - digits);
}

void vector_hex(const json_t *digits, struct text *out)
{
    const char *at = json_string_value(digits);

    must(at && json_string_length(digits) % 2 == 0, "not hexadecimal");
    out->len = 0;
    for (; *at != '\0'; at += 2) {
        char byte = (char)(digit_value(at[0]) << 4 | digit_value(at[1]));
        must(text_append(out, &byte, 1), "out of memory");
    }
}

void vector_file(const char *path, struct text *out)
{
    char buffer[4096];
    size_t len = 0;
    FILE *file = fopen(path, "rb");

    must(file, path);
    out->len = 0;
    while ((len = fread(buffer, 1, sizeof buffer, file)) > 0)
        must(text_append(out, buffer, len), "out of memory");
    must(feof(file), path);
    fclose(file);
}

const json_t *vector_get(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);

    must(member, key);
    return member;
}

static uint32_t get_uint32(const json_t *object, const char *key)
{
    uint64_t value = vector_uint64(vector_get(object, key));

    must(value <= UINT32_MAX, key);
    return (uint32_t)value;
}

void vector_manifest(const json_t *object, struct manifest *out)
{
    const json_t *created_at = vector_get(object, "created_at");

    out->version = get_uint32(object, "version");
    out->created_at.seconds = vector_int64(vector_get(created_at, "seconds"));
    out->created_at.nanos = (int32_t)vector_int64(vector_get(created_at, "nanos"));
    vector_text(vector_get(object, "openvmm_version"), &out->openvmm_version);
    out->memory_size_bytes = vector_uint64(vector_get(object, "memory_size_bytes"));
    out->vp_count = get_uint32(object, "vp_count");
    out->page_size = get_uint32(object, "page_size");
    vector_text(vector_get(object, "architecture"), &out->architecture);
}

static bool texts_equal(const struct text *a, const struct text *b)
{
    return text_equals(a, b->data, b->len);
}

bool manifests_equal(const struct manifest *a, const struct manifest *b)
{
    return a->version == b->version
        && a->created_at.seconds == b->created_at.seconds
        && a->created_at.nanos == b->created_at.nanos
        && texts_equal(&a->openvmm_version, &b->openvmm_version)
        && a->memory_size_bytes == b->memory_size_bytes
        && a->vp_count == b->vp_count
        && a->page_size == b->page_size
        && texts_equal(&a->architecture, &b->architecture);
}

void vector_expectation(const json_t *object, struct expectation *out)
{
    out->has_architecture = out->has_memory_size = out->has_vp_count = out->has_page_size = true;
    vector_text(vector_get(object, "architecture"), &out->architecture);
    out->memory_size_bytes = vector_uint64(vector_get(object, "memory_size_bytes"));
    out->vp_count = (uint32_t)vector_uint64(vector_get(object, "vp_count"));
    out->page_size = (uint32_t)vector_uint64(vector_get(object, "page_size"));
}

bool vector_read_text(void *context, uint64_t offset, void *buffer, size_t len, struct error *err)
{
    const struct text *bytes = context;

    if (offset > bytes->len || len > bytes->len - offset)
        return error_set(err, ERR_INTERNAL, "a read beyond the end of a vector");
    memcpy(buffer, bytes->data + offset, len);
    return true;
}
