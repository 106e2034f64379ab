/* Which names are safe in a path, and new ones that sort by time. */
#pragma once

#include <stdbool.h>

#define ID_MAX 128

/* [A-Za-z0-9][A-Za-z0-9._-]{0,127}: never empty, hidden, "." or "..". */
bool id_is_valid(const char *id);

#define ID_NEW_SIZE 27 /* 26 characters and a NUL */

/* A new id: 48 bits of milliseconds and 80 random bits in Crockford's base 32, as ULIDs are, so
 * that ids sort by the time they were made. Safe from any thread. */
void id_new(char out[ID_NEW_SIZE]);
