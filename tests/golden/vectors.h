/* The golden vectors: JSON lines made by OpenVMM's own encoder and decoder, read with nothing lost
 * (U+0000 in strings, integers to 2^64-1). What cannot be read ends the program: it is a broken
 * checkout, not a failed test. */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "codec/model.h"

#define GOLDEN(name) SOURCE_DIR "/tests/golden/" name

/* True if the vector holds; where it does not, it has printed what it saw. */
typedef bool vector_fn(const json_t *vector, void *context);

struct vector_counts {
    size_t lines;
    size_t failed;
};

/* Runs over every line of a file and prints the number of each that does not hold. */
struct vector_counts vectors_each(const char *path, vector_fn *check, void *context);

/* True if the file has just so many lines and all of them hold. */
bool vectors_hold(const char *path, size_t lines, vector_fn *check, void *context);

/* Integers beyond jansson's are kept as strings of digits: read all of them by these two. */
uint64_t vector_uint64(const json_t *number);
int64_t vector_int64(const json_t *number);

/* The caller clears what these fill. */
void vector_text(const json_t *string, struct text *out);
void vector_hex(const json_t *digits, struct text *out);
void vector_file(const char *path, struct text *out);

/* From an object with the seven fields; it may have others. */
void vector_manifest(const json_t *object, struct manifest *out);

/* From an object with the four members that a manifest is checked for. */
void vector_expectation(const json_t *object, struct expectation *out);

/* Reads from a struct text: a state_read_fn. */
bool vector_read_text(void *context, uint64_t offset, void *buffer, size_t len, struct error *err);

/* An object's member that must be there. */
const json_t *vector_get(const json_t *object, const char *key);

bool manifests_equal(const struct manifest *a, const struct manifest *b);
