#include "codec/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 9

/* Ten thousand years: more leads no further back. */
#define DAY         UINT64_C(86400)
#define MONTHS_MAX  UINT64_C(120000)
#define SECONDS_MAX (3660000 * DAY)

static const struct unit {
    char letter;
    bool is_clock; /* stands behind the T */
    bool is_alone; /* stands beside no other */
    struct duration each;
} units[] = {
    {'Y', false, false, {.months = 12}     },
    {'M', false, false, {.months = 1}      },
    {'W', false, true,  {.seconds = 604800}},
    {'D', false, false, {.seconds = DAY}   },
    {'H', true,  false, {.seconds = 3600}  },
    {'M', true,  false, {.seconds = 60}    },
    {'S', true,  false, {.seconds = 1}     },
};
#define UNIT_COUNT (sizeof units / sizeof units[0])

/* The unit of this letter, of those that may still come. */
static size_t find_unit(char letter, bool is_clock, size_t from)
{
    size_t i = from;

    while (i < UNIT_COUNT && (units[i].letter != letter || units[i].is_clock != is_clock))
        i++;
    return i;
}

static bool complain(const char **why, const char *what)
{
    *why = what;
    return false;
}

static bool take_count(const char **at, uint64_t *out, const char **why)
{
    size_t digits = strspn(*at, "0123456789");

    if (digits == 0)
        return complain(why, "must be an ISO 8601 duration of whole numbers, as P1Y2M10DT2H30M");
    if (digits > DIGITS_MAX)
        return complain(why, "must have at most 9 digits in a row");
    for (*out = 0; digits > 0; digits--, (*at)++)
        *out = *out * 10 + (uint64_t)(**at - '0');
    return true;
}

/* One number and its unit; `next` is the first unit that may follow. */
static bool take_part(const char **at, bool is_clock, size_t *next, struct duration *total,
                      const char **why)
{
    uint64_t count;

    if (!take_count(at, &count, why))
        return false;
    size_t i = find_unit(**at, is_clock, *next);
    if (i == UNIT_COUNT)
        return complain(why, "must name units that there are, in their order: Y M D T H M S, or W");
    if (units[i].is_alone && (*next > 0 || (*at)[1] != '\0'))
        return complain(why, "must have no other unit beside weeks");
    total->months += count * units[i].each.months;
    total->seconds += count * units[i].each.seconds;
    *next = i + 1;
    (*at)++;
    return true;
}

static uint64_t limit(uint64_t value, uint64_t max)
{
    return value < max ? value : max;
}

bool duration_parse(const char *string, struct duration *out, const char **why)
{
    struct duration total = {0};
    size_t next = 0;
    bool is_clock = false;
    const char *at = string + 1;

    if (*string != 'P')
        return complain(why, "must begin with P");
    do {
        if (*at == 'T' && !is_clock) {
            is_clock = true;
            at++;
        }
        if (!take_part(&at, is_clock, &next, &total, why))
            return false;
    } while (*at != '\0');
    out->months = limit(total.months, MONTHS_MAX);
    out->seconds = limit(total.seconds, SECONDS_MAX);
    return true;
}

void duration_format(const struct duration *duration, char out[DURATION_SIZE])
{
    snprintf(out, DURATION_SIZE, "P%" PRIu64 "M%" PRIu64 "DT%" PRIu64 "S", duration->months,
             duration->seconds / DAY, duration->seconds % DAY);
}
