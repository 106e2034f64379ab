#include "tests/soak/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "service/file.h"
#include "tests/soak/caller.h"
#include "tests/soak/model.h"
#include "tests/soak/version.h"

static uint64_t read_current(struct caller *caller, const char *id)
{
    struct path path = path_of("/snapshots/%s", id);
    const struct call call = {.path = path.text};
    auto_answer struct answer answer = {0};
    auto_text struct text why = {0};

    caller_call(caller, &call, &answer);
    EXPECT(caller, &call, &answer, 200, 404);
    if (answer.status == 404)
        return 0;
    uint64_t version = version_read(caller->soak, answer.json, &why);
    if (version == 0)
        soak_fail(caller->soak, "%s: %s: %s", id, text_str(&why), text_str(&answer.body));
    return version;
}

static void settle(struct caller *caller, struct slot *slot)
{
    const struct slot before = *slot;
    uint64_t version = read_current(caller, slot->id);

    if (!model_settle(caller->soak, slot, version))
        soak_fail(caller->soak, "%s is version %" PRIx64 "; acknowledged: %" PRIx64 "%s%.0" PRIx64,
                  slot->id, version, before.current, before.is_uncertain ? ", or the next" : "",
                  before.next);
}

/* A nameless create whose answer was lost, or whose removal had no room. */
static void remove_stray(struct caller *caller, const char *id)
{
    struct path path = path_of("/snapshots/%s", id);
    const struct call call = {.method = "DELETE", .path = path.text};
    auto_answer struct answer answer = {0};

    if (read_current(caller, id) == 0)
        soak_fail(caller->soak, "%s is listed, and not there", id);
    caller_call(caller, &call, &answer);
    EXPECT(caller, &call, &answer, 204, 507);
}

static void check_listed(struct caller *caller)
{
    struct path dir = path_of("%s/snapshots", caller->soak->test.fixture.store.text);
    DIR *list = opendir(dir.text);

    must(list, dir.text);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the list is this thread's */
    for (const struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.' && !model_find(caller->soak, entry->d_name))
            remove_stray(caller, entry->d_name);
    closedir(list);
}

static void check_with(struct caller *caller)
{
    for (size_t i = 0; i < SLOTS; i++)
        settle(caller, &caller->soak->slots[i]);
    check_listed(caller);
}

/* Whoever asks for everything at once may be limited, and must have all answers. */
static void open_judge(struct caller *caller, struct soak *soak)
{
    caller_open(caller, soak, BEARER JUDGE_TOKEN, soak->seed);
    caller->is_patient = true;
}

void check_answers(struct soak *soak)
{
    struct caller caller;

    open_judge(&caller, soak);
    check_with(&caller);
    caller_close(&caller);
}

/* The manifest as protobuf is the file; the file as JSON was looked at before. */
static void check_manifest(struct caller *caller, const char *id)
{
    struct path path = path_of("/snapshots/%s/manifest", id);
    const struct call call = {.path = path.text, .headers = {"Accept: application/protobuf"}};
    struct path file = fixture_snapshot(&caller->soak->test.fixture, id, MANIFEST_FILE);
    auto_answer struct answer answer = {0};
    auto_text struct text bytes = {0};
    struct error err;

    must(file_read(AT_FDCWD, file.text, TEXT_MAX, &bytes, NULL, &err), file.text);
    caller_call(caller, &call, &answer);
    EXPECT(caller, &call, &answer, 200);
    if (!text_equals(&answer.body, bytes.data, bytes.len))
        soak_fail(caller->soak, "%s is not what %s answers", file.text, path.text);
}

static void check_leftovers(struct soak *soak)
{
    static const char *const places[] = {"staging", "trash"};

    for (size_t i = 0; i < 2; i++) {
        struct path place = path_of("%s/.vmsnapd/%s", soak->test.fixture.store.text, places[i]);
        if (disk_count(place.text) != 0)
            soak_fail(soak, "%s is not empty", place.text);
    }
}

void check_bytes(struct soak *soak)
{
    struct caller caller;

    check_leftovers(soak);
    open_judge(&caller, soak);
    check_with(&caller);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *slot = &soak->slots[i];
        auto_text struct text why = {0};
        if (slot->current == 0)
            continue;
        if (!version_is_on_disk(soak, slot->current, slot->id, &why))
            soak_fail(soak, "%s, version %" PRIx64 ": %s", slot->id, slot->current, text_str(&why));
        check_manifest(&caller, slot->id);
    }
    caller_close(&caller);
}
