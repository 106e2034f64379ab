/* Clients that vanish, stall and send rubbish. */
#pragma once

#include "tests/soak/caller.h"

/* One of their ways, chosen at random. */
void rude_act(struct caller *caller);

/* Sends a whole write and is gone before the answer. */
void rude_write(struct caller *caller);
