#include "api/target.h"

#include <string.h>
#include <strings.h>

/* What follows "http://" or "https://"; NULL if the target begins with neither. */
static const char *skip_scheme(const char *target)
{
    if (strncasecmp(target, "http://", 7) == 0)
        return target + 7;
    if (strncasecmp(target, "https://", 8) == 0)
        return target + 8;
    return NULL;
}

bool target_split(const char *target, struct target *out, struct error *err)
{
    const char *authority = skip_scheme(target);
    size_t len = authority ? strcspn(authority, "/?#") : 0;

    if (authority ? len == 0 || memchr(authority, '@', len)
                  : *target != '/' && strcmp(target, "*") != 0)
        return error_set(err, ERR_BAD_REQUEST, "the request target is malformed");
    out->authority = (struct span){authority ? authority : "", len};
    out->path = authority ? authority + len : target;
    return true;
}

const char *target_strip(const char *path, const char *base)
{
    size_t len = strlen(base);

    return strncmp(path, base, len) == 0 && strchr("/?#", path[len]) ? path + len : path;
}
