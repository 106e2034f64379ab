#include "token.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api/tokens.h"

/* By which scanners for secrets know what they found. */
#define PREFIX      "vmsnapd_"
#define TOKEN_BYTES 32

static void make_token(char out[sizeof PREFIX + (size_t)2 * TOKEN_BYTES])
{
    unsigned char bytes[TOKEN_BYTES];

    while (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        continue;
    char *at = stpcpy(out, PREFIX);
    for (size_t i = 0; i < sizeof bytes; i++, at += 2)
        snprintf(at, 3, "%02x", bytes[i]);
}

int token_run(int argc, char *const argv[])
{
    char token[sizeof PREFIX + (size_t)2 * TOKEN_BYTES];
    char digest[DIGEST_HEX_SIZE];
    unsigned scopes;
    struct error err;

    if (argc != 3 || !tokens_is_name(argv[1]) || !tokens_parse_scopes(argv[2], &scopes)) {
        fputs("vmsnapd token NAME SCOPES: NAME matches [A-Za-z0-9][A-Za-z0-9._-]{0,63}, SCOPES are "
              "among read, write and export, joined by commas\n",
              stderr);
        return 1;
    }
    make_token(token);
    if (!digest_of(token, strlen(token), digest, &err)) {
        fprintf(stderr, "vmsnapd token: %s\n", err.message);
        return 1;
    }
    printf("%s %s %s\n", argv[1], argv[2], digest);
    fprintf(stderr, "%s\n", token);
    return 0;
}
