/* The file of bearer tokens: a line each of a name, scopes and a digest, separated by blanks.
 *
 *   # the control plane
 *   control-plane write,export 0123...
 *
 * The digest is the SHA-256 of the token, in hex: who reads the file cannot use it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/router.h"
#include "base/digest.h"

#define TOKEN_NAME_SIZE 65 /* as ids, to 64 bytes, and a NUL */

struct token {
    char name[TOKEN_NAME_SIZE];
    unsigned scopes; /* bits 1u << enum scope */
    unsigned char digest[DIGEST_SIZE];
};

struct tokens {
    struct token *items;
    size_t count;
};

/* `text` is the file; `path` names it in messages. ERR_INVALID says which line is wrong, and
 * why; names and digests are unique. */
bool tokens_parse(const char *text, size_t len, const char *path, struct tokens *out,
                  struct error *err);
void tokens_clear(struct tokens *tokens);
static inline void tokens_clear_p(struct tokens *tokens)
{
    tokens_clear(tokens);
}
#define auto_tokens AUTO(tokens_clear)

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
bool tokens_is_name(const char *name);

/* "read,export" as bits; write includes read. False if it is no such list. */
bool tokens_parse_scopes(const char *list, unsigned *scopes);

/* "read", "write" or "export". */
const char *tokens_scope_name(enum scope scope);
