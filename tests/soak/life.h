/* The program under soak, from a start to its end. Start and end it while no client is at work, or
 * tell them by life_begin_end(). */
#pragma once

#include "tests/soak/soak.h"

void life_start(struct soak *soak);

/* From here on clients may get no answer; sends the signal. */
void life_begin_end(struct soak *soak, int signal);

/* Waits for the end. SIGTERM must have come to exit status 0, SIGKILL to its death. */
void life_finish_end(struct soak *soak, int signal);

/* Waits until it holds no descriptor but those of its start: so every request is over, and every
 * connection closed. */
void life_wait_until_quiet(struct soak *soak);

long life_resident_kib(const struct soak *soak);

/* Prints what it said last. */
void life_print_tail(struct life *life);
