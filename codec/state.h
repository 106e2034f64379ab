/* state.bin (OpenVMM's SavedState) → its units, in memory bounded whatever the file's size. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

/* Caps on what one listing may hold in memory. */
#define STATE_UNITS_MAX      65536
#define STATE_TEXT_BYTES_MAX ((size_t)16 << 20) /* names and type URLs together */

/* Reads just `len` bytes at `offset`, all of them inside the size given to state_decode. */
typedef bool state_read_fn(void *context, uint64_t offset, void *buffer, size_t len,
                           struct error *err);

/* Units in the file's order; blobs are skipped, not read. The caller clears `out`. ERR_DAMAGED with
 * OpenVMM's own text ("failed to decode saved state: decoding failed: …") or because a cap above
 * is exceeded; ERR_INTERNAL without memory; whatever `read` gives. */
bool state_decode(state_read_fn *read, void *context, uint64_t size, struct state_units *out,
                  struct error *err);
