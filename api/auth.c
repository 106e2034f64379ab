#include "api/auth.h"

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "service/file.h"

#define FILE_MAX ((size_t)1 << 20)

/* A longer one is not ours. */
#define TOKEN_MAX 256

#define EVERYTHING (1u << SCOPE_READ | 1u << SCOPE_WRITE | 1u << SCOPE_EXPORT)

struct peer_scope {
    uid_t uid;
    unsigned scopes;
};

struct auth {
    const struct auth_settings *settings;
    struct digester *digester; /* NULL without a token file */
    struct peer_scope *peers;
    pthread_rwlock_t lock; /* of the tokens */
    struct tokens tokens;
};

static bool find_user(const char *name, uid_t *uid)
{
    struct passwd entry;
    struct passwd *found;
    uint64_t number;
    char room[4096];

    if (getpwnam_r(name, &entry, room, sizeof room, &found) == 0 && found) {
        *uid = entry.pw_uid;
        return true;
    }
    if (!number_parse(name, strlen(name), &number) || number >= (uid_t)-1)
        return false;
    *uid = (uid_t)number;
    return true;
}

static bool parse_peer(const char *text, struct peer_scope *out, struct error *err)
{
    auto_free char *user = strdup(text);

    if (!user)
        return error_memory(err);
    char *colon = strrchr(user, ':');
    if (!colon || !tokens_parse_scopes(colon + 1, &out->scopes))
        return error_set(err, ERR_INVALID,
                         "--peer-scope %s: give USER:SCOPES, with scopes among read, write and "
                         "export, joined by commas",
                         text);
    *colon = '\0';
    if (!find_user(user, &out->uid))
        return error_set(err, ERR_INVALID, "--peer-scope %s: there is no such user", text);
    return true;
}

/* Which of two lists would count? */
static bool check_unique(const struct auth *auth, size_t last, struct error *err)
{
    for (size_t i = 0; i < last; i++)
        if (auth->peers[i].uid == auth->peers[last].uid)
            return error_set(err, ERR_INVALID,
                             "--peer-scope %s: that user has scopes already, by %s",
                             auth->settings->peer_scopes[last], auth->settings->peer_scopes[i]);
    return true;
}

static bool read_peers(struct auth *auth, struct error *err)
{
    const struct auth_settings *settings = auth->settings;

    auth->peers = calloc(settings->peer_scope_count + 1, sizeof *auth->peers);
    if (!auth->peers)
        return error_memory(err);
    for (size_t i = 0; i < settings->peer_scope_count; i++)
        if (!parse_peer(settings->peer_scopes[i], &auth->peers[i], err)
            || !check_unique(auth, i, err))
            return false;
    return true;
}

/* Whoever may write it may give themselves every scope. Reading it helps nobody. */
static bool check_mode(int fd, const char *path, struct error *err)
{
    struct stat stat;

    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || !(stat.st_mode & S_IWOTH))
        return true;
    return error_set(err, ERR_INVALID,
                     "--token-file %s: every user may write it; take that away with chmod o-w",
                     path);
}

static bool read_tokens(const char *path, struct tokens *out, struct error *err)
{
    auto_text struct text text = {0};
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        error_errno(err, "--token-file %s", path);
        err->code = ERR_INVALID;
        return false;
    }
    return check_mode(fd, path, err) && file_read_rest(fd, path, FILE_MAX, &text, err)
        && tokens_parse(text_str(&text), text.len, path, out, err);
}

bool auth_reload(struct auth *auth, struct error *err)
{
    const char *path = auth->settings->token_file;
    auto_tokens struct tokens tokens = {0};

    if (!path)
        return true;
    if (!read_tokens(path, &tokens, err))
        return false;
    pthread_rwlock_wrlock(&auth->lock);
    struct tokens old = auth->tokens;
    auth->tokens = TAKE_AS(tokens, (struct tokens){0});
    pthread_rwlock_unlock(&auth->lock);
    tokens_clear(&old);
    return true;
}

struct auth *auth_open(const struct auth_settings *settings, struct error *err)
{
    struct auth *auth = calloc(1, sizeof *auth);

    if (!auth) {
        error_memory(err);
        return NULL;
    }
    auth->settings = settings;
    pthread_rwlock_init(&auth->lock, NULL);
    /* Where no token is compared, OpenSSL need not be set up: that takes 2 MB. */
    if (settings->token_file)
        auth->digester = digester_new(err);
    if ((auth->digester || !settings->token_file) && read_peers(auth, err)
        && auth_reload(auth, err))
        return auth;
    auth_close(auth);
    return NULL;
}

void auth_close(struct auth *auth)
{
    if (!auth)
        return;
    tokens_clear(&auth->tokens);
    pthread_rwlock_destroy(&auth->lock);
    free(auth->peers);
    digester_free(auth->digester);
    free(auth);
}

bool auth_is_on(const struct auth *auth)
{
    return auth->settings->token_file || auth->settings->peer_scope_count > 0;
}

/* What follows "Bearer "; NULL if that is not what the header says. */
static const char *bearer_token(const char *authorization)
{
    static const char scheme[] = "Bearer ";

    if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    return authorization + strspn(authorization + sizeof scheme - 1, " ") + sizeof scheme - 1;
}

/* All of them are compared, whichever it is. */
static bool find_token(const struct tokens *tokens, const unsigned char digest[DIGEST_SIZE],
                       struct identity *out)
{
    size_t found = tokens->count;

    for (size_t i = 0; i < tokens->count; i++)
        found = digest_is_same(tokens->items[i].digest, digest) ? i : found;
    if (found == tokens->count)
        return false;
    memcpy(out->name, tokens->items[found].name, sizeof out->name);
    out->scopes = tokens->items[found].scopes;
    out->by_token = true;
    return true;
}

bool auth_is_token(const char *authorization)
{
    return authorization && bearer_token(authorization);
}

static bool identify_token(struct auth *auth, const char *authorization, struct identity *out)
{
    const char *token = bearer_token(authorization);
    unsigned char digest[DIGEST_SIZE];
    size_t len = token ? strnlen(token, TOKEN_MAX + 1) : 0;

    if (!token || !auth->digester || len > TOKEN_MAX
        || !digester_run(auth->digester, token, len, digest))
        return false;
    pthread_rwlock_rdlock(&auth->lock);
    bool found = find_token(&auth->tokens, digest, out);
    pthread_rwlock_unlock(&auth->lock);
    return found;
}

static bool identify_peer(const struct auth *auth, const struct peer *peer, struct identity *out)
{
    for (size_t i = 0; peer->is_unix && i < auth->settings->peer_scope_count; i++) {
        if (auth->peers[i].uid != peer->uid)
            continue;
        peer_name(peer, out->name, sizeof out->name);
        out->scopes = auth->peers[i].scopes;
        return true;
    }
    return false;
}

bool auth_identify(struct auth *auth, const struct peer *peer, const char *authorization,
                   struct identity *out, struct error *err)
{
    if (!auth_is_on(auth)) {
        *out = (struct identity){.scopes = EVERYTHING};
        return true;
    }
    if (authorization ? identify_token(auth, authorization, out) : identify_peer(auth, peer, out))
        return true;
    return error_set(err, ERR_UNAUTHORIZED, "%s",
                     auth_is_token(authorization) ? "the token is not known here"
                                                  : "send a token: Authorization: Bearer TOKEN");
}

bool auth_allows(const struct identity *identity, enum scope scope)
{
    return scope == SCOPE_NONE || identity->scopes & 1u << scope;
}
