/* What the soak's clients do: each thing as often as its weight says. */
#pragma once

#include "tests/soak/caller.h"

/* One thing, chosen at random. */
void mix_act(struct caller *caller);
