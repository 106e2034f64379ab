/* Looks at everything while the clients wait: what was acknowledged is there, what is there is
 * whole, and nothing else is. */
#pragma once

#include "tests/soak/soak.h"

/* By asking the service; settles what was uncertain, and removes what nobody knows of. */
void check_answers(struct soak *soak);

/* The same, and byte by byte on the disk. */
void check_bytes(struct soak *soak);
