#include "codec/base64.h"
#include "tests/check.h"

static void assert_decodes(const char *base64, const char *bytes, size_t len)
{
    auto_text struct text out = {0};

    assert_true(base64_decode(base64, strlen(base64), &out));
    assert_true(text_equals(&out, bytes, len));
}

/* RFC 4648, section 10. */
static void the_rfcs_vectors_decode(void **state)
{
    (void)state;
    assert_decodes("", "", 0);
    assert_decodes("Zg==", "f", 1);
    assert_decodes("Zm8=", "fo", 2);
    assert_decodes("Zm9v", "foo", 3);
    assert_decodes("Zm9vYg==", "foob", 4);
    assert_decodes("Zm9vYmE=", "fooba", 5);
    assert_decodes("Zm9vYmFy", "foobar", 6);
}

static void all_digits_and_bytes_are_known(void **state)
{
    (void)state;
    assert_decodes("AP+/", "\x00\xff\xbf", 3);
    assert_decodes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                   "\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51"
                   "\x55\x97\x61\x96\x9b\x71\xd7\x9f\x82\x18\xa3\x92\x59\xa7\xa2\x9a"
                   "\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf",
                   48);
}

static void what_is_not_strictly_base64_is_refused(void **state)
{
    static const char *const bad[] = {
        "Z",
        "Zg",
        "Zg=",
        "Zm8",
        "Zg===",
        "=",
        "====",
        "Z===",
        "Zm9v=",
        "Zg==Zg==",
        "Zm8=Zm8=",
        "Zm9\n",
        "Zm9v\n",
        " Zm9v",
        "Zm-_",
        "Zh==",
        "Zm9=",
        "Z=9v",
        "Zg=v",
        "Zm9!",
        "\xc3\xa9Zm",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        auto_text struct text out = {0};
        assert_false(base64_decode(bad[i], strlen(bad[i]), &out));
        assert_false(text_failed(&out));
        assert_int_equal(out.len, 0);
    }
}

static void decoding_appends(void **state)
{
    auto_text struct text out = {0};

    (void)state;
    assert_true(text_appends(&out, "a"));
    assert_true(base64_decode("Yg==", 4, &out));
    assert_string_equal(text_str(&out), "ab");
}

static void a_full_text_is_told_from_bad_input(void **state)
{
    auto_text struct text out = {.max = 2};

    (void)state;
    assert_false(base64_decode("Zm9v", 4, &out));
    assert_true(text_failed(&out));
}

static void assert_encodes(const char *bytes, size_t len, const char *base64url)
{
    auto_text struct text out = {0};

    auto_text struct text back = {0};

    assert_true(base64url_encode(bytes, len, &out));
    assert_string_equal(text_str(&out), base64url);
    assert_true(base64url_decode(text_str(&out), out.len, &back));
    assert_true(text_equals(&back, bytes, len));
}

/* RFC 4648, sections 5 and 10. */
static void bytes_are_written_for_urls(void **state)
{
    (void)state;
    assert_encodes("", 0, "");
    assert_encodes("f", 1, "Zg");
    assert_encodes("fo", 2, "Zm8");
    assert_encodes("foo", 3, "Zm9v");
    assert_encodes("foob", 4, "Zm9vYg");
    assert_encodes("foobar", 6, "Zm9vYmFy");
    assert_encodes("\x00\xff\xbf", 3, "AP-_");
    assert_encodes("\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51"
                   "\x55\x97\x61\x96\x9b\x71\xd7\x9f\x82\x18\xa3\x92\x59\xa7\xa2\x9a"
                   "\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf",
                   48, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

static void what_is_not_strictly_for_urls_is_refused(void **state)
{
    static const char *const bad[] = {"Z", "Zg==", "Zm8=", "AP+/", "AP-/", "Zh", "Zm9v\n", "Zm9vY"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_text struct text out = {0};
        if (base64url_decode(bad[i], strlen(bad[i]), &out))
            fail_msg("%s was taken", bad[i]);
        assert_false(text_failed(&out));
        assert_int_equal(out.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_vectors_decode),
        cmocka_unit_test(all_digits_and_bytes_are_known),
        cmocka_unit_test(what_is_not_strictly_base64_is_refused),
        cmocka_unit_test(decoding_appends),
        cmocka_unit_test(a_full_text_is_told_from_bad_input),
        cmocka_unit_test(bytes_are_written_for_urls),
        cmocka_unit_test(what_is_not_strictly_for_urls_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
