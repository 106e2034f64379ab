/* What every fuzz target has: libFuzzer's entry point, and a check of its properties. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's own name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), in every build. */
#define MUST(property) fuzz_must((property), __FILE__, __LINE__, #property)

static inline void fuzz_must(bool holds, const char *file, int line, const char *property)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, property);
    abort();
}
