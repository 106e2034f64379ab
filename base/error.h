/* What can go wrong, in one vocabulary.
 *
 * A fallible function returns bool (or NULL), takes a `struct error *` last, and fills
 * it only when it fails. The struct owns no memory: keep it on the stack. */
#pragma once

#include <stdbool.h>

/* code, slug: the slug is public API, `code` in problem documents. */
#define ERROR_CODES(X)                                  \
    X(ERR_NONE, "none")                                 \
    X(ERR_MALFORMED_JSON, "malformed_json")             \
    X(ERR_BAD_REQUEST, "bad_request")                   \
    X(ERR_UNAUTHORIZED, "unauthorized")                 \
    X(ERR_FORBIDDEN, "forbidden")                       \
    X(ERR_NOT_FOUND, "not_found")                       \
    X(ERR_METHOD_NOT_ALLOWED, "method_not_allowed")     \
    X(ERR_NOT_ACCEPTABLE, "not_acceptable")             \
    X(ERR_EXISTS, "already_exists")                     \
    X(ERR_BUSY, "busy")                                 \
    X(ERR_IN_USE, "in_use")                             \
    X(ERR_FOREIGN_FILES, "foreign_files")               \
    X(ERR_HELD, "held")                                 \
    X(ERR_NOT_VALID, "not_valid")                       \
    X(ERR_PRECONDITION, "precondition_failed")          \
    X(ERR_TOO_LARGE, "payload_too_large")               \
    X(ERR_MEDIA_TYPE, "unsupported_media_type")         \
    X(ERR_RANGE, "range_not_satisfiable")               \
    X(ERR_MISDIRECTED, "misdirected_request")           \
    X(ERR_INVALID, "invalid_argument")                  \
    X(ERR_PERMISSION, "permission_denied")              \
    X(ERR_DIFFERENT_FILESYSTEM, "different_filesystem") \
    X(ERR_REFLINK_UNSUPPORTED, "reflink_unsupported")   \
    X(ERR_TOO_MANY_LINKS, "too_many_links")             \
    X(ERR_TOO_MANY_REQUESTS, "too_many_requests")       \
    X(ERR_HEAD_TOO_LARGE, "head_too_large")             \
    X(ERR_DAMAGED, "snapshot_damaged")                  \
    X(ERR_IO, "io_error")                               \
    X(ERR_INTERNAL, "internal")                         \
    X(ERR_NOT_IMPLEMENTED, "not_implemented")           \
    X(ERR_DRAINING, "draining")                         \
    X(ERR_OVERLOADED, "overloaded")                     \
    X(ERR_NO_SPACE, "no_space")

#define ERROR_ENUM(code, slug) code,
enum error_code { ERROR_CODES(ERROR_ENUM) ERR__COUNT };
#undef ERROR_ENUM

struct error {
    enum error_code code;
    int errnum;         /* the errno behind it, or 0 */
    char field[128];    /* the input at fault: a JSON pointer ("/vp_count"), "?limit", or "" */
    char message[1024]; /* one lowercase clause, no full stop; longer ones end in "..." */
};

/* All of them return false, so that `return error_set(...)` reads as one step. The arguments may
 * lie in `err` itself: `error_set(err, err->code, "%s: %s", path, err->message)` adds to it. */
bool error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Names the input at fault in an error that is set. */
bool error_blame(struct error *err, const char *field);

/* ERR_INVALID, naming the input at fault. */
bool error_field(struct error *err, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* From errno: ENOSPC and EDQUOT are ERR_NO_SPACE, ENOMEM is ERR_INTERNAL, the rest ERR_IO. The
 * message gets ": <strerror>" appended. */
bool error_errno(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ERR_INTERNAL, "out of memory". */
bool error_memory(struct error *err);

const char *error_slug(enum error_code code);
