/* Now, deadlines and RFC 3339. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Replaces the wall clock for tests; NULL brings the system's back. */
void clock_replace(struct timespec (*now)(void));

struct timespec clock_now(void); /* the wall clock, UTC */
uint64_t clock_unix_ms(void);    /* the same in milliseconds since 1970 */
uint64_t clock_monotonic_ns(void);

/* The years that RFC 3339 can say: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
#define RFC3339_MIN (-62135596800LL)
#define RFC3339_MAX 253402300799LL

#define RFC3339_SIZE 31 /* with nine fractional digits and a NUL */

/* UTC with 0, 3, 6 or 9 fractional digits, as few as are exact. `seconds` within the bounds above,
 * `nanos` within 0 to 999999999. */
void clock_format_rfc3339(int64_t seconds, int32_t nanos, char out[RFC3339_SIZE]);

/* The same with three digits, always: the lines of a log align. */
void clock_format_aligned(struct timespec time, char out[RFC3339_SIZE]);

/* Any RFC 3339 date-time with up to nine fractional digits; an offset is taken into account, a leap
 * second refused. False if it is none, or falls outside the bounds above in UTC. */
bool clock_parse_rfc3339(const char *string, size_t len, int64_t *seconds, int32_t *nanos);
