#include "base/id.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

bool id_is_valid(const char *id)
{
    size_t len = strspn(id, ALPHANUMERIC "._-");

    return len > 0 && len <= ID_MAX && id[len] == '\0' && strchr("._-", id[0]) == NULL;
}

void id_new(char out[ID_NEW_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t random[16];
    uint64_t milliseconds = clock_unix_ms();

    /* Below 256 bytes getrandom neither fails nor comes short once the kernel is seeded. */
    ssize_t got = getrandom(random, sizeof random, 0);
    assert(got == sizeof random);
    (void)got;
    for (int i = 9; i >= 0; i--) {
        out[i] = digits[milliseconds & 31];
        milliseconds >>= 5;
    }
    for (int i = 0; i < 16; i++)
        out[10 + i] = digits[random[i] & 31];
    out[ID_NEW_SIZE - 1] = '\0';
}
