/* Numbers at random, the same for the same seed. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* splitmix64 (Steele, Lea and Flood, 2014): the next number of a sequence that the state stands
 * for. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned random_below(uint64_t *state, unsigned bound)
{
    return (unsigned)(random_next(state) % bound);
}

/* From the environment's SEED, or always the same: a test that fails can be run again. */
static inline uint64_t random_seed(void)
{
    const char *given = getenv("SEED"); /* NOLINT(concurrency-mt-unsafe): before any thread */
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;

    printf("seed %llu\n", (unsigned long long)seed);
    return seed;
}
