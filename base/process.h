/* What the kernel says of this process. */
#pragma once

#include "base/metrics.h"

/* When it started, as far as it is known: to be called at its start. */
void process_note_start(struct metrics *metrics);

/* The process_ metrics, as they are now. What cannot be found out stays as it was. Reads /proc,
 * which waits for no disk. */
void process_measure(struct metrics *metrics);
