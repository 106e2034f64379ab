/* struct ⇄ JSON object from a table of fields; every bad member with its pointer. The tables
 * themselves are codec/'s own: fields_table.h. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

#define FAULTS_MAX 32

/* One bad member: `pointer` is a JSON pointer (RFC 6901) into the document ("/labels/a~1b"). */
struct fault {
    char pointer[160];
    char detail[256];
};

/* All that is wrong with a document; the first FAULTS_MAX are kept. */
struct faults {
    struct fault items[FAULTS_MAX]; /* first: what is not used is not touched, mostly all of it */
    size_t count;                   /* found, of which at most FAULTS_MAX are in items */
};

void faults_add(struct faults *faults, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* True if there are none; else false, with ERR_INVALID: a single fault's own detail and pointer, or
 * "N members of the request are not acceptable". */
bool faults_none(const struct faults *faults, struct error *err);
