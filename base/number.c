#include "base/number.h"

bool number_parse(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value)
            || __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            value = UINT64_MAX;
    }
    *out = value;
    return true;
}
