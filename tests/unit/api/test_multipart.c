#include <string.h>

#include "api/multipart.h"
#include "base/text.h"
#include "tests/check.h"

#define TYPE          "multipart/form-data; boundary=xyz"
#define PART(name)    "--xyz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define HEADERS(text) "--xyz\r\n" text "\r\n\r\nd\r\n--xyz--"

/* What the events tell, as "[name]data[/]"; data of several events runs together. */
static bool note_begin(void *context, const char *name, struct error *err)
{
    (void)err;
    return text_appendf(context, "[%s]", name);
}

static bool note_data(void *context, const void *data, size_t len, struct error *err)
{
    (void)err;
    assert_int_not_equal(len, 0);
    return text_append(context, data, len);
}

static bool note_end(void *context, struct error *err)
{
    (void)err;
    return text_appends(context, "[/]");
}

static const struct multipart_events notes = {note_begin, note_data, note_end};

/* One piece, from memory of just its size: reading past it is seen by the sanitizer. */
static bool feed(struct multipart *multipart, const char *data, size_t len, struct error *err)
{
    auto_free char *piece = malloc(len ? len : 1);

    assert_non_null(piece);
    memcpy(piece, data, len);
    return multipart_feed(multipart, piece, len, err);
}

struct body {
    const char *type;
    const char *data;
    size_t len;
};

/* Feeds the body in pieces: `first` bytes, then `step` bytes at a time. */
static bool parse(const struct body *body, size_t first, size_t step, struct text *told,
                  struct error *err)
{
    auto_multipart struct multipart *multipart = multipart_new(body->type, &notes, told, err);
    size_t at = 0;

    if (!multipart)
        return false;
    for (size_t piece = first; at < body->len; piece = step) {
        if (piece > body->len - at)
            piece = body->len - at;
        if (!feed(multipart, body->data + at, piece, err))
            return false;
        at += piece;
    }
    return multipart_finish(multipart, err);
}

static void check_split(const struct body *body, size_t first, size_t step,
                        const struct text *expected)
{
    auto_text struct text told = {0};
    struct error err = {0};

    assert_succeeds(parse(body, first, step, &told, &err));
    if (!text_equals(&told, expected->data, expected->len))
        fail_msg("split at %zu gives %s, not %s", first, text_str(&told), text_str(expected));
}

/* However the body is cut into two, and byte by byte, it tells the same. */
static void check_body(const struct body *body, const char *expected, size_t len)
{
    auto_text struct text wanted = {0};

    assert_true(text_set(&wanted, expected, len));
    for (size_t first = 0; first <= body->len; first++)
        check_split(body, first, body->len, &wanted);
    for (size_t step = 1; step <= 3; step++)
        check_split(body, step, step, &wanted);
}

static void check(const char *body, const char *expected)
{
    check_body(&(struct body){TYPE, body, strlen(body)}, expected, strlen(expected));
}

static void check_refused_split(const struct body *body, size_t first, size_t step, const char *why)
{
    auto_text struct text told = {0};
    struct error err = {0};

    assert_fails(parse(body, first, step, &told, &err), ERR_BAD_REQUEST);
    if (!strstr(err.message, why))
        fail_msg("%s: refused because %s", body->data, err.message);
}

/* Likewise, and with the same words. */
static void check_refused(const char *data, const char *why)
{
    struct body body = {TYPE, data, strlen(data)};

    for (size_t first = 0; first <= body.len; first++)
        check_refused_split(&body, first, body.len, why);
    check_refused_split(&body, 1, 1, why);
}

static void parts_are_told_apart_however_they_arrive(void **state)
{
    (void)state;
    check(PART("snapshot") "{\"vp_count\":2}\r\n" PART("state") "bytes\r\nmore\r\n--xyz--\r\n",
          "[snapshot]{\"vp_count\":2}[/][state]bytes\r\nmore[/]");
    check(PART("a") "\r\n--xyz--", "[a][/]");
    check("--xyz--", "");
}

static void data_that_resembles_a_delimiter_stays_data(void **state)
{
    (void)state;
    check(PART("a") "\r\n--xy\r\n--xyz--", "[a]\r\n--xy[/]");
    check(PART("a") "\r\r\n-\r\n--\r\n--x\r\n--xyz--", "[a]\r\r\n-\r\n--\r\n--x[/]");
    check(PART("a") "\r\n\r\n--xyz--", "[a]\r\n[/]");
    check(PART("a") "\r\r\n--xyz--", "[a]\r[/]");
    check(PART("a") "--xyz\n--xyz--\r\n--xyz--", "[a]--xyz\n--xyz--[/]");
    check(PART("a") "\n--xyz\r\r\n--xyz--", "[a]\n--xyz\r[/]");
}

static void data_may_hold_any_bytes(void **state)
{
    static const char body[] = PART("a") "\0\xff\r\0\n\r\n--xy\0\r\n--xyz--";
    static const char expected[] = "[a]\0\xff\r\0\n\r\n--xy\0[/]";

    (void)state;
    check_body(&(struct body){TYPE, body, sizeof body - 1}, expected, sizeof expected - 1);
}

static void preamble_and_epilogue_are_passed_over(void **state)
{
    (void)state;
    check("to be ignored\r\n--xy\n--xyz\r\r\n" PART("a") "1\r\n--xyz--\r\n--xyz\r\nnot a part",
          "[a]1[/]");
    check("\r\n" PART("a") "1\r\n--xyz--and more", "[a]1[/]");
}

static void a_delimiter_may_be_padded(void **state)
{
    (void)state;
    check("--xyz \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--xyz--  \r\n",
          "[a]1[/]");
}

static void only_the_name_of_a_part_matters(void **state)
{
    (void)state;
    check(HEADERS("content-DISPOSITION:form-data;filename=\"f\";NAME=a;x=\"name=b\""), "[a]d[/]");
    check(HEADERS("X-Any:\r\nContent-Type: text/plain\r\n"
                  "Content-Disposition: form-data; name*=UTF-8''b; name=\"a b\""),
          "[a b]d[/]");
    check(HEADERS("Content-Disposition: form-data; name=\"q\\\"\\\\;%22\u00e9\" ;"),
          "[q\"\\;%22\u00e9]d[/]");
    check(HEADERS("Content-Transfer-Encoding: Binary\r\nContent-Disposition: form-data; name=a"),
          "[a]d[/]");
}

static void the_last_delimiter_must_come(void **state)
{
    (void)state;
    check_refused("", "last boundary");
    check_refused("no delimiter", "last boundary");
    check_refused("--xyz", "last boundary");
    check_refused("--xyz-", "last boundary");
    check_refused("--xyz\r\n", "last boundary");
    check_refused(PART("a"), "last boundary");
    check_refused(PART("a") "1\r\n--xyz\r\n", "last boundary");
    check_refused(PART("a") "1\r\n--xy", "last boundary");
}

static void delimiters_are_whole_lines_that_end_in_crlf(void **state)
{
    (void)state;
    check_refused("--xyz\nContent-Disposition: form-data; name=a\n\n1\n--xyz--", "CRLF");
    check_refused("--xyz\r\r\n", "CRLF");
    check_refused("--xyzz\r\n", "CRLF");
    check_refused("--xyz-\r\n", "CRLF");
    check_refused("--xyz --", "CRLF");
    check_refused(PART("a") "1\r\n--xyz1\r\n--xyz--", "CRLF");
    check_refused(PART("a") "1\n--xyz--", "last boundary");
    check_refused("preamble" PART("a") "1\n--xyz--", "last boundary");
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    check_refused(HEADERS("Content-Disposition"), "bad header");
    check_refused(HEADERS(": form-data; name=a"), "bad header");
    check_refused(HEADERS("Content-Disposition : form-data; name=a"), "bad header");
    check_refused(HEADERS("X: y\r\n z\r\nContent-Disposition: form-data; name=a"), "bad header");
    check_refused(HEADERS("Content-Disposition: form-data; name=a\nX: y"), "bad header");
    check_refused(HEADERS("Content-Disposition: form-data; name=a\rX: y"), "bad header");
    check_refused(HEADERS("Content-Transfer-Encoding: base64\r\n"
                          "Content-Disposition: form-data; name=a"),
                  "Content-Transfer-Encoding");
}

static void a_nul_in_a_header_is_refused(void **state)
{
    static const char data[] = HEADERS("Content-Disposition: form-data; name=\"a\0b\"");

    (void)state;
    check_refused_split(&(struct body){TYPE, data, sizeof data - 1}, 1, 1, "bad header");
}

static void a_part_needs_one_name(void **state)
{
    (void)state;
    check_refused("--xyz\r\n\r\nd\r\n--xyz--", "no name");
    check_refused(HEADERS("Content-Type: text/plain"), "no name");
    check_refused(HEADERS("Content-Disposition: form-data"), "no name");
    check_refused(HEADERS("Content-Disposition: form-data; filename=a"), "no name");
    check_refused(HEADERS("Content-Disposition: form-data; name=\"\""), "no name");
    check_refused(HEADERS("Content-Disposition: form-data; name="), "Content-Disposition");
    check_refused(HEADERS("Content-Disposition: form-data; name=\"a"), "Content-Disposition");
    check_refused(HEADERS("Content-Disposition: form-data; name=a; name=a"), "Content-Disposition");
    check_refused(HEADERS("Content-Disposition: attachment; name=a"), "Content-Disposition");
    check_refused(HEADERS("Content-Disposition: form-data; name=a\r\n"
                          "Content-Disposition: form-data; name=a"),
                  "Content-Disposition");
    check_refused(HEADERS("Content-Disposition: form-data; name=\"\xff\""), "UTF-8");
}

static bool parse_whole(const struct text *data, struct error *err)
{
    auto_text struct text told = {0};

    return parse(&(struct body){TYPE, data->data, data->len}, data->len, 1, &told, err);
}

static bool parse_named(const char *name, struct error *err)
{
    auto_text struct text data = {0};

    text_appendf(&data, HEADERS("Content-Disposition: form-data; name=%s"), name);
    return parse_whole(&data, err);
}

static void a_name_is_never_cut(void **state)
{
    char name[MULTIPART_NAME_MAX + 2];
    struct error err = {0};

    (void)state;
    memset(name, 'n', sizeof name);
    name[MULTIPART_NAME_MAX] = '\0';
    assert_succeeds(parse_named(name, &err));
    memset(name, 'n', sizeof name - 1);
    name[MULTIPART_NAME_MAX + 1] = '\0';
    assert_fails(parse_named(name, &err), ERR_BAD_REQUEST);
}

/* A part whose header fields, the empty line included, take `len` bytes. */
static bool parse_headers_of(size_t len, struct error *err)
{
    static const char start[] = "Content-Disposition: form-data; name=a\r\nX: ";
    auto_text struct text data = {0};

    text_appendf(&data, "--xyz\r\n%s", start);
    for (size_t i = sizeof start - 1 + 4; i < len; i++)
        text_append(&data, "x", 1);
    text_appends(&data, "\r\n\r\n\r\n--xyz--");
    return parse_whole(&data, err);
}

static void headers_are_bounded(void **state)
{
    struct error err = {0};

    (void)state;
    assert_succeeds(parse_headers_of(MULTIPART_HEADERS_MAX, &err));
    assert_fails(parse_headers_of(MULTIPART_HEADERS_MAX + 1, &err), ERR_BAD_REQUEST);
}

static void check_boundary(const char *type, const char *boundary)
{
    auto_text struct text data = {0};

    text_appendf(&data, "--%s\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--%s--",
                 boundary, boundary);
    check_body(&(struct body){type, data.data, data.len}, "[a]1[/]", 7);
}

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static void a_boundary_is_a_token_or_quoted(void **state)
{
    (void)state;
    check_boundary("multipart/form-data; boundary=-----WebKit", "-----WebKit");
    check_boundary("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b:c?'()+_,-./=\"",
                   "a b:c?'()+_,-./=");
    check_boundary("multipart/form-data; boundary=\"\\x\\y\"", "xy");
    check_boundary("multipart/form-data; boundary=b", "b");
    check_boundary("multipart/form-data; boundary=" SEVENTY, SEVENTY);
}

static void check_type(const char *type, enum error_code code)
{
    struct error err = {0};
    auto_multipart struct multipart *multipart = multipart_new(type, &notes, NULL, &err);

    assert_fails(multipart, code);
}

static void other_content_types_are_refused(void **state)
{
    (void)state;
    check_type(NULL, ERR_MEDIA_TYPE);
    check_type("multipart/mixed; boundary=a", ERR_MEDIA_TYPE);
    check_type("multipart/form-data", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=\"\"", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=\"a", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=\"a \"", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=\"a\tb\"", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=a%b", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=a/b", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=a; boundary=b", ERR_BAD_REQUEST);
    check_type("multipart/form-data; boundary=x" SEVENTY, ERR_BAD_REQUEST);
}

static void nothing_is_told_after_a_refusal(void **state)
{
    auto_text struct text told = {0};
    struct error err = {0};
    auto_multipart struct multipart *multipart = multipart_new(TYPE, &notes, &told, &err);

    (void)state;
    assert_fails(feed(multipart, "--xyz!", 6, &err), ERR_BAD_REQUEST);
    assert_fails(feed(multipart, PART("a") "1", sizeof PART("a"), &err), ERR_BAD_REQUEST);
    assert_fails(multipart_finish(multipart, &err), ERR_BAD_REQUEST);
    assert_int_equal(told.len, 0);
}

static bool fail_on_data(void *context, const void *data, size_t len, struct error *err)
{
    (void)context;
    (void)data;
    (void)len;
    return error_set(err, ERR_NO_SPACE, "full");
}

static void what_an_event_gives_ends_the_parse(void **state)
{
    static const struct multipart_events full = {note_begin, fail_on_data, note_end};
    static const char body[] = PART("a") "1\r\n" PART("b");
    auto_text struct text told = {0};
    struct error err = {0};
    auto_multipart struct multipart *multipart = multipart_new(TYPE, &full, &told, &err);

    (void)state;
    assert_fails(feed(multipart, body, sizeof body - 1, &err), ERR_NO_SPACE);
    assert_string_equal(text_str(&told), "[a]");
    assert_fails(feed(multipart, body, sizeof body - 1, &err), ERR_BAD_REQUEST);
}

static bool check_place(void *context, const void *data, size_t len, struct error *err)
{
    const char *const *piece = context;

    (void)err;
    assert_ptr_equal(data, *piece);
    assert_int_equal(len, 3);
    return true;
}

static bool ignore_begin(void *context, const char *name, struct error *err)
{
    (void)context;
    (void)name;
    (void)err;
    return true;
}

static bool ignore_end(void *context, struct error *err)
{
    (void)context;
    (void)err;
    return true;
}

static void data_is_handed_on_from_where_it_lies(void **state)
{
    static const struct multipart_events events = {ignore_begin, check_place, ignore_end};
    const char *piece = "a\rb";
    struct error err = {0};
    auto_multipart struct multipart *multipart = multipart_new(TYPE, &events, &piece, &err);

    (void)state;
    assert_succeeds(multipart_feed(multipart, PART("a"), sizeof PART("a") - 1, &err));
    assert_succeeds(multipart_feed(multipart, piece, 3, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_told_apart_however_they_arrive),
        cmocka_unit_test(data_that_resembles_a_delimiter_stays_data),
        cmocka_unit_test(data_may_hold_any_bytes),
        cmocka_unit_test(preamble_and_epilogue_are_passed_over),
        cmocka_unit_test(a_delimiter_may_be_padded),
        cmocka_unit_test(only_the_name_of_a_part_matters),
        cmocka_unit_test(the_last_delimiter_must_come),
        cmocka_unit_test(delimiters_are_whole_lines_that_end_in_crlf),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(a_nul_in_a_header_is_refused),
        cmocka_unit_test(a_part_needs_one_name),
        cmocka_unit_test(a_name_is_never_cut),
        cmocka_unit_test(headers_are_bounded),
        cmocka_unit_test(a_boundary_is_a_token_or_quoted),
        cmocka_unit_test(other_content_types_are_refused),
        cmocka_unit_test(nothing_is_told_after_a_refusal),
        cmocka_unit_test(what_an_event_gives_ends_the_parse),
        cmocka_unit_test(data_is_handed_on_from_where_it_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
