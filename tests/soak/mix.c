#include "tests/soak/mix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/soak/model.h"
#include "tests/soak/rude.h"
#include "tests/soak/version.h"

static uint64_t new_version(struct caller *caller)
{
    return random_next(&caller->random) | 1; /* 0 is none */
}

static struct call call_for(const struct caller *caller, const char *method, const char *path,
                            const struct version_request *request)
{
    return (struct call){.method = method,
                         .path = path,
                         .headers = {request->type.data},
                         .body = request->body.data,
                         .body_len = request->body.len,
                         .chunked = (caller->random & 3) == 0};
}

/* The answer's snapshot is of this version. */
static void check_document(struct caller *caller, const char *path, const struct answer *answer,
                           uint64_t version)
{
    auto_text struct text why = {0};

    if (version_read(caller->soak, answer->json, &why) != version)
        soak_fail(caller->soak, "%s is not version %" PRIx64 ": %s: %s", path, version,
                  text_str(&why), text_str(&answer->body));
}

/* Sends the request that makes the slot's next version. False, having given the slot up, if no
 * answer came. */
static bool send_version(struct caller *caller, struct slot *slot, const struct call *call,
                         uint64_t version, struct answer *out)
{
    model_announce(caller->soak, slot, version);
    if (caller_call(caller, call, out))
        return true;
    model_abandon(caller->soak, slot);
    return false;
}

/* The slot is at `version` if the request was carried out, and as it was if it was refused. */
static void conclude(struct caller *caller, struct slot *slot, const struct answer *answer,
                     uint64_t version)
{
    bool was_done = answer->status / 100 == 2;

    if (was_done)
        atomic_fetch_add(&caller->soak->tally.acknowledged, 1);
    model_release(caller->soak, slot, was_done ? version : slot->current);
}

/* The same request again: the same snapshot, or nothing new. */
static void retry(struct caller *caller, const struct call *call, uint64_t version)
{
    auto_answer struct answer again = {0};

    if (!caller_call(caller, call, &again))
        return;
    EXPECT(caller, call, &again, 200, 507);
    if (again.status == 200)
        check_document(caller, call->path, &again, version);
}

static void create(struct caller *caller)
{
    struct slot *slot = model_take(caller->soak, &caller->random);
    uint64_t version = new_version(caller);
    auto_version_request struct version_request request = {0};
    auto_answer struct answer answer = {0};

    if (!slot)
        return;
    version_request(caller->soak, version, slot->id, &request);
    struct call call = call_for(caller, "POST", "/snapshots", &request);
    bool is_taken = slot->current != 0;
    if (!send_version(caller, slot, &call, is_taken ? slot->current : version, &answer))
        return;
    EXPECT(caller, &call, &answer, is_taken ? 409 : 201, 507);
    if (answer.status == 201) {
        check_document(caller, slot->id, &answer, version);
        if (random_below(&caller->random, 2))
            retry(caller, &call, version);
    }
    conclude(caller, slot, &answer, version);
}

/* With a condition that holds, or with one that does not. */
static void replace(struct caller *caller)
{
    struct slot *slot = model_take(caller->soak, &caller->random);
    uint64_t version = new_version(caller);
    auto_version_request struct version_request request = {0};
    auto_answer struct answer answer = {0};

    if (!slot)
        return;
    version_request(caller->soak, version, random_below(&caller->random, 2) ? slot->id : NULL,
                    &request);
    struct path path = path_of("/snapshots/%s", slot->id);
    struct call call = call_for(caller, "PUT", path.text, &request);
    bool fails = random_below(&caller->random, 8) == 0;
    if (fails)
        call.headers[1] = slot->current ? "If-None-Match: *" : "If-Match: *";
    if (!send_version(caller, slot, &call, fails ? slot->current : version, &answer))
        return;
    EXPECT(caller, &call, &answer, fails ? 412 : slot->current ? 200
                                                               : 201,
           507);
    if (answer.status / 100 == 2)
        check_document(caller, path.text, &answer, version);
    conclude(caller, slot, &answer, version);
}

/* What is not part of a version. */
static void patch(struct caller *caller)
{
    static const char *const bodies[] = {"{\"labels\":{\"touched\":\"1\"}}",
                                         "{\"labels\":{\"touched\":null},\"held\":false}", "{}"};
    struct slot *slot = model_take(caller->soak, &caller->random);
    auto_answer struct answer answer = {0};

    if (!slot)
        return;
    struct path path = path_of("/snapshots/%s", slot->id);
    const struct call call = {.method = "PATCH",
                              .path = path.text,
                              .headers = {"Content-Type: application/merge-patch+json"},
                              .body = bodies[random_below(&caller->random, 3)]};
    if (!send_version(caller, slot, &call, slot->current, &answer))
        return;
    EXPECT(caller, &call, &answer, slot->current ? 200 : 404, 507);
    if (answer.status == 200)
        check_document(caller, path.text, &answer, slot->current);
    conclude(caller, slot, &answer, slot->current);
}

static void remove_one(struct caller *caller)
{
    struct slot *slot = model_take(caller->soak, &caller->random);
    auto_answer struct answer answer = {0};

    if (!slot)
        return;
    struct path path = path_of("/snapshots/%s", slot->id);
    const struct call call = {.method = "DELETE", .path = path.text};
    if (!send_version(caller, slot, &call, 0, &answer))
        return;
    EXPECT(caller, &call, &answer, slot->current ? 204 : 404, 507);
    conclude(caller, slot, &answer, 0);
}

/* What the plan says is what comes of it: the slot goes, unless it was made at a time that is yet
 * to come. */
static void apply_plan(struct caller *caller, struct slot *slot, const struct answer *planned)
{
    auto_answer struct answer answer = {0};
    const char *token = "";
    int drops = 0;
    int dropped = 0;

    json_unpack(planned->json, "{s:s,s:i}", "token", &token, "drop_count", &drops);
    auto_text struct text body = {0};
    text_appendf(&body, "{\"token\":\"%s\"}", token);
    const struct call call = {
        .path = "/retention/apply", .headers = {JSON_BODY}, .body = text_str(&body)};
    if (!send_version(caller, slot, &call, drops ? 0 : slot->current, &answer))
        return;
    EXPECT(caller, &call, &answer, 200, 409); /* 409: another client's is carried out */
    if (answer.status == 200)
        dropped = (int)json_array_size(json_object_get(answer.json, "dropped"));
    if (answer.status == 200 && dropped != drops && !strstr(text_str(&answer.body), "no_space"))
        soak_fail(caller->soak, "%s: %d were to be dropped: %s", slot->id, drops,
                  text_str(&answer.body));
    conclude(caller, slot, &answer, dropped ? 0 : slot->current);
}

/* By a policy that keeps nothing of the one slot that it is about. */
static void thin_out(struct caller *caller)
{
    struct slot *slot = model_take(caller->soak, &caller->random);
    auto_answer struct answer answer = {0};

    if (!slot)
        return;
    struct path body = path_of("{\"max_bytes\":0,\"filter\":{\"q\":\"%s\"}}", slot->id);
    const struct call call = {
        .path = "/retention/plan", .headers = {JSON_BODY}, .body = body.text};
    if (!send_version(caller, slot, &call, slot->current, &answer))
        return;
    EXPECT(caller, &call, &answer, 200);
    if (answer.status == 200)
        apply_plan(caller, slot, &answer);
    else
        model_release(caller->soak, slot, slot->current);
}

/* The service names it; whoever reads the answer removes it. */
static void create_nameless(struct caller *caller)
{
    uint64_t version = new_version(caller);
    auto_version_request struct version_request request = {0};
    auto_answer struct answer made = {0};
    auto_answer struct answer found = {0};
    auto_answer struct answer removed = {0};

    version_request(caller->soak, version, NULL, &request);
    struct call call = call_for(caller, "POST", "/snapshots", &request);
    if (!caller_call(caller, &call, &made))
        return;
    EXPECT(caller, &call, &made, 201, 507);
    if (made.status != 201)
        return;
    struct path path = path_of("%s", answer_header(&made, "Location"));
    call = (struct call){.path = path.text};
    if (!caller_call(caller, &call, &found))
        return;
    EXPECT(caller, &call, &found, 200);
    if (found.status == 200)
        check_document(caller, path.text, &found, version);
    call.method = "DELETE";
    if (caller_call(caller, &call, &removed))
        EXPECT(caller, &call, &removed, 204, 507);
}

static struct slot *any_slot(struct caller *caller)
{
    return &caller->soak->slots[random_below(&caller->random, SLOTS)];
}

/* GET of something beneath any slot, whatever happens to it meanwhile. 404 is the version 0. */
static bool get_beneath(struct caller *caller, const struct slot *slot, const char *rest,
                        const char *header, struct answer *out)
{
    struct path path = path_of("/snapshots/%s%s", slot->id, rest);
    const struct call call = {.path = path.text, .headers = {header}};
    struct view since = model_view(caller->soak, slot);

    if (!caller_call(caller, &call, out))
        return false;
    EXPECT(caller, &call, out, 200, 206, 304, 404, 416);
    if (out->status == 404 && !model_allows(caller->soak, slot, &since, 0))
        soak_fail(caller->soak, "%s is gone", path.text);
    return out->status == 200 || out->status == 206;
}

static void read_snapshot(struct caller *caller)
{
    const struct slot *slot = any_slot(caller);
    struct view since = model_view(caller->soak, slot);
    auto_text struct text why = {0};
    auto_answer struct answer answer = {0};
    auto_answer struct answer again = {0};

    if (!get_beneath(caller, slot, random_below(&caller->random, 4) ? "" : "?include=live", NULL,
                     &answer))
        return;
    uint64_t version = version_read(caller->soak, answer.json, &why);
    if (version == 0 || !model_allows(caller->soak, slot, &since, version))
        soak_fail(caller->soak, "%s cannot be version %" PRIx64 ": %s: %s", slot->id, version,
                  text_str(&why), text_str(&answer.body));
    const char *tag = answer_header(&answer, "ETag");
    if (tag)
        get_beneath(caller, slot, "", path_of("If-None-Match: %s", tag).text, &again);
}

static void read_manifest(struct caller *caller)
{
    const struct slot *slot = any_slot(caller);
    bool as_json = random_below(&caller->random, 2);
    auto_answer struct answer answer = {0};
    const char *number;

    if (!get_beneath(caller, slot, "/manifest", as_json ? NULL : "Accept: application/protobuf",
                     &answer)
        || !as_json)
        return;
    if (json_unpack(answer.json, "{s:s}", "openvmm_version", &number) != 0
        || !version_has_manifest(caller->soak, strtoull(number, NULL, 16), answer.json))
        soak_fail(caller->soak, "%s has this manifest: %s", slot->id, text_str(&answer.body));
}

static void read_state(struct caller *caller)
{
    auto_answer struct answer answer = {0};
    unsigned first = random_below(&caller->random, 2000);
    struct path range =
        path_of("Range: bytes=%u-%u", first, first + random_below(&caller->random, 100000));

    get_beneath(caller, any_slot(caller), "/state",
                random_below(&caller->random, 2) ? range.text : NULL, &answer);
}

static void read_units(struct caller *caller)
{
    auto_answer struct answer answer = {0};
    json_t *units;

    if (get_beneath(caller, any_slot(caller), "/state/units", NULL, &answer)
        && (json_unpack(answer.json, "{s:o}", "units", &units) != 0 || json_array_size(units) > 1))
        soak_fail(caller->soak, "units: %s", text_str(&answer.body));
}

static void validate(struct caller *caller)
{
    static const char *const bodies[] = {"{\"architecture\":\"x86_64\"}",
                                         "{\"vp_count\":2,\"page_size\":4096}",
                                         "{\"state_units\":[\"soak\"]}"};
    struct path path =
        path_of("/snapshots/%s/validate%s", any_slot(caller)->id,
                random_below(&caller->random, 4) ? "" : "?strict=1");
    const struct call call = {.path = path.text,
                              .headers = {JSON_BODY},
                              .body = bodies[random_below(&caller->random, 3)]};
    auto_answer struct answer answer = {0};

    if (caller_call(caller, &call, &answer))
        EXPECT(caller, &call, &answer, 200, 404, 409);
}

/* Page after page; each item is what some version says, or is being made. */
static void read_list(struct caller *caller)
{
    struct path path = path_of("/snapshots?limit=%u%s", 1 + random_below(&caller->random, 100),
                               random_below(&caller->random, 4) ? "" : "&include=live");

    for (;;) {
        auto_answer struct answer answer = {0};
        auto_text struct text why = {0};
        const struct call call = {.path = path.text};
        json_t *items, *next;
        if (!caller_call(caller, &call, &answer))
            return;
        EXPECT(caller, &call, &answer, 200);
        if (answer.status != 200)
            return;
        must(json_unpack(answer.json, "{s:o,s:o}", "snapshots", &items, "next", &next) == 0, "it");
        for (size_t i = 0; i < json_array_size(items); i++)
            if (version_read(caller->soak, json_array_get(items, i), &why) == 0)
                soak_fail(caller->soak, "in a list: %s: %s", text_str(&why),
                          text_str(&answer.body));
        if (!json_is_string(next))
            return;
        path = path_of("/snapshots?limit=50&cursor=%s", json_string_value(next));
    }
}

/* What is answered without a snapshot. */
static void ask_aside(struct caller *caller)
{
    static const struct {
        const char *method, *path, *header, *body;
        long status;
    } rows[] = {
        {"GET",     "/healthz",                  NULL,                        NULL,         200},
        {"GET",     "/readyz",                   NULL,                        NULL,         200},
        {"GET",     "/metrics",                  NULL,                        NULL,         200},
        {"GET",     "/openapi.yaml",             NULL,                        NULL,         200},
        {"HEAD",    "/snapshots",                NULL,                        NULL,         200},
        {"OPTIONS", "/snapshots/slot-000",       NULL,                        NULL,         204},
        {"PATCH",   "/snapshots",                NULL,                        NULL,         405},
        {"GET",     "/nowhere",                  NULL,                        NULL,         404},
        {"GET",     "/snapshots?colour=red",     NULL,                        NULL,         422},
        {"POST",    "/snapshots",                JSON_BODY,                   "{",          400},
        {"POST",    "/snapshots",                JSON_BODY,                   "{\"vp\":1}", 422},
        {"POST",    "/snapshots",                "Content-Type: text/plain",  "x",          415},
        {"GET",     "/snapshots",                BEARER "vmsnapd_none",       NULL,         401},
        {"GET",     "/snapshots/slot-000",       "Authorization: Basic Og==", NULL,         401},
        {"GET",     "/snapshots",                BEARER READER_TOKEN,         NULL,         200},
        {"DELETE",  "/snapshots/slot-000",       BEARER READER_TOKEN,         NULL,         403},
        {"GET",     "/snapshots/slot-000/state", BEARER READER_TOKEN,         NULL,         403},
    };
    size_t i = random_below(&caller->random, sizeof rows / sizeof rows[0]);
    const struct call call = {.method = rows[i].method,
                              .path = rows[i].path,
                              .headers = {rows[i].header},
                              .body = rows[i].body};
    auto_answer struct answer answer = {0};

    if (caller_call(caller, &call, &answer))
        EXPECT(caller, &call, &answer, rows[i].status);
}

static const struct {
    void (*act)(struct caller *caller);
    unsigned weight;
} acts[] = {
    {create,          12},
    {replace,         10},
    {patch,           2 },
    {remove_one,      8 },
    {thin_out,        2 },
    {create_nameless, 3 },
    {read_snapshot,   11},
    {read_manifest,   8 },
    {read_state,      6 },
    {read_units,      4 },
    {validate,        6 },
    {read_list,       1 },
    {ask_aside,       10},
    {rude_write,      3 },
    {rude_act,        14},
};
#define WEIGHTS 100

void mix_act(struct caller *caller)
{
    unsigned left = random_below(&caller->random, WEIGHTS);
    size_t i = 0;

    while (left >= acts[i].weight)
        left -= acts[i++].weight;
    acts[i].act(caller);
}
