#include "codec/problem.h"
#include "tests/check.h"

static void assert_document(const struct problem *problem, const char *json)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(problem_to_json(problem, &out, &err));
    assert_string_equal(text_str(&out), json);
}

static void a_problem_has_its_code_and_detail(void **state)
{
    struct error why = {.code = ERR_NOT_FOUND, .errnum = 2, .message = "no snapshot \"x\""};
    struct problem problem = {.err = &why, .status = 404, .title = "Not found", .request_id = "r1"};

    (void)state;
    assert_document(&problem,
                    "{\"type\":\"urn:vmsnapd:problem:not_found\",\"title\":\"Not found\","
                    "\"status\":404,\"code\":\"not_found\",\"detail\":\"no snapshot \\\"x\\\"\","
                    "\"request_id\":\"r1\"}");
}

static void every_fault_is_listed(void **state)
{
    struct error why = {0};
    struct faults faults = {0};
    struct problem problem = {
        .err = &why,
        .status = 422,
        .title = "Invalid request",
        .request_id = "r1",
        .faults = &faults,
    };

    (void)state;
    faults_add(&faults, "/vp_count", "must be at least 1");
    faults_add(&faults, "/colour", "unknown member");
    assert_false(faults_none(&faults, &why));
    assert_document(&problem,
                    "{\"type\":\"urn:vmsnapd:problem:invalid_argument\","
                    "\"title\":\"Invalid request\",\"status\":422,\"code\":\"invalid_argument\","
                    "\"detail\":\"2 members of the request are not acceptable\","
                    "\"request_id\":\"r1\","
                    "\"errors\":[{\"pointer\":\"/vp_count\",\"detail\":\"must be at least 1\"},"
                    "{\"pointer\":\"/colour\",\"detail\":\"unknown member\"}]}");
}

static void no_more_faults_are_listed_than_were_kept(void **state)
{
    struct error err = {0};
    struct error why = {0};
    struct faults faults = {0};
    struct problem problem = {.err = &why, .status = 422, .title = "", .faults = &faults};
    auto_text struct text out = {0};
    size_t listed = 0;

    (void)state;
    for (int i = 0; i < FAULTS_MAX + 10; i++)
        faults_add(&faults, "/x", "bad");
    assert_false(faults_none(&faults, &why));
    assert_succeeds(problem_to_json(&problem, &out, &err));
    for (const char *at = out.data; (at = strstr(at, "\"pointer\"")) != NULL; at++)
        listed++;
    assert_int_equal(listed, FAULTS_MAX);
}

static void a_field_at_fault_is_listed_without_faults(void **state)
{
    struct error why = {.code = ERR_INVALID, .field = "/id", .message = "must equal the path's"};
    struct faults none = {0};
    struct problem problem = {.err = &why, .status = 422, .title = "t", .faults = &none};

    (void)state;
    assert_document(&problem,
                    "{\"type\":\"urn:vmsnapd:problem:invalid_argument\",\"title\":\"t\","
                    "\"status\":422,\"code\":\"invalid_argument\","
                    "\"detail\":\"must equal the path's\","
                    "\"errors\":[{\"pointer\":\"/id\",\"detail\":\"must equal the path's\"}]}");
}

static void a_query_parameter_is_named_as_one(void **state)
{
    struct error why = {.code = ERR_INVALID, .field = "?limit", .message = "must be a number"};
    struct problem problem = {.err = &why, .status = 422, .title = "t"};

    (void)state;
    assert_document(&problem,
                    "{\"type\":\"urn:vmsnapd:problem:invalid_argument\",\"title\":\"t\","
                    "\"status\":422,\"code\":\"invalid_argument\",\"detail\":\"must be a number\","
                    "\"errors\":[{\"parameter\":\"limit\",\"detail\":\"must be a number\"}]}");
}

static void text_is_made_utf8(void **state)
{
    struct error why = {.code = ERR_IO, .message = "cannot open /a\xff/\u00e9\xc3"};
    struct problem problem = {.err = &why, .status = 500, .title = "t"};

    (void)state;
    assert_document(&problem,
                    "{\"type\":\"urn:vmsnapd:problem:io_error\",\"title\":\"t\",\"status\":500,"
                    "\"code\":\"io_error\",\"detail\":\"cannot open /a\ufffd/\u00e9\ufffd\"}");
}

static void a_verdict_joins_the_document(void **state)
{
    struct error why = {.code = ERR_NOT_VALID, .message = "m"};
    struct verdict verdict = {.unchecked[EXPECT_STATE] = true};
    struct problem problem = {.err = &why, .status = 409, .title = "t", .verdict = &verdict};

    (void)state;
    assert_document(&problem,
                    "{\"type\":\"urn:vmsnapd:problem:not_valid\",\"title\":\"t\",\"status\":409,"
                    "\"code\":\"not_valid\",\"detail\":\"m\",\"mismatches\":[],\"warnings\":[],"
                    "\"unchecked\":[\"state_units\"]}");
}

static void writing_fails_where_there_is_no_room(void **state)
{
    struct error err = {0};
    struct error why = {.code = ERR_IO};
    struct problem problem = {.err = &why, .title = "t"};
    auto_text struct text out = {.max = 10};

    (void)state;
    assert_fails(problem_to_json(&problem, &out, &err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_has_its_code_and_detail),
        cmocka_unit_test(every_fault_is_listed),
        cmocka_unit_test(no_more_faults_are_listed_than_were_kept),
        cmocka_unit_test(a_field_at_fault_is_listed_without_faults),
        cmocka_unit_test(a_query_parameter_is_named_as_one),
        cmocka_unit_test(text_is_made_utf8),
        cmocka_unit_test(a_verdict_joins_the_document),
        cmocka_unit_test(writing_fails_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
