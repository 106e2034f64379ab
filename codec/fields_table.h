/* The tables behind codec/fields.h: one row a member, read and written by the same row. For codec/
 * alone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "codec/document.h"
#include "codec/fields.h"

/* A document while it is read. */
struct reading {
    const struct document *document;
    struct faults *faults;
    bool no_memory;
};

/* Where a value stands; becomes a JSON pointer only if the value is at fault. */
struct place {
    struct reading *reading;
    const struct place *parent; /* NULL for the whole document */
    const char *name;           /* of the member; NULL for an item of a list */
    size_t index;               /* of the item */
};

/* Both return false, so that `return place_fault(...)` reads as one step. */
bool place_fault(const struct place *place, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool place_no_memory(const struct place *place);

struct field;

/* How a kind of member is read into the struct and written from it. */
struct field_type {
    /* True if `value` was good and is stored; else a fault was noted, or the lack of memory. */
    bool (*read)(const struct field *field, json_t *value, const struct place *place, void *member);
    void (*write)(struct text *out, const void *member); /* NULL if it is never written */
};

struct field {
    const char *name;
    const struct field_type *type;
    size_t offset; /* of the member in its struct */
    size_t flag;   /* of the bool that says it was given, plus one; 0 if there is none */
    bool required;
    bool replaced; /* not needed, nor to be given, where the table's `instead` is */
    bool nullable; /* null reaches the type, which knows what it stands for */
    int64_t min;   /* integers: the least, if not the type's own */
    uint64_t max;  /* integers: likewise the greatest; strings: most bytes, 0 for any number */

    /* What else is wrong with a value of the type, or NULL. */
    const char *(*check)(const void *member);
};

/* A row: FIELD(creation, vp_count, u32, REQUIRED, .min = 1). */
#define FIELD(object, member, kind, ...) FIELD_AS(#member, object, member, kind, __VA_ARGS__)
#define FIELD_AS(spelling, object, member, kind, ...) \
    {                                                 \
        .name = (spelling), .type = &field_##kind,    \
        .offset = offsetof(struct object, member),    \
        __VA_ARGS__                                   \
    }
#define REQUIRED             .required = true
#define GIVEN(object, given) .flag = offsetof(struct object, given) + 1

struct fields {
    const struct field *items;
    size_t count; /* at most 64 */
    bool open;    /* unknown members are passed over */

    const char *instead; /* the member that stands for all that are replaced; NULL for none */

    /* Notes what is wrong with the members together; NULL if nothing can be. */
    void (*check)(const void *object, const struct place *whole);
};

#define FIELDS(rows) .items = (rows), .count = sizeof(rows) / sizeof *(rows)

/* One object of a document; true if nothing in it was at fault. */
bool fields_read(const struct fields *fields, json_t *value, const struct place *place,
                 void *object);

/* A whole document. ERR_MALFORMED_JSON, ERR_INVALID with `faults`, ERR_INTERNAL; the caller clears
 * the object, which may be half filled after a failure. */
bool fields_parse(const struct fields *fields, const char *json, size_t len, void *object,
                  struct faults *faults, struct error *err);

/* Appends the object: all members, but for those whose flag is false. */
void fields_write(const struct fields *fields, const void *object, struct text *out);

/* The same for one row at a time. */
const void *field_member(const struct field *field, const void *object);
bool field_is_given(const struct field *field, const void *object);
void field_write(const struct field *field, const void *object, struct text *out);
