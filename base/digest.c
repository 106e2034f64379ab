#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

struct digest {
    EVP_MD_CTX *context;
};

static void to_hex(const unsigned char *bytes, char out[DIGEST_HEX_SIZE])
{
    for (size_t i = 0; i < DIGEST_HEX_SIZE / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool fail(struct error *err)
{
    return error_set(err, ERR_INTERNAL, "cannot compute a SHA-256 digest");
}

struct digest *digest_new(struct error *err)
{
    auto_digest struct digest *digest = calloc(1, sizeof *digest);

    if (!digest || !(digest->context = EVP_MD_CTX_new())) {
        error_memory(err);
        return NULL;
    }
    if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        fail(err);
        return NULL;
    }
    return TAKE(digest);
}

bool digest_update(struct digest *digest, const void *data, size_t len, struct error *err)
{
    return EVP_DigestUpdate(digest->context, data, len) == 1 || fail(err);
}

bool digest_finish(struct digest *digest, char out[DIGEST_HEX_SIZE], struct error *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(digest->context, bytes, NULL) != 1)
        return fail(err);
    to_hex(bytes, out);
    return true;
}

void digest_free(struct digest *digest)
{
    if (digest)
        EVP_MD_CTX_free(digest->context);
    free(digest);
}

bool digest_of(const void *data, size_t len, char out[DIGEST_HEX_SIZE], struct error *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];

    if (EVP_Digest(data, len, bytes, NULL, EVP_sha256(), NULL) != 1)
        return fail(err);
    to_hex(bytes, out);
    return true;
}

struct digester {
    EVP_MD *algorithm;
};

struct digester *digester_new(struct error *err)
{
    struct digester *digester = calloc(1, sizeof *digester);

    if (digester && (digester->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL)))
        return digester;
    free(digester);
    fail(err);
    return NULL;
}

bool digester_run(const struct digester *digester, const void *data, size_t len,
                  unsigned char out[DIGEST_SIZE])
{
    return EVP_Digest(data, len, out, NULL, digester->algorithm, NULL) == 1;
}

void digester_free(struct digester *digester)
{
    if (digester)
        EVP_MD_free(digester->algorithm);
    free(digester);
}

bool digest_is_same(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE])
{
    return CRYPTO_memcmp(a, b, DIGEST_SIZE) == 0;
}
