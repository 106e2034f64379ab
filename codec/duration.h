/* Durations as ISO 8601 writes them: "P1Y2M10DT2H30M", "P2W". */
#pragma once

#include "codec/model.h"

/* Whole numbers of at most nine digits, each unit at most once and in its place; weeks stand alone.
 * Days have 24 hours; what is longer than all the years that there are becomes as long as these.
 * False if it is anything else: `*why` says then what is wrong with it. */
bool duration_parse(const char *string, struct duration *out, const char **why);

#define DURATION_SIZE 64

/* One that duration_parse() reads as this one. */
void duration_format(const struct duration *duration, char out[DURATION_SIZE]);
