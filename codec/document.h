/* JSON text → jansson's tree, with integers of any size kept exact. For codec/ alone: this is the
 * one include of jansson. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/own.h"

struct document {
    json_t *root;     /* owned */
    const char *text; /* borrowed: must outlive the document */
    size_t len;
};

/* Any JSON value; strings may hold U+0000. ERR_MALFORMED_JSON with the place, also for duplicate
 * members and invalid UTF-8; ERR_INVALID for a member name with U+0000, which jansson cannot hold;
 * ERR_INTERNAL without memory. The caller clears `out`. */
bool document_parse(const char *json, size_t len, struct document *out, struct error *err);

void document_clear(struct document *document);
static inline void document_clear_p(struct document *document)
{
    document_clear(document);
}
#define auto_document AUTO(document_clear)

struct integer {
    bool negative;
    bool huge; /* the magnitude does not fit in 64 bits */
    uint64_t magnitude;
};

/* From a number, or a string of its digits: no sign but a minus, no leading zeros, no "-0". False
 * if it is neither; a number with a fraction or an exponent is none, whatever its value. */
bool document_integer(const struct document *document, const json_t *value, struct integer *out);
