#include "codec/inspection.h"
#include "tests/check.h"

/* What these tests fill in is borrowed: nothing is cleared. */
static struct text borrow(const char *bytes, size_t len)
{
    return (struct text){.data = (char *)bytes, .len = len};
}
#define BORROW(literal) borrow(literal, sizeof(literal) - 1)

static void assert_document(const struct inspection *inspection, const char *json)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(inspection_to_json(inspection, &out, &err));
    assert_string_equal(text_str(&out), json);
}

#define NOTHING                                                                      \
    "{\"id\":\"s\",\"status\":\"incomplete\",\"problem\":\"why\",\"path\":\"/v/s\"," \
    "\"manifest\":null,\"memory\":null,\"state\":null,\"labels\":{},\"held\":false," \
    "\"restore\":null,\"record\":null,\"units\":null,\"restorable\":false,"          \
    "\"reasons\":[\"no\\u0000manifest\",\"no memory\"]}"

static void what_is_not_there_is_null_and_named(void **state)
{
    struct text reasons[] = {BORROW("no\0manifest"), BORROW("no memory")};
    struct inspection inspection = {.reasons = reasons, .reason_count = 2};

    (void)state;
    inspection.snapshot.id = (char *)"s";
    inspection.snapshot.path = (char *)"/v/s";
    inspection.snapshot.status = SNAPSHOT_INCOMPLETE;
    inspection.snapshot.problem = (char *)"why";
    assert_document(&inspection, NOTHING);
}

#define ALL                                                                                    \
    "{\"id\":\"s\",\"status\":\"ready\",\"problem\":null,\"path\":\"/v/s\",\"manifest\":null," \
    "\"memory\":null,\"state\":{\"size_bytes\":9,\"sha256\":null},\"labels\":{},"              \
    "\"held\":true,\"restore\":null,\"record\":{\"capture\":\"copy\",\"labels\":{},"           \
    "\"held\":true,\"request_sha256\":\"\",\"manifest_sha256\":\"\",\"state_size_bytes\":9,"   \
    "\"state_sha256\":\"\"},\"units\":[{\"name\":\"rtc\",\"type_url\":\"t/rtc\","              \
    "\"size_bytes\":7}],\"restorable\":true,\"reasons\":[]}"

static void units_and_record_stand_beside_the_snapshot(void **state)
{
    struct state_unit units[] = {
        {BORROW("rtc"), BORROW("t/rtc"), 7}
    };
    struct inspection inspection = {
        .has_units = true, .units = {units, 1, 1}
    };
    struct snapshot *snapshot = &inspection.snapshot;

    (void)state;
    snapshot->id = (char *)"s";
    snapshot->path = (char *)"/v/s";
    snapshot->has_state = snapshot->has_record = snapshot->record.held = true;
    snapshot->record.capture = CAPTURE_COPY;
    snapshot->state_size_bytes = snapshot->record.state_size_bytes = 9;
    assert_document(&inspection, ALL);
}

static void a_document_without_room_is_an_error(void **state)
{
    struct error err = {0};
    const struct inspection inspection = {
        .snapshot = {.id = (char *)"s", .path = (char *)"/v/s"}
    };

    (void)state;
    for (size_t max = 1; max < 200; max++) {
        auto_text struct text out = {.max = max};
        if (inspection_to_json(&inspection, &out, &err))
            assert_int_equal(out.data[out.len - 1], '}');
        else
            assert_int_equal(err.code, ERR_INTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_null_and_named),
        cmocka_unit_test(units_and_record_stand_beside_the_snapshot),
        cmocka_unit_test(a_document_without_room_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
