#include "token.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api/tokens.h"
#include "codec/base64.h"

/* By which scanners for secrets know what they found. */
#define PREFIX "vmsnapd_"

const struct options token_options = {.program = "vmsnapd token", .arguments = "NAME SCOPES"};

static bool make_token(struct text *out, struct error *err)
{
    unsigned char bytes[32];

    while (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        continue;
    return (text_appends(out, PREFIX) && base64url_encode(bytes, sizeof bytes, out))
        || error_memory(err);
}

/* The line first: a token that no file has is good for nothing. */
static bool print(const char *name, const char *scopes, const struct text *token, struct error *err)
{
    char digest[DIGEST_HEX_SIZE];

    if (!digest_of(token->data, token->len, digest, err))
        return false;
    if (printf("%s %s %s\n", name, scopes, digest) < 0 || fflush(stdout) != 0)
        return error_errno(err, "cannot write the token's line");
    fprintf(stderr, "%s\n", token->data);
    return true;
}

int token_run(int argc, char *const argv[])
{
    auto_text struct text token = {0};
    unsigned scopes;
    struct error err;

    if (argc != 3 || !tokens_is_name(argv[1]) || !tokens_parse_scopes(argv[2], &scopes)) {
        fputs("vmsnapd token NAME SCOPES: NAME matches [A-Za-z0-9][A-Za-z0-9._-]{0,63}, SCOPES are "
              "among read, write and export, joined by commas\n",
              stderr);
        return 1;
    }
    if (make_token(&token, &err) && print(argv[1], argv[2], &token, &err))
        return 0;
    fprintf(stderr, "vmsnapd token: %s\n", err.message);
    return 1;
}
