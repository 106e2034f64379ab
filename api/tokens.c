#include "api/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/own.h"

#define BLANKS " \t\r"

/* By enum scope. */
static const char *const scope_names[] = {"", "read", "write", "export"};
#define SCOPE_COUNT (sizeof scope_names / sizeof *scope_names)

const char *tokens_scope_name(enum scope scope)
{
    return scope_names[scope];
}

static unsigned find_scope(const char *name, size_t len)
{
    for (unsigned i = SCOPE_READ; i < SCOPE_COUNT; i++)
        if (strlen(scope_names[i]) == len && memcmp(scope_names[i], name, len) == 0)
            return 1u << i;
    return 0;
}

bool tokens_parse_scopes(const char *list, unsigned *scopes)
{
    *scopes = 0;
    for (const char *end;; list = end + 1) {
        end = strchrnul(list, ',');
        unsigned scope = find_scope(list, (size_t)(end - list));
        if (scope == 0)
            return false;
        *scopes |= scope;
        if (*end == '\0')
            break;
    }
    if (*scopes & 1u << SCOPE_WRITE)
        *scopes |= 1u << SCOPE_READ;
    return true;
}

bool tokens_is_name(const char *name)
{
    return id_is_valid(name) && strlen(name) < TOKEN_NAME_SIZE;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_digest(const char *hex, unsigned char digest[DIGEST_SIZE])
{
    if (strlen(hex) != (size_t)2 * DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool check_unique(const struct tokens *tokens, const struct token *token, struct error *err)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->items[i].name, token->name) == 0)
            return error_set(err, ERR_INVALID, "there is another token named %s", token->name);
        if (digest_is_same(tokens->items[i].digest, token->digest))
            return error_set(err, ERR_INVALID, "it is the token of %s", tokens->items[i].name);
    }
    return true;
}

static bool add(struct tokens *tokens, const struct token *token, struct error *err)
{
    struct token *items = reallocarray(tokens->items, tokens->count + 1, sizeof *items);

    if (!items)
        return error_memory(err);
    tokens->items = items;
    items[tokens->count++] = *token;
    return true;
}

/* Without its line's comment; the line is cut into words. */
static bool parse_line(char *line, struct tokens *tokens, struct error *err)
{
    struct token token = {0};
    char *rest;
    const char *name = strtok_r(line, BLANKS, &rest);
    const char *scopes = strtok_r(NULL, BLANKS, &rest);
    const char *digest = strtok_r(NULL, BLANKS, &rest);

    if (!name)
        return true; /* nothing on it */
    if (!digest || strtok_r(NULL, BLANKS, &rest))
        return error_set(err, ERR_INVALID,
                         "give a name, scopes and a SHA-256 digest, separated by blanks");
    if (!tokens_is_name(name))
        return error_set(err, ERR_INVALID,
                         "the name must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}");
    if (!tokens_parse_scopes(scopes, &token.scopes))
        return error_set(err, ERR_INVALID,
                         "the scopes must be among read, write and export, joined by commas");
    if (!parse_digest(digest, token.digest))
        return error_set(err, ERR_INVALID, "the digest must be 64 hexadecimal digits");
    snprintf(token.name, sizeof token.name, "%s", name);
    return check_unique(tokens, &token, err) && add(tokens, &token, err);
}

bool tokens_parse(const char *text, size_t len, const char *path, struct tokens *out,
                  struct error *err)
{
    auto_tokens struct tokens tokens = {0};
    const char *end = text + len;

    for (unsigned number = 1; text < end; number++) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        next = next ? next : end;
        auto_free char *line = strndup(text, (size_t)(next - text));
        if (!line)
            return error_memory(err);
        line[strcspn(line, "#")] = '\0';
        if (!parse_line(line, &tokens, err))
            return error_set(err, err->code, "%s:%u: %s", path, number, err->message);
        text = next + 1;
    }
    *out = TAKE_AS(tokens, (struct tokens){0});
    return true;
}

void tokens_clear(struct tokens *tokens)
{
    free(tokens->items);
    *tokens = (struct tokens){0};
}
