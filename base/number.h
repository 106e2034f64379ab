/* Decimal numbers in text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits and nothing else. What is too large for the type becomes UINT64_MAX: callers have
 * bounds. */
bool number_parse(const char *text, size_t len, uint64_t *out);
