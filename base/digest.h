/* SHA-256 (the only place of libcrypto). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/own.h"

#define DIGEST_HEX_SIZE 65 /* 64 lower-case digits and a NUL */

struct digest;

/* NULL with ERR_INTERNAL without memory. */
struct digest *digest_new(struct error *err);
bool digest_update(struct digest *digest, const void *data, size_t len, struct error *err);
bool digest_finish(struct digest *digest, char out[DIGEST_HEX_SIZE], struct error *err);
void digest_free(struct digest *digest);
OWN(struct digest, digest_free)
#define auto_digest AUTO(digest_free)

/* Of bytes that are all here. */
bool digest_of(const void *data, size_t len, char out[DIGEST_HEX_SIZE], struct error *err);
