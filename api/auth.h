/* Who sends a request, and what they may do: bearer tokens (RFC 6750), and the users of unix
 * sockets. */
#pragma once

#include "api/peer.h"
#include "api/tokens.h"

struct auth;

struct auth_settings {
    const char *token_file;   /* NULL for none; read again by auth_reload() */
    char *const *peer_scopes; /* "USER:SCOPES": what a unix socket's peer may do without a token */
    size_t peer_scope_count;
};

/* Who it is, for logs and limits. */
struct identity {
    char name[TOKEN_NAME_SIZE]; /* of the token, or of a unix socket's user; "" for anyone */
    unsigned scopes;            /* bits 1u << enum scope */
    bool by_token;              /* no web page has one; the others are known by a connection */
};

/* With neither tokens nor peers everyone may do everything. The settings must outlive it. NULL
 * with ERR_INVALID if the file cannot be read or is wrong. */
struct auth *auth_open(const struct auth_settings *settings, struct error *err);
void auth_close(struct auth *auth);
OWN(struct auth, auth_close)
#define auto_auth AUTO(auth_close)

/* Reads the file again; what was valid stays valid if that fails, as auth_open() does. */
bool auth_reload(struct auth *auth, struct error *err);

/* Whether anyone has to say who they are. */
bool auth_is_on(const struct auth *auth);

/* Whether the header, which may be NULL, says that it is a token. */
bool auth_is_token(const char *authorization);

/* `authorization` is the header's value, or NULL. Safe from any thread. ERR_UNAUTHORIZED if it is
 * not known who this is. */
bool auth_identify(struct auth *auth, const struct peer *peer, const char *authorization,
                   struct identity *out, struct error *err);

/* Everyone may do what SCOPE_NONE is for. */
bool auth_allows(const struct identity *identity, enum scope scope);
