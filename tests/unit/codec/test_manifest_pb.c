#include "codec/manifest_pb.h"
#include "tests/check.h"

#define BYTES(literal) (literal), (sizeof(literal) - 1)

static void no_bytes_are_a_manifest_of_defaults(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};

    (void)state;
    assert_succeeds(manifest_decode(NULL, 0, &manifest, &err));
    assert_int_equal(manifest.version, 0);
    assert_int_equal(manifest.architecture.len, 0);
}

static void a_manifest_of_defaults_is_no_bytes(void **state)
{
    struct error err = {0};
    struct manifest manifest = {0};
    auto_text struct text bytes = {0};

    (void)state;
    assert_succeeds(manifest_encode(&manifest, &bytes, &err));
    assert_int_equal(bytes.len, 0);
}

static void encoding_appends_to_what_is_there(void **state)
{
    struct error err = {0};
    struct manifest manifest = {.version = 1, .created_at = {.nanos = -1}};
    auto_text struct text bytes = {0};

    (void)state;
    assert_true(text_appends(&bytes, "before"));
    assert_succeeds(manifest_encode(&manifest, &bytes, &err));
    assert_true(text_equals(&bytes, BYTES("before\x08\x01\x12\x0b\x10"
                                          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
    assert_int_equal(bytes.data[bytes.len], '\0');
}

static void encoding_fails_where_there_is_no_room(void **state)
{
    struct error err = {0};
    struct manifest manifest = {.version = 1};
    auto_text struct text bytes = {.max = 1};

    (void)state;
    assert_fails(manifest_encode(&manifest, &bytes, &err), ERR_INTERNAL);
    assert_int_equal(bytes.len, 0);
}

static void strings_keep_their_nul(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};

    (void)state;
    assert_succeeds(manifest_decode(BYTES("\x1a\x03x\0y\x3a\x01\0"), &manifest, &err));
    assert_true(text_equals(&manifest.openvmm_version, BYTES("x\0y")));
    assert_true(text_equals(&manifest.architecture, BYTES("\0")));
}

static void a_repeated_timestamp_merges(void **state)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {0};

    (void)state;
    assert_succeeds(manifest_decode(BYTES("\x12\x04\x08\x05\x10\x06\x12\x02\x10\x07"), &manifest,
                                    &err));
    assert_int_equal(manifest.created_at.seconds, 5);
    assert_int_equal(manifest.created_at.nanos, 7);
}

static void a_failed_decode_writes_nothing(void **state)
{
    struct error err = {0};
    struct manifest manifest = {.version = 42};

    (void)state;
    assert_fails(manifest_decode(BYTES("\x08\x01\x1a\x01x\x3a\x01\xff"), &manifest, &err),
                 ERR_DAMAGED);
    assert_string_equal(err.message,
                        "failed to decode snapshot manifest: decoding failed: "
                        "invalid UTF-8 string: invalid utf-8 sequence of 1 bytes from index 0");
    assert_int_equal(manifest.version, 42);
    assert_null(manifest.openvmm_version.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_are_a_manifest_of_defaults),
        cmocka_unit_test(a_manifest_of_defaults_is_no_bytes),
        cmocka_unit_test(encoding_appends_to_what_is_there),
        cmocka_unit_test(encoding_fails_where_there_is_no_room),
        cmocka_unit_test(strings_keep_their_nul),
        cmocka_unit_test(a_repeated_timestamp_merges),
        cmocka_unit_test(a_failed_decode_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
