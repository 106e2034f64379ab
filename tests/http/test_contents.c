/* Manifests, state and validation. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/manifest_pb.h"
#include "service/cache.h"
#include "tests/golden/vectors.h"
#include "tests/test.h"

static void get_as(struct test *test, const char *accept, struct answer *out)
{
    test_call(test, &(struct call){.path = "/snapshots/a/manifest", .headers = {accept}}, out);
}

static void a_manifest_is_to_be_had_as_json_and_as_the_file_itself(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer json = {0};
    auto_answer struct answer bytes = {0};
    auto_answer struct answer old = {0};
    auto_answer struct answer neither = {0};
    auto_text struct text file = {0};

    test_create(test, "a", &memory, 2);
    get_as(test, "Accept: application/json", &json);
    get_as(test, "Accept: application/json;q=0.5, application/protobuf", &bytes);
    assert_string_equal(answer_header(&json, "Content-Type"), "application/json");
    assert_string_equal(answer_header(&json, "Vary"), "Accept");
    assert_int_equal(json_object_size(json.json), 7);
    assert_string_equal(answer_header(&bytes, "Content-Type"), "application/protobuf");
    vector_file(path_of("%s/snapshots/a/manifest.bin", test->fixture.store.text).text, &file);
    assert_int_equal(bytes.body.len, file.len);
    assert_memory_equal(bytes.body.data, file.data, file.len);
    char tag[64];
    snprintf(tag, sizeof tag, "%s", answer_header(&json, "ETag"));
    assert_string_not_equal(answer_header(&bytes, "ETag"), tag);
    get_as(test, "Accept: application/x-protobuf", &old);
    assert_string_equal(answer_header(&old, "Content-Type"), "application/protobuf");
    get_as(test, "Accept: text/html", &neither);
    assert_problem(&neither, 406, "not_acceptable");
}

static void a_manifest_that_the_client_has_is_304_in_that_form_only(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer json = {0};
    auto_answer struct answer same = {0};
    auto_answer struct answer other = {0};
    char condition[96];

    test_create(test, "a", &memory, 2);
    get_as(test, "Accept: application/json", &json);
    snprintf(condition, sizeof condition, "If-None-Match: %s", answer_header(&json, "ETag"));
    get_as(test, condition, &same);
    assert_int_equal(same.status, 304);
    assert_int_equal(same.body.len, 0);
    assert_string_equal(answer_header(&same, "Vary"), "Accept");
    test_call(test,
              &(struct call){
                  .path = "/snapshots/a/manifest",
                  .headers = {condition, "Accept: application/protobuf"}
    },
              &other);
    assert_int_equal(other.status, 200);
}

static void what_is_not_sent_again_has_the_headers_of_what_would_be(void **state)
{
    static const char *const paths[] = {"/snapshots/a", "/snapshots/a/manifest",
                                        "/snapshots/a/state"};
    static const char *const kept[] = {"ETag", "Content-Length", "Cache-Control", "Vary"};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    test_create(test, "a", &memory, 2);
    for (size_t i = 0; i < 3; i++) {
        auto_answer struct answer got = {0};
        auto_answer struct answer same = {0};
        test_get(test, paths[i], &got);
        struct path tag = path_of("If-None-Match: \"x\", %s", answer_header(&got, "ETag"));
        test_call(test, &(struct call){
                            .path = paths[i], .headers = {tag.text, "Range: bytes=9-"}
        },
                  &same);
        assert_int_equal(same.status, 304);
        assert_int_equal(same.body.len, 0);
        for (size_t j = 0; j < 4; j++) { /* RFC 9110, 8.6 and 15.4.5 */
            const char *value = answer_header(&got, kept[j]);
            struct path expected = path_of("%s", value ? value : "none");
            value = answer_header(&same, kept[j]);
            assert_string_equal(value ? value : "none", expected.text);
        }
    }
}

/* A snapshot as OpenVMM would write it. */
static void write_snapshot(struct test *test, const struct manifest *manifest, const char *state)
{
    struct path home = path_of("%s/snapshots/a", test->fixture.store.text);
    auto_text struct text bytes = {0};
    struct error err;

    disk_make_dir(home.text);
    assert_succeeds(manifest_encode(manifest, &bytes, &err));
    test_write(path_of("%s/manifest.bin", home.text).text, text_str(&bytes), bytes.len);
    test_write(path_of("%s/state.bin", home.text).text, state, strlen(state));
    disk_write(path_of("%s/memory.bin", home.text).text, 4096, 1);
}

#define TEXT(literal)                                         \
    {                                                         \
        .data = (char *)(literal), .len = sizeof(literal) - 1 \
    }

static const struct manifest plain = {.version = 1,
                                      .memory_size_bytes = 4096,
                                      .vp_count = 2,
                                      .page_size = 4096,
                                      .architecture = TEXT("x86_64")};

static void a_manifest_loses_nothing_in_json(void **state)
{
    static const struct manifest extreme = {
        .version = UINT32_MAX,
        .created_at = {INT64_MIN, INT32_MIN},
        .openvmm_version = TEXT("a\0\"b"),
        .memory_size_bytes = UINT64_MAX,
        .vp_count = UINT32_MAX,
        .page_size = 0,
        .architecture = TEXT(""),
    };
    struct test *test = *state;
    auto_answer struct answer got = {0};

    write_snapshot(test, &extreme, "");
    test_get(test, "/snapshots/a/manifest", &got);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body.data,
                        "{\"version\":4294967295,"
                        "\"created_at\":{\"seconds\":\"-9223372036854775808\","
                        "\"nanos\":-2147483648},\"openvmm_version\":\"a\\u0000\\\"b\","
                        "\"memory_size_bytes\":\"18446744073709551615\","
                        "\"vp_count\":4294967295,\"page_size\":0,\"architecture\":\"\"}");
}

static void a_snapshot_without_its_memory_is_judged_and_without_its_manifest_is_not_found(
    void **state)
{
    struct test *test = *state;
    const char *store = test->fixture.store.text;
    auto_answer struct answer judged = {0};
    auto_answer struct answer manifest = {0};
    auto_answer struct answer none = {0};

    write_snapshot(test, &plain, "");
    disk_remove(path_of("%s/snapshots/a/memory.bin", store).text);
    test_send(test, "POST", "/snapshots/a/validate", &judged, "{\"vp_count\":2}");
    assert_int_equal(judged.status, 200);
    assert_true(json_is_false(answer_at(&judged, "valid")));
    assert_string_equal(answer_string(&judged, "mismatches.0.field"), "memory");
    assert_true(json_is_null(answer_at(&judged, "mismatches.0.actual")));
    disk_remove(path_of("%s/snapshots/a/manifest.bin", store).text);
    test_get(test, "/snapshots/a/manifest", &manifest);
    assert_problem(&manifest, 404, "not_found");
    test_send(test, "POST", "/snapshots/a/validate", &none, "{\"vp_count\":2}");
    assert_problem(&none, 404, "not_found");
}

static long vp_count(struct test *test)
{
    auto_answer struct answer got = {0};

    test_get(test, "/snapshots/a/manifest", &got);
    return got.status == 200 ? (long)json_integer_value(answer_at(&got, "vp_count")) : -got.status;
}

static void a_manifest_in_memory_notices_every_change_on_disk(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path manifest = path_of("%s/snapshots/a/manifest.bin", test->fixture.store.text);
    auto_answer struct answer put = {0};

    clock_replace(test_later);
    test_create(test, "a", &memory, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(vp_count(test), 2);
    const struct cached *cached = cache_find(test->fixture.service->cache, "a");
    assert_non_null(cached); /* it is in memory */
    cached_release(cached);
    test_write(manifest.text, "\x28\x09", 2); /* {vp_count: 9}, in the same file */
    assert_int_equal(vp_count(test), 9);
    test_send(test, "PUT", "/snapshots/a", &put,
              "{\"memory_file_path\":\"%s\",\"openvmm_version\":\"\",\"vp_count\":4,"
              "\"architecture\":\"x86_64\"}",
              memory.text);
    assert_int_equal(put.status, 200);
    assert_int_equal(vp_count(test), 4);
    disk_remove(manifest.text);
    assert_int_equal(vp_count(test), -404);
    clock_replace(NULL);
}

static void a_manifest_that_does_not_decode_is_a_damaged_snapshot_in_openvmms_words(void **state)
{
    struct test *test = *state;
    const char *text = "failed to decode snapshot manifest: decoding failed: eof parsing a varint";
    auto_answer struct answer got = {0};
    auto_answer struct answer judged = {0};

    disk_make_dir(path_of("%s/snapshots/a", test->fixture.store.text).text);
    disk_write(path_of("%s/snapshots/a/manifest.bin", test->fixture.store.text).text, 1, 8);
    test_get(test, "/snapshots/a/manifest", &got);
    assert_problem(&got, 500, "snapshot_damaged");
    assert_string_equal(answer_string(&got, "detail"), text);
    test_send(test, "POST", "/snapshots/a/validate", &judged, "{\"vp_count\":1}");
    assert_problem(&judged, 500, "snapshot_damaged");
}

static void only_snapshots_that_are_there_have_anything_to_be_had(void **state)
{
    static const char *const paths[] = {"", "/manifest", "/state",
                                        "/state/units"};
    static const char *const ids[] = {"none", ".", "..", "-x", "a%2Fb", "a%20b"};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        for (size_t j = 0; j < sizeof ids / sizeof ids[0]; j++) {
            auto_answer struct answer answer = {0};
            test_get(*state, path_of("/snapshots/%s%s", ids[j], paths[i]).text, &answer);
            if (strchr(ids[j], '2') && strstr(ids[j], "2F"))
                assert_problem(&answer, 400, "bad_request");
            else
                assert_problem(&answer, 404, "not_found");
        }
}

static void every_miss_is_told_in_openvmms_order(void **state)
{
    static const char *const fields[] = {"architecture", "memory_size_bytes", "vp_count",
                                         "page_size", "memory"};
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer verdict = {0};

    test_create(test, "a", &memory, 2);
    disk_write(memory.text, 4000, 7);
    test_send(test, "POST", "/snapshots/a/validate", &verdict,
              "{\"architecture\":\"a\\u0000\",\"memory_size_bytes\":\"18446744073709551615\","
              "\"vp_count\":3,\"page_size\":1}");
    assert_int_equal(verdict.status, 200);
    assert_true(json_is_false(answer_at(&verdict, "valid")));
    assert_int_equal(json_array_size(answer_at(&verdict, "mismatches")), 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(answer_string(&verdict, path_of("mismatches.%zu.field", i).text),
                            fields[i]);
    assert_string_equal(answer_string(&verdict, "mismatches.1.expected"), "18446744073709551615");
    assert_string_equal(answer_string(&verdict, "mismatches.4.message"),
                        "memory.bin size (4000 bytes) doesn't match manifest (4096 bytes)");
    assert_string_equal(answer_string(&verdict, "unchecked.0"), "state_units");
}

static void a_version_that_openvmm_does_not_know_is_a_miss_that_nobody_need_ask_for(void **state)
{
    struct manifest manifest = plain;
    auto_answer struct answer verdict = {0};

    manifest.version = 2;
    write_snapshot(*state, &manifest, "");
    test_send(*state, "POST", "/snapshots/a/validate", &verdict, "{\"page_size\":4096}");
    assert_true(json_is_false(answer_at(&verdict, "valid")));
    assert_string_equal(answer_string(&verdict, "mismatches.0.field"), "version");
    assert_string_equal(answer_string(&verdict, "mismatches.0.message"),
                        "snapshot manifest version 2 is not supported (expected 1)");
    assert_int_equal(json_array_size(answer_at(&verdict, "unchecked")), 4);
}

static void units_are_judged_where_units_were_posted(void **state)
{
    static const char twice[] = "\x0a\x05\x0a\x03rtc\x0a\x05\x0a\x03rtc";
    struct test *test = *state;
    auto_answer struct answer duplicate = {0};
    auto_answer struct answer damaged = {0};
    auto_answer struct answer unasked = {0};

    write_snapshot(test, &plain, twice);
    test_send(test, "POST", "/snapshots/a/validate", &duplicate, "{\"state_units\":[\"rtc\"]}");
    assert_string_equal(answer_string(&duplicate, "mismatches.0.message"),
                        "loadedvm restore failed: restore failed: {rtc: duplicate unit name}");
    write_snapshot(test, &plain, "\x07");
    test_send(test, "POST", "/snapshots/a/validate", &damaged, "{\"state_units\":[]}");
    assert_int_equal(damaged.status, 200);
    assert_string_equal(answer_string(&damaged, "mismatches.0.field"), "state");
    assert_string_equal(answer_string(&damaged, "mismatches.0.message"),
                        "failed to decode saved state: decoding failed: missing resource");
    test_send(test, "POST", "/snapshots/a/validate", &unasked, "{\"vp_count\":2}");
    assert_true(json_is_true(answer_at(&unasked, "valid")));
}

static void strict_makes_no_a_conflict(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer bad = {0};
    auto_answer struct answer good = {0};
    auto_answer struct answer neither = {0};

    test_create(test, "a", &memory, 2);
    test_send(test, "POST", "/snapshots/a/validate?strict=1", &bad, "{\"vp_count\":3}");
    assert_problem(&bad, 409, "not_valid");
    assert_string_equal(answer_string(&bad, "mismatches.0.field"), "vp_count");
    assert_int_equal(json_array_size(answer_at(&bad, "unchecked")), 4);
    test_send(test, "POST", "/snapshots/a/validate?strict=1", &good, "{\"vp_count\":2}");
    assert_int_equal(good.status, 200);
    test_send(test, "POST", "/snapshots/a/validate?strict=yes", &neither, "{\"vp_count\":2}");
    assert_problem(&neither, 422, "invalid_argument");
    assert_blames(&neither, "?strict");
}

/* Two units: "pit" with a blob of three bytes, and "rtc" without one. */
#define STATE "\x0a\x10\x0a\x03pit\x12\x09\x0a\x02t1\x12\x03" \
              "abc\x0a\x05\x0a\x03rtc"
#define STATE_LEN (sizeof(STATE) - 1)

static void create_with_state(struct test *test, const struct path *memory)
{
    struct path file = path_of("%s/state", test->fixture.root.text);
    auto_answer struct answer made = {0};

    test_write(file.text, STATE, STATE_LEN);
    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\","
              "\"state_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
              memory->text, file.text);
    assert_int_equal(made.status, 201);
}

static void units_of_the_state_are_listed_and_compared_by_name(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer units = {0};
    auto_answer struct answer fits = {0};
    auto_answer struct answer lacks = {0};
    auto_answer struct answer damaged = {0};

    create_with_state(test, &memory);
    test_get(test, "/snapshots/a/state/units", &units);
    assert_string_equal(answer_string(&units, "units.0.name"), "pit");
    assert_string_equal(answer_string(&units, "units.0.type_url"), "t1");
    assert_int_equal(json_integer_value(answer_at(&units, "units.0.size_bytes")), 3);
    assert_int_equal(json_integer_value(answer_at(&units, "units.1.size_bytes")), 0);
    test_send(test, "POST", "/snapshots/a/validate", &fits,
              "{\"state_units\":[\"rtc\",\"nvme\",\"pit\"]}");
    assert_true(json_is_true(answer_at(&fits, "valid")));
    assert_string_equal(answer_string(&fits, "warnings.0"),
                        "nvme has no saved state: it starts at its power-on defaults");
    test_send(test, "POST", "/snapshots/a/validate", &lacks, "{\"state_units\":[\"rtc\"]}");
    assert_string_equal(answer_string(&lacks, "mismatches.0.field"), "state");
    assert_string_equal(answer_string(&lacks, "mismatches.0.message"),
                        "loadedvm restore failed: restore failed: {pit: unknown unit name}");
    disk_write(path_of("%s/snapshots/a/state.bin", test->fixture.store.text).text, 1, 7);
    test_get(test, "/snapshots/a/state/units", &damaged);
    assert_problem(&damaged, 500, "snapshot_damaged");
    assert_string_equal(answer_string(&damaged, "detail"),
                        "failed to decode saved state: decoding failed: missing resource");
}

static void bad_expectations_are_refused(void **state)
{
    static const struct {
        const char *body, *pointer;
        long status;
    } bad[] = {
        {"{}",                              "",               422},
        {"{\"vp_count\":-1}",               "/vp_count",      422},
        {"{\"vp_count\":4294967296}",       "/vp_count",      422},
        {"{\"vp_count\":null}",             "/vp_count",      422},
        {"{\"state_units\":[1]}",           "/state_units/0", 422},
        {"{\"architecture\":5,\"x~/\":1}",  "/x~0~1",         422},
        {"[]",                              "",               422},
        {"{\"vp_count\":1,\"vp_count\":1}", NULL,             400},
        {"{",                               NULL,             400},
        {"",                                NULL,             400},
    };
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    test_create(test, "a", &memory, 2);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_answer struct answer answer = {0};
        test_send(test, "POST", "/snapshots/a/validate", &answer, "%s", bad[i].body);
        assert_problem(&answer, bad[i].status,
                       bad[i].status == 400 ? "malformed_json" : "invalid_argument");
        if (bad[i].pointer)
            assert_blames(&answer, bad[i].pointer);
    }
}

static void fill(char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31 + i / 251);
}

static void get_range(struct test *test, const char *range, const char *only_if,
                      struct answer *out)
{
    test_call(test, &(struct call){
                        .path = "/snapshots/a/state", .headers = {range, only_if}
    },
              out);
}

static void state_is_served_byte_for_byte_whole_and_in_parts(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path file = path_of("%s/state", test->fixture.root.text);
    const size_t len = 3 * 1024 * 1024 + 17;
    auto_free char *data = malloc(len);
    auto_answer struct answer made = {0};
    auto_answer struct answer whole = {0};
    char condition[96];

    fill(data, len);
    test_write(file.text, data, len);
    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\","
              "\"state_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
              memory.text, file.text);
    assert_int_equal(made.status, 201);
    test_get(test, "/snapshots/a/state", &whole);
    assert_int_equal(whole.body.len, len);
    assert_memory_equal(whole.body.data, data, len);
    assert_string_equal(answer_header(&whole, "Accept-Ranges"), "bytes");
    snprintf(condition, sizeof condition, "If-Range: %s", answer_header(&whole, "ETag"));

    static const struct {
        const char *range;
        size_t first, len;
    } parts[] = {
        {"Range: bytes=0-0",             0,            1      },
        {"Range: bytes=1000000-2999999", 1000000,      2000000},
        {"Range: bytes=3145728-",        3145728,      17     },
        {"Range: bytes=-5",              3145728 + 12, 5      },
        {"Range: bytes=3145744-9999999", 3145744,      1      },
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        auto_answer struct answer part = {0};
        get_range(test, parts[i].range, condition, &part);
        assert_int_equal(part.status, 206);
        assert_int_equal(part.body.len, parts[i].len);
        assert_memory_equal(part.body.data, data + parts[i].first, parts[i].len);
        assert_string_equal(answer_header(&part, "Content-Range"),
                            path_of("bytes %zu-%zu/%zu", parts[i].first,
                                    parts[i].first + parts[i].len - 1, len)
                                .text);
    }
}

static void ranges_that_cannot_be_honoured_are_told_or_passed_over(void **state)
{
    static const struct {
        const char *range, *only_if;
        long status;
    } ranges[] = {
        {"Range: bytes=99-",    NULL,                                      416},
        {"Range: bytes=25-",    NULL,                                      416}, /* its length */
        {"Range: bytes=-0",     NULL,                                      416},
        {"Range: bytes=99-",    "If-Range: \"other\"",                     200},
        {"Range: bytes=0-1",    "If-Range: \"other\"",                     200},
        {"Range: bytes=0-1",    "If-Range: Sat, 01 Jan 2050 00:00:00 GMT", 200},
        {"Range: bytes=0-1",    "If-None-Match: \"other\"",                206},
        {"Range: bytes=0-1,3-", NULL,                                      200},
        {"Range: bytes=2-1",    NULL,                                      200},
        {"Range: bytes=x-",     NULL,                                      200},
        {"Range: bytes",        NULL,                                      200},
        {"Range: pages=0-1",    NULL,                                      200},
        {"Range: bytes=0-",     NULL,                                      206},
        {"Range: bytes=-99",    NULL,                                      206},
    };
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);

    create_with_state(test, &memory);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        auto_answer struct answer answer = {0};
        get_range(test, ranges[i].range, ranges[i].only_if, &answer);
        if (answer.status != ranges[i].status)
            fail_msg("%s: %ld", ranges[i].range, answer.status);
        if (answer.status == 416)
            assert_problem(&answer, 416, "range_not_satisfiable");
        if (answer.status == 416)
            assert_string_equal(answer_header(&answer, "Content-Range"),
                                path_of("bytes */%zu", STATE_LEN).text);
        if (answer.status == 200)
            assert_null(answer_header(&answer, "Content-Range"));
    }
}

static void a_weak_tag_is_no_reason_for_a_part(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    auto_answer struct answer whole = {0};
    auto_answer struct answer part = {0};

    create_with_state(test, &memory);
    test_get(test, "/snapshots/a/state", &whole);
    struct path weak = path_of("If-Range: W/%s", answer_header(&whole, "ETag"));
    get_range(test, "Range: bytes=0-1", weak.text, &part);
    assert_int_equal(part.status, 200);
}

/* More than sockets and reader hold by themselves. */
#define LARGE ((size_t)8 << 20)

static void a_download_goes_on_though_the_snapshot_is_removed(void **state)
{
    struct test *test = *state;
    struct path memory = test_memory(test, "m", 4096, 7);
    struct path file = test_memory(test, "state", LARGE, 5);
    auto_answer struct answer made = {0};
    auto_answer struct answer removed = {0};
    auto_text struct text answer = {0};
    char start[1];

    test_send(test, "POST", "/snapshots", &made,
              "{\"id\":\"a\",\"memory_file_path\":\"%s\","
              "\"state_file_path\":\"%s\"," REQUIRED_MEMBERS "}",
              memory.text, file.text);
    assert_int_equal(made.status, 201);
    auto_fd int fd = raw_open(test);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int));
    raw_sends(fd, "GET /snapshots/a/state HTTP/1.1\r\nHost: localhost\r\n"
                  "Connection: close\r\n\r\n");
    raw_take(fd, start, sizeof start);
    test_call(test, &(struct call){.method = "DELETE", .path = "/snapshots/a"}, &removed);
    assert_int_equal(removed.status, 204);
    fixture_settle(&test->fixture); /* it is gone from disk, too */
    raw_drain(fd, &answer);
    const char *body = strstr(answer.data, "\r\n\r\n") + 4;
    assert_int_equal(answer.len - (size_t)(body - answer.data), LARGE);
    for (size_t i = 0; i < LARGE; i++)
        if (body[i] != 5)
            fail_msg("byte %zu is %d", i, body[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_manifest_is_to_be_had_as_json_and_as_the_file_itself),
        WITH_SERVER(a_manifest_that_the_client_has_is_304_in_that_form_only),
        WITH_SERVER(what_is_not_sent_again_has_the_headers_of_what_would_be),
        WITH_SERVER(a_manifest_loses_nothing_in_json),
        WITH_SERVER(
            a_snapshot_without_its_memory_is_judged_and_without_its_manifest_is_not_found),
        WITH_SERVER(a_manifest_in_memory_notices_every_change_on_disk),
        WITH_SERVER(a_manifest_that_does_not_decode_is_a_damaged_snapshot_in_openvmms_words),
        WITH_SERVER(only_snapshots_that_are_there_have_anything_to_be_had),
        WITH_SERVER(every_miss_is_told_in_openvmms_order),
        WITH_SERVER(a_version_that_openvmm_does_not_know_is_a_miss_that_nobody_need_ask_for),
        WITH_SERVER(units_are_judged_where_units_were_posted),
        WITH_SERVER(strict_makes_no_a_conflict),
        WITH_SERVER(units_of_the_state_are_listed_and_compared_by_name),
        WITH_SERVER(bad_expectations_are_refused),
        WITH_SERVER(state_is_served_byte_for_byte_whole_and_in_parts),
        WITH_SERVER(ranges_that_cannot_be_honoured_are_told_or_passed_over),
        WITH_SERVER(a_weak_tag_is_no_reason_for_a_part),
        WITH_SERVER(a_download_goes_on_though_the_snapshot_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
