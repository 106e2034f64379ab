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

#define DIGEST_SIZE 32

/* Digests of short texts, made over and over: what OpenSSL looks up for one is looked up once. Safe
 * from any thread. */
struct digester;

/* NULL with ERR_INTERNAL. */
struct digester *digester_new(struct error *err);
bool digester_run(const struct digester *digester, const void *data, size_t len,
                  unsigned char out[DIGEST_SIZE]);
void digester_free(struct digester *digester);

/* Takes as long wherever they differ. */
bool digest_is_same(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE]);
