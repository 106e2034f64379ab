#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/text.h"
#include "tests/check.h"

#define READS  (1u << SCOPE_READ)
#define WRITES (1u << SCOPE_WRITE | READS)

static const struct peer remote = {.address = "192.0.2.7", .uid = (uid_t)-1};
static const struct peer root = {.address = PEER_UNIX, .is_unix = true, .uid = 0};
static const struct peer other = {.address = PEER_UNIX, .is_unix = true, .uid = 4711};

#define TEMPLATE "/tmp/vmsnapd-tokens-XXXXXX"
static char path[sizeof TEMPLATE];

static int make_file(void **state)
{
    (void)state;
    snprintf(path, sizeof path, TEMPLATE);
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* In place: the file's mode stays. */
static void write_lines(const char *lines)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(lines, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void append_line(struct text *lines, const char *name, const char *scopes, const char *token)
{
    char digest[DIGEST_HEX_SIZE];
    struct error err;

    assert_succeeds(digest_of(token, strlen(token), digest, &err));
    text_appendf(lines, "%s %s %s\n", name, scopes, digest);
}

static void write_token(const char *name, const char *scopes, const char *token)
{
    auto_text struct text lines = {0};

    append_line(&lines, name, scopes, token);
    write_lines(text_str(&lines));
}

static struct auth *must_open(const struct auth_settings *settings)
{
    struct error err;
    struct auth *auth = auth_open(settings, &err);

    if (!auth)
        fail_msg("%s", err.message);
    return auth;
}

static void assert_known(struct auth *auth, const struct peer *peer, const char *authorization,
                         const char *name, unsigned scopes)
{
    struct identity identity = {0};
    struct error err;

    assert_succeeds(auth_identify(auth, peer, authorization, &identity, &err));
    assert_string_equal(identity.name, name);
    assert_int_equal(identity.scopes, scopes);
    assert_int_equal(identity.by_token, authorization != NULL);
}

static void assert_unknown(struct auth *auth, const struct peer *peer, const char *authorization)
{
    struct identity identity = {0};
    struct error err;

    assert_fails(auth_identify(auth, peer, authorization, &identity, &err), ERR_UNAUTHORIZED);
    assert_string_equal(identity.name, "");
    assert_int_equal(identity.scopes, 0);
}

static void without_settings_anyone_may_do_anything(void **state)
{
    const struct auth_settings settings = {0};
    auto_auth struct auth *auth = must_open(&settings);
    struct identity identity = {0};
    struct error err;

    (void)state;
    assert_false(auth_is_on(auth));
    assert_succeeds(auth_identify(auth, &remote, NULL, &identity, &err));
    assert_string_equal(identity.name, "");
    assert_false(identity.by_token);
    for (enum scope scope = SCOPE_NONE; scope <= SCOPE_EXPORT; scope++)
        assert_true(auth_allows(&identity, scope));
}

static void a_token_stands_for_its_name_and_scopes(void **state)
{
    const struct auth_settings settings = {.token_file = path};
    auto_text struct text lines = {0};

    (void)state;
    append_line(&lines, "first", "read", "a");
    append_line(&lines, "last", "write", "b");
    write_lines(text_str(&lines));
    auto_auth struct auth *auth = must_open(&settings);
    assert_known(auth, &remote, "Bearer a", "first", READS);
    assert_known(auth, &remote, "bEARER   b", "last", WRITES);
    assert_unknown(auth, &remote, "Bearer c");
    assert_unknown(auth, &remote, "Bearer a b");
    assert_unknown(auth, &remote, "Bearer ");
    assert_unknown(auth, &remote, "Basic a");
    assert_unknown(auth, &remote, "a");
    assert_unknown(auth, &remote, NULL);
    assert_unknown(auth, &root, NULL);
}

static void a_token_is_at_most_256_bytes_long(void **state)
{
    const struct auth_settings settings = {.token_file = path};
    auto_text struct text lines = {0};
    auto_text struct text longest = {0};
    auto_text struct text longer = {0};

    (void)state;
    text_appendf(&longest, "Bearer %0256d", 1);
    text_appendf(&longer, "Bearer %0257d", 1);
    append_line(&lines, "longest", "read", longest.data + strlen("Bearer "));
    append_line(&lines, "longer", "read", longer.data + strlen("Bearer "));
    write_lines(text_str(&lines));
    auto_auth struct auth *auth = must_open(&settings);
    assert_known(auth, &remote, longest.data, "longest", READS);
    assert_unknown(auth, &remote, longer.data);
}

static void an_empty_file_lets_nobody_in(void **state)
{
    const struct auth_settings settings = {.token_file = path};
    auto_auth struct auth *auth = must_open(&settings);

    (void)state;
    assert_true(auth_is_on(auth));
    assert_unknown(auth, &remote, NULL);
    assert_unknown(auth, &remote, "Bearer a");
}

static void a_unix_sockets_user_needs_no_token(void **state)
{
    static char *scopes[] = {"root:read", "4711:write"};
    const struct auth_settings settings = {.peer_scopes = scopes, .peer_scope_count = 2};
    auto_auth struct auth *auth = must_open(&settings);
    const struct peer not_unix = {.address = "127.0.0.1", .uid = 0};
    const struct peer third = {.address = PEER_UNIX, .is_unix = true, .uid = 4712};
    const struct peer unknown = {.address = PEER_UNIX, .is_unix = true, .uid = (uid_t)-1};

    (void)state;
    assert_true(auth_is_on(auth));
    assert_known(auth, &root, NULL, "uid:0", READS);
    assert_known(auth, &other, NULL, "uid:4711", WRITES);
    assert_unknown(auth, &not_unix, NULL);
    assert_unknown(auth, &third, NULL);
    assert_unknown(auth, &unknown, NULL);
    assert_unknown(auth, &root, "Bearer a"); /* who sends a token wants to be known by it */
}

static void a_token_outranks_the_user_who_sends_it(void **state)
{
    static char *scopes[] = {"0:write"};
    const struct auth_settings settings = {path, scopes, 1};

    (void)state;
    write_token("ci", "read", "a");
    auto_auth struct auth *auth = must_open(&settings);
    assert_known(auth, &root, "Bearer a", "ci", READS);
    assert_known(auth, &root, NULL, "uid:0", WRITES);
}

static void users_and_scopes_must_make_sense(void **state)
{
    static const struct {
        char *scopes[2];
        const char *message;
    } bad[] = {
        {{"0:write", "root"},            "--peer-scope root: give USER:SCOPES"                 },
        {{"0:write", ""},                "--peer-scope : give USER:SCOPES"                     },
        {{"0:write", "1:"},              "--peer-scope 1:: give USER:SCOPES"                   },
        {{"0:write", "1:all"},           "--peer-scope 1:all: give USER:SCOPES"                },
        {{"0:write", ":read"},           "--peer-scope :read: there is no such user"           },
        {{"0:write", "-1:read"},         "--peer-scope -1:read: there is no such user"         },
        {{"0:write", "4294967295:read"}, "--peer-scope 4294967295:read: there is no such user" },
        {{"0:write", "root:read"},       "--peer-scope root:read: that user has scopes already"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct auth_settings settings = {NULL, bad[i].scopes, 2};
        struct error err = {0};
        assert_null(auth_open(&settings, &err));
        assert_int_equal(err.code, ERR_INVALID);
        if (strncmp(err.message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("\"%s\" instead of \"%s\"", err.message, bad[i].message);
    }
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    const struct auth_settings missing = {.token_file = "/nowhere/tokens"};
    const struct auth_settings directory = {.token_file = "/"};
    struct error err = {0};

    (void)state;
    assert_null(auth_open(&missing, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.message, "/nowhere/tokens"));
    assert_null(auth_open(&directory, &err));
    assert_string_not_equal(err.message, "");
}

static void a_file_that_every_user_may_write_is_refused(void **state)
{
    static const struct {
        mode_t mode;
        bool good;
    } modes[] = {
        {0600, true },
        {0644, true },
        {0664, true },
        {0602, false},
        {0666, false},
        {0646, false},
    };
    const struct auth_settings settings = {.token_file = path};

    (void)state;
    write_token("ci", "read", "a");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct error err = {0};
        assert_int_equal(chmod(path, modes[i].mode), 0);
        auto_auth struct auth *auth = auth_open(&settings, &err);
        if (!auth == modes[i].good)
            fail_msg("mode %o: %s", (unsigned)modes[i].mode, err.message);
        if (!auth)
            assert_non_null(strstr(err.message, "chmod o-w"));
    }
}

static void what_is_wrong_leaves_the_tokens_of_before(void **state)
{
    const struct auth_settings settings = {.token_file = path};
    struct error err;

    (void)state;
    write_token("old", "read", "a");
    auto_auth struct auth *auth = must_open(&settings);
    write_token("new", "reads", "b");
    assert_fails(auth_reload(auth, &err), ERR_INVALID);
    assert_known(auth, &remote, "Bearer a", "old", READS);
    write_token("new", "write", "b");
    assert_int_equal(chmod(path, 0666), 0);
    assert_fails(auth_reload(auth, &err), ERR_INVALID);
    assert_known(auth, &remote, "Bearer a", "old", READS);
    assert_unknown(auth, &remote, "Bearer b");
    assert_int_equal(chmod(path, 0600), 0);
    assert_succeeds(auth_reload(auth, &err));
    assert_known(auth, &remote, "Bearer b", "new", WRITES);
    assert_unknown(auth, &remote, "Bearer a");
}

#define RELOADS 200

struct asking {
    struct auth *auth;
    atomic_bool is_over;
    atomic_uint asked, unknown;
};

static void *ask_on(void *data)
{
    struct asking *asking = data;

    do {
        struct identity identity = {0};
        struct error err;
        if (!auth_identify(asking->auth, &remote, "Bearer a", &identity, &err))
            asking->unknown++;
        asking->asked++;
    } while (!asking->is_over);
    return NULL;
}

static void reload(struct auth *auth, const struct text *lines)
{
    struct error err;

    write_lines(text_str(lines));
    assert_succeeds(auth_reload(auth, &err));
}

static void reload_often(struct auth *auth)
{
    auto_text struct text one = {0};
    auto_text struct text two = {0};

    append_line(&one, "ci", "read", "a");
    append_line(&two, "other", "write", "b");
    append_line(&two, "ci", "read", "a");
    for (int i = 0; i < RELOADS / 2; i++) {
        reload(auth, &two);
        reload(auth, &one);
    }
}

static void a_token_that_stays_is_known_throughout(void **state)
{
    const struct auth_settings settings = {.token_file = path};
    pthread_t askers[2];

    (void)state;
    write_token("ci", "read", "a");
    auto_auth struct auth *auth = must_open(&settings);
    struct asking asking = {.auth = auth};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&askers[i], NULL, ask_on, &asking), 0);
    reload_often(auth);
    asking.is_over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(askers[i], NULL);
    assert_true(asking.asked >= 2);
    assert_int_equal(asking.unknown, 0);
}

#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_settings_anyone_may_do_anything),
        WITH_FILE(a_token_stands_for_its_name_and_scopes),
        WITH_FILE(a_token_is_at_most_256_bytes_long),
        WITH_FILE(an_empty_file_lets_nobody_in),
        cmocka_unit_test(a_unix_sockets_user_needs_no_token),
        WITH_FILE(a_token_outranks_the_user_who_sends_it),
        cmocka_unit_test(users_and_scopes_must_make_sense),
        cmocka_unit_test(a_file_that_cannot_be_read_is_refused),
        WITH_FILE(a_file_that_every_user_may_write_is_refused),
        WITH_FILE(what_is_wrong_leaves_the_tokens_of_before),
        WITH_FILE(a_token_that_stays_is_known_throughout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
