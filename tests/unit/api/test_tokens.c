#include <string.h>

#include "api/tokens.h"
#include "tests/check.h"

#define DIGEST_1 "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"
#define DIGEST_2 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static bool parse(const char *text, struct tokens *tokens, struct error *err)
{
    return tokens_parse(text, strlen(text), "tokens", tokens, err);
}

static void a_line_is_a_token(void **state)
{
    auto_tokens struct tokens tokens = {0};
    struct error err;

    (void)state;
    assert_succeeds(parse("# who may come\n\n"
                          "ci read " DIGEST_1 " # nightly\r\n"
                          "\tcontrol-plane \t write,export  " DIGEST_2,
                          &tokens, &err));
    assert_int_equal(tokens.count, 2);
    assert_string_equal(tokens.items[0].name, "ci");
    assert_int_equal(tokens.items[0].scopes, 1u << SCOPE_READ);
    assert_int_equal(tokens.items[0].digest[0], 0x01);
    assert_int_equal(tokens.items[0].digest[15], 0xef);
    assert_string_equal(tokens.items[1].name, "control-plane");
    assert_int_equal(tokens.items[1].scopes,
                     1u << SCOPE_READ | 1u << SCOPE_WRITE | 1u << SCOPE_EXPORT);
}

static void a_file_may_be_empty(void **state)
{
    auto_tokens struct tokens tokens = {0};
    struct error err;

    (void)state;
    assert_succeeds(parse("", &tokens, &err));
    assert_succeeds(parse("# nobody yet\n", &tokens, &err));
    assert_int_equal(tokens.count, 0);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"ci read\n",                               "tokens:1: give a name"                    },
        {"ci\n",                                    "tokens:1: give a name"                    },
        {"\nci read " DIGEST_1 " more\n",           "tokens:2: give a name"                    },
        {"-ci read " DIGEST_1,                      "tokens:1: the name"                       },
        {"ci reads " DIGEST_1,                      "tokens:1: the scopes"                     },
        {"ci read, " DIGEST_1,                      "tokens:1: the scopes"                     },
        {"ci , " DIGEST_1,                          "tokens:1: the scopes"                     },
        {"ci read 0123",                            "tokens:1: the digest"                     },
        {"ci read " DIGEST_1 "0",                   "tokens:1: the digest"                     },
        {"ci read x" DIGEST_1,                      "tokens:1: the digest"                     },
        {"ci read " DIGEST_1 "\nci read " DIGEST_2, "tokens:2: there is another token named ci"},
        {"ci read " DIGEST_1 "\ncd read " DIGEST_1, "tokens:2: it is the token of ci"          },
    };
    struct tokens tokens = {0};
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(parse(bad[i].text, &tokens, &err), ERR_INVALID);
        if (strncmp(err.message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("\"%s\" instead of \"%s\"", err.message, bad[i].message);
        assert_null(tokens.items);
    }
}

static void names_are_short(void **state)
{
    char name[TOKEN_NAME_SIZE + 1];

    (void)state;
    memset(name, 'a', sizeof name);
    name[TOKEN_NAME_SIZE] = '\0';
    assert_false(tokens_is_name(name));
    name[TOKEN_NAME_SIZE - 1] = '\0';
    assert_true(tokens_is_name(name));
    assert_false(tokens_is_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_token),
        cmocka_unit_test(a_file_may_be_empty),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(names_are_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
