#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Errors are made aside and then copied: the arguments may lie in the one that is replaced. */
__attribute__((format(printf, 2, 0))) static void append(struct error *made, const char *fmt,
                                                         va_list args)
{
    size_t used = strlen(made->message);
    size_t room = sizeof made->message - used;

    if (vsnprintf(made->message + used, room, fmt, args) >= (int)room)
        memcpy(made->message + sizeof made->message - 4, "...", 4);
}

bool error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
    struct error made = {.code = code};
    va_list args;

    va_start(args, fmt);
    append(&made, fmt, args);
    va_end(args);
    *err = made;
    return false;
}

bool error_blame(struct error *err, const char *field)
{
    snprintf(err->field, sizeof err->field, "%s", field);
    return false;
}

bool error_field(struct error *err, const char *field, const char *fmt, ...)
{
    struct error made = {.code = ERR_INVALID};
    va_list args;

    va_start(args, fmt);
    append(&made, fmt, args);
    va_end(args);
    error_blame(&made, field);
    *err = made;
    return false;
}

static enum error_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOMEM:
        return ERR_INTERNAL;
    default:
        return ERR_IO;
    }
}

bool error_errno(struct error *err, const char *fmt, ...)
{
    int errnum = errno;
    const char *reason = strerrordesc_np(errnum);
    struct error made = {.code = code_of_errno(errnum), .errnum = errnum};
    va_list args;

    va_start(args, fmt);
    append(&made, fmt, args);
    va_end(args);
    error_set(err, made.code, "%s: %s", made.message, reason ? reason : "unknown error");
    err->errnum = errnum;
    return false;
}

bool error_memory(struct error *err)
{
    return error_set(err, ERR_INTERNAL, "out of memory");
}

const char *error_slug(enum error_code code)
{
#define ERROR_SLUG(code, slug) slug,
    static const char *const slugs[] = {ERROR_CODES(ERROR_SLUG)};
#undef ERROR_SLUG

    return slugs[code];
}
