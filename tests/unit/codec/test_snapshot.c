#include "codec/snapshot.h"
#include "tests/check.h"

#define SHA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What these tests fill in is borrowed: nothing is cleared. */
static struct text borrow(const char *string)
{
    return (struct text){.data = (char *)string, .len = strlen(string)};
}

static struct snapshot make_ready(void)
{
    return (struct snapshot){
        .id = (char *)"s1",
        .path = (char *)"/store/snapshots/s1",
        .status = SNAPSHOT_READY,
        .has_manifest = true,
        .manifest = {
                     .version = 1,
                     .openvmm_version = borrow("0.0.0"),
                     .memory_size_bytes = 1073741824,
                     .vp_count = 2,
                     .page_size = 4096,
                     .architecture = borrow("x86_64"),
                     },
        .has_memory = true,
        .memory_size_bytes = 1073741824,
        .has_state = true,
        .state_size_bytes = 288332,
    };
}

#define MANIFEST                                                                    \
    "{\"version\":1,\"created_at\":\"1970-01-01T00:00:00Z\",\"openvmm_version\":"   \
    "\"0.0.0\",\"memory_size_bytes\":1073741824,\"vp_count\":2,\"page_size\":4096," \
    "\"architecture\":\"x86_64\"}"

static void assert_document(const struct snapshot *snapshot, const char *json)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(snapshot_to_json(snapshot, &out, &err));
    assert_string_equal(text_str(&out), json);
}

static void assert_holds(const struct snapshot *snapshot, const char *part)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(snapshot_to_json(snapshot, &out, &err));
    if (!strstr(text_str(&out), part))
        fail_msg("%s is not in %s", part, text_str(&out));
}

static void assert_lacks(const struct snapshot *snapshot, const char *part)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(snapshot_to_json(snapshot, &out, &err));
    if (strstr(text_str(&out), part))
        fail_msg("%s is in %s", part, text_str(&out));
}

static void a_snapshot_of_ours_has_all_members_in_order(void **state)
{
    struct snapshot snapshot = make_ready();
    char *args[] = {(char *)"--uefi", (char *)"--disk"};
    struct label labels[] = {
        {(char *)"vm", (char *)"web"}
    };

    (void)state;
    snapshot.has_record = true;
    snapshot.record = (struct record){
        .capture = CAPTURE_LINK,
        .labels = {labels, 1},
        .held = true,
        .has_vmm_args = true,
        .vmm_args = {args,   2},
        .state_size_bytes = 288332,
        .state_sha256 = SHA,
    };
    assert_document(&snapshot,
                    "{\"id\":\"s1\",\"status\":\"ready\",\"problem\":null,"
                    "\"path\":\"/store/snapshots/s1\",\"manifest\":" MANIFEST ","
                    "\"memory\":{\"capture\":\"link\",\"size_bytes\":1073741824},"
                    "\"state\":{\"size_bytes\":288332,\"sha256\":\"" SHA "\"},"
                    "\"labels\":{\"vm\":\"web\"},\"held\":true,"
                    "\"restore\":{\"openvmm_args\":[\"--uefi\",\"--disk\",\"--memory\","
                    "\"size=1024M\",\"--processors\",\"2\",\"--restore-snapshot\","
                    "\"/store/snapshots/s1\"],\"complete\":true}}");
}

static void a_snapshot_of_openvmms_own_leaves_null_what_it_does_not_say(void **state)
{
    struct snapshot snapshot = make_ready();

    (void)state;
    assert_document(&snapshot,
                    "{\"id\":\"s1\",\"status\":\"ready\",\"problem\":null,"
                    "\"path\":\"/store/snapshots/s1\",\"manifest\":" MANIFEST ","
                    "\"memory\":{\"capture\":null,\"size_bytes\":1073741824},"
                    "\"state\":{\"size_bytes\":288332,\"sha256\":null},"
                    "\"labels\":{},\"held\":false,"
                    "\"restore\":{\"openvmm_args\":[\"--memory\",\"size=1024M\",\"--processors\","
                    "\"2\",\"--restore-snapshot\",\"/store/snapshots/s1\"],\"complete\":false}}");
}

static void what_is_missing_is_null(void **state)
{
    struct snapshot snapshot = {
        .id = (char *)"s1",
        .path = (char *)"/s1",
        .status = SNAPSHOT_INCOMPLETE,
        .problem = (char *)"memory.bin is missing",
    };

    (void)state;
    assert_document(&snapshot,
                    "{\"id\":\"s1\",\"status\":\"incomplete\","
                    "\"problem\":\"memory.bin is missing\","
                    "\"path\":\"/s1\",\"manifest\":null,\"memory\":null,\"state\":null,"
                    "\"labels\":{},\"held\":false,\"restore\":null}");
}

static void only_what_is_ready_can_be_restored(void **state)
{
    struct snapshot snapshot = make_ready();

    (void)state;
    snapshot.status = SNAPSHOT_INCOMPLETE;
    assert_holds(&snapshot, "\"manifest\":" MANIFEST);
    assert_holds(&snapshot, "\"restore\":null");
    snapshot.status = SNAPSHOT_DAMAGED;
    assert_holds(&snapshot, "\"restore\":null");
}

static void the_digest_is_of_a_state_file_of_the_recorded_size(void **state)
{
    struct snapshot snapshot = make_ready();

    (void)state;
    snapshot.has_record = true;
    snapshot.record = (struct record){
        .capture = CAPTURE_COPY,
        .state_size_bytes = 1,
        .state_sha256 = SHA,
    };
    assert_holds(&snapshot, "\"state\":{\"size_bytes\":288332,\"sha256\":null}");
    snapshot.record.state_size_bytes = 288332;
    snapshot.record.state_sha256[0] = '\0';
    assert_holds(&snapshot, "\"state\":{\"size_bytes\":288332,\"sha256\":null}");
}

static void an_empty_list_of_arguments_is_complete(void **state)
{
    struct snapshot snapshot = make_ready();

    (void)state;
    snapshot.has_record = true;
    snapshot.record = (struct record){.capture = CAPTURE_COPY, .has_vmm_args = true};
    assert_holds(&snapshot, "\"openvmm_args\":[\"--memory\"");
    assert_holds(&snapshot, "\"complete\":true");
    snapshot.record.has_vmm_args = false;
    assert_holds(&snapshot, "\"complete\":false");
}

static void memory_sizes_are_as_openvmm_reads_them(void **state)
{
    static const struct {
        uint64_t size;
        const char *argument;
    } sizes[] = {
        {1,                    "\"size=1\""                   },
        {1023,                 "\"size=1023\""                },
        {1024,                 "\"size=1K\""                  },
        {1048575,              "\"size=1048575\""             },
        {1049600,              "\"size=1025K\""               },
        {1048576,              "\"size=1M\""                  },
        {UINT64_C(3) << 40,    "\"size=3145728M\""            },
        {UINT64_MAX,           "\"size=18446744073709551615\""},
        {UINT64_MAX - 0xfffff, "\"size=17592186044415M\""     },
    };
    struct snapshot snapshot = make_ready();

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snapshot.manifest.memory_size_bytes = sizes[i].size;
        assert_holds(&snapshot, sizes[i].argument);
    }
}

static void what_moves_is_added_where_it_was_asked_for(void **state)
{
    struct snapshot snapshot = make_ready();

    (void)state;
    assert_lacks(&snapshot, "\"live\"");
    snapshot.has_live = true;
    snapshot.live = (struct live){.allocated_bytes = 51380224, .link_count = 2, .shared = true};
    assert_holds(&snapshot, "\"live\":{\"allocated_bytes\":51380224,\"link_count\":2,"
                            "\"shared\":true}}");
    snapshot.live.has_writer = true;
    snapshot.live.writer = WRITER_UNKNOWN;
    assert_holds(&snapshot, "\"shared\":true,\"writer\":\"unknown\"}}");
}

static void a_source_that_lives_on_is_warned_of(void **state)
{
    struct snapshot snapshot = make_ready();

    (void)state;
    assert_lacks(&snapshot, "warnings");
    snapshot.linked_to = (char *)"/vm/\"memory\".bin";
    assert_holds(&snapshot, "\"warnings\":[\"memory.bin is also /vm/\\\"memory\\\".bin: starting "
                            "that VM again rewrites this snapshot\"]}");
}

static void units_are_listed(void **state)
{
    struct state_unit items[] = {
        {borrow("pit"),  borrow("t/a"), 12        },
        {borrow("\x01"), borrow(""),    UINT64_MAX},
    };
    struct state_units units = {.items = items, .count = 2};
    struct state_units none = {0};
    struct error err = {0};
    auto_text struct text out = {0};

    (void)state;
    assert_succeeds(state_units_to_json(&units, &out, &err));
    assert_string_equal(text_str(&out),
                        "{\"units\":[{\"name\":\"pit\",\"type_url\":\"t/a\",\"size_bytes\":12},"
                        "{\"name\":\"\\u0001\",\"type_url\":\"\",\"size_bytes\":"
                        "\"18446744073709551615\"}]}");
    text_clear(&out);
    assert_succeeds(state_units_to_json(&none, &out, &err));
    assert_string_equal(text_str(&out), "{\"units\":[]}");
}

static void writing_fails_where_there_is_no_room(void **state)
{
    struct error err = {0};
    struct snapshot snapshot = make_ready();
    struct state_units units = {0};
    auto_text struct text document = {.max = 100};
    auto_text struct text list = {.max = 5};

    (void)state;
    assert_fails(snapshot_to_json(&snapshot, &document, &err), ERR_INTERNAL);
    assert_fails(state_units_to_json(&units, &list, &err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_of_ours_has_all_members_in_order),
        cmocka_unit_test(a_snapshot_of_openvmms_own_leaves_null_what_it_does_not_say),
        cmocka_unit_test(what_is_missing_is_null),
        cmocka_unit_test(only_what_is_ready_can_be_restored),
        cmocka_unit_test(the_digest_is_of_a_state_file_of_the_recorded_size),
        cmocka_unit_test(an_empty_list_of_arguments_is_complete),
        cmocka_unit_test(memory_sizes_are_as_openvmm_reads_them),
        cmocka_unit_test(what_moves_is_added_where_it_was_asked_for),
        cmocka_unit_test(a_source_that_lives_on_is_warned_of),
        cmocka_unit_test(units_are_listed),
        cmocka_unit_test(writing_fails_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
