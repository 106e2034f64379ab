#include "base/utf8.h"

#include <stdint.h>

/* The first byte says how many there are, and what the second may be (Unicode, table 3-7). */
struct lead {
    uint8_t first, last; /* lead bytes of this kind */
    uint8_t len;
    uint8_t min, max; /* of the second byte */
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf},
    {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf},
    {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *find_lead(uint8_t byte)
{
    for (const struct lead *lead = leads; lead < leads + sizeof leads / sizeof *leads; lead++)
        if (byte >= lead->first && byte <= lead->last)
            return lead;
    return NULL;
}

/* How many bytes of the lead's sequence are there before the text ends or a byte does not fit. */
static size_t count_fitting(const struct lead *lead, const uint8_t *bytes, size_t len)
{
    size_t fitting = 1;

    if (len > 1 && bytes[1] >= lead->min && bytes[1] <= lead->max)
        for (fitting = 2; fitting < lead->len && fitting < len; fitting++)
            if ((bytes[fitting] & 0xc0) != 0x80)
                break;
    return fitting;
}

/* Steps over one sequence; 0 with the fault's length where there is none. */
static size_t step(const uint8_t *bytes, size_t len, size_t *fault_len)
{
    if (bytes[0] < 0x80)
        return 1;
    const struct lead *lead = find_lead(bytes[0]);
    size_t fitting = lead ? count_fitting(lead, bytes, len) : 1;
    if (lead && fitting == lead->len)
        return fitting;
    *fault_len = lead && fitting == len ? 0 : fitting;
    return 0;
}

size_t utf8_sequence(const char *text, size_t len)
{
    size_t fault_len;

    return len > 0 ? step((const uint8_t *)text, len, &fault_len) : 0;
}

bool utf8_is_valid(const char *text, size_t len)
{
    struct utf8_fault fault;

    return utf8_check(text, len, &fault);
}

bool utf8_check(const char *text, size_t len, struct utf8_fault *fault)
{
    for (size_t index = 0; index < len;) {
        size_t fault_len;
        size_t taken = step((const uint8_t *)text + index, len - index, &fault_len);
        if (taken == 0) {
            *fault = (struct utf8_fault){index, fault_len};
            return false;
        }
        index += taken;
    }
    return true;
}
