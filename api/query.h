/* The query of a target: a bounded list of names and values, without allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/fields.h"

#define QUERY_PARAMETERS_MAX 32
#define QUERY_BYTES_MAX      4096

struct query {
    size_t count;
    struct {
        uint16_t name, value; /* offsets of NUL-ended strings in bytes */
    } parameters[QUERY_PARAMETERS_MAX];
    size_t used;
    char bytes[QUERY_BYTES_MAX];
};

/* `string` is what follows '?' in the raw target; `names` are those that the route takes, separated
 * by spaces; a '+' behind one says that it may be repeated. Only percent-decoding (RFC 3986): a '+'
 * in the query is a plus, not a space. A name without '=' has the value "". Names that are unknown,
 * or repeated and may not be, and values that are not text go to `faults`, with pointers like
 * "?limit"; whoever reads the last parameter asks faults_none().
 * ERR_BAD_REQUEST for a malformed escape, or for more than the bounds above. */
bool query_parse(const char *string, const char *names, struct query *out, struct faults *faults,
                 struct error *err);

/* Of the parameters, which are in their order; borrowed from the query. */
const char *query_name_at(const struct query *query, size_t index);
const char *query_value_at(const struct query *query, size_t index);

/* NULL if it was not given; else borrowed from the query. */
const char *query_text(const struct query *query, const char *name);

/* 0 or 1; false if it was not given, or is a fault. */
bool query_flag(const struct query *query, const char *name, struct faults *faults);

/* A decimal from min to max; `fallback` if it was not given, or is a fault. */
uint64_t query_number(const struct query *query, const char *name, uint64_t min, uint64_t max,
                      uint64_t fallback, struct faults *faults);
