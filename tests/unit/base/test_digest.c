#include <string.h>

#include "base/digest.h"
#include "tests/check.h"

/* FIPS 180-4 examples. */
#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void bytes_have_the_published_digest(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    struct error err = {0};

    (void)state;
    assert_succeeds(digest_of("", 0, hex, &err));
    assert_string_equal(hex, OF_NOTHING);
    assert_succeeds(digest_of("abc", 3, hex, &err));
    assert_string_equal(hex, OF_ABC);
}

static void a_digest_without_bytes_is_that_of_nothing(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    struct error err = {0};
    auto_digest struct digest *digest = digest_new(&err);

    (void)state;
    assert_succeeds(digest);
    assert_succeeds(digest_update(digest, "", 0, &err));
    assert_succeeds(digest_finish(digest, hex, &err));
    assert_string_equal(hex, OF_NOTHING);
}

static void pieces_give_the_digest_of_the_whole(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    char piece[997];
    struct error err = {0};
    auto_digest struct digest *digest = digest_new(&err);

    (void)state;
    assert_succeeds(digest);
    memset(piece, 'a', sizeof piece);
    for (size_t left = 1000000, len; left > 0; left -= len) {
        len = left < sizeof piece ? left : sizeof piece;
        assert_true(digest_update(digest, piece, len, &err));
    }
    assert_succeeds(digest_finish(digest, hex, &err));
    assert_string_equal(hex, OF_MILLION);
}

static void digests_are_independent(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    struct error err = {0};
    auto_digest struct digest *one = digest_new(&err);
    auto_digest struct digest *other = digest_new(&err);

    (void)state;
    assert_succeeds(digest_update(one, "ab", 2, &err));
    assert_succeeds(digest_update(other, "x", 1, &err));
    assert_succeeds(digest_update(one, "c", 1, &err));
    assert_succeeds(digest_finish(one, hex, &err));
    assert_string_equal(hex, OF_ABC);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_the_published_digest),
        cmocka_unit_test(a_digest_without_bytes_is_that_of_nothing),
        cmocka_unit_test(pieces_give_the_digest_of_the_whole),
        cmocka_unit_test(digests_are_independent),
        cmocka_unit_test(nothing_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
