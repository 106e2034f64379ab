/* manifest.bin ⇄ struct manifest, read exactly as OpenVMM's mesh_protobuf reads it and written
 * byte for byte as it writes it. */
#pragma once

#include "base/error.h"
#include "codec/model.h"

/* Most bytes of a manifest.bin that is read; what a request can make is always smaller. */
#define MANIFEST_MAX ((size_t)2 << 20)

/* Any bytes are judged; zero bytes are a valid manifest of defaults. The caller clears `out`.
 * ERR_DAMAGED with OpenVMM's own text ("failed to decode snapshot manifest: decoding failed: …"),
 * ERR_INTERNAL without memory. */
bool manifest_decode(const void *data, size_t len, struct manifest *out, struct error *err);

/* Appends the encoding to `out`. ERR_INTERNAL without memory. */
bool manifest_encode(const struct manifest *manifest, struct text *out, struct error *err);
