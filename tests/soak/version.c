#include "tests/soak/version.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "codec/manifest_pb.h"
#include "service/file.h"

#define BOUNDARY    "soak-boundary-7f3a"
#define STATE_FILES 4

/* Sizes of the memory sources; of each, every third page is a hole and every third one zeros. */
static const size_t memory_sizes[] = {4096, 64 << 10, 300000, 1 << 20, 3 << 20};
#define MEMORIES (sizeof memory_sizes / sizeof memory_sizes[0])
#define PAGE     4096

struct version version_of(const struct soak *soak, uint64_t number)
{
    static const enum capture captures[] = {CAPTURE_UNKNOWN, CAPTURE_LINK, CAPTURE_COPY,
                                            CAPTURE_ISOLATE, CAPTURE_REFLINK};
    uint64_t random = number;
    struct version version = {
        .number = number,
        .memory = random_below(&random, MEMORIES),
        .capture = captures[random_below(&random, soak->can_reflink ? 5 : 4)],
        .way = random_below(&random, STATE__COUNT),
        .blob_size = random_below(&random, 1U << random_below(&random, 16)),
        .vp_count = 1 + random_below(&random, 64),
        .page_size = 4096U << random_below(&random, 5),
        .is_arm = random_below(&random, 2),
        .has_time = random_below(&random, 2),
    };

    if (version.way == STATE_MULTIPART && random_below(&random, 8) == 0)
        version.blob_size = random_below(&random, 4 << 20);
    return version;
}

static struct path memory_path(const struct soak *soak, unsigned memory)
{
    return path_of("%s/memory-%u", soak->test.fixture.root.text, memory);
}

static struct path state_path(const struct soak *soak, uint64_t number)
{
    return path_of("%s/state-%u", soak->test.fixture.root.text, (unsigned)(number % STATE_FILES));
}

static void add_random(struct text *out, uint64_t seed, size_t len)
{
    must(text_reserve(out, len + sizeof seed), "memory");
    for (size_t done = 0; done < len; done += sizeof seed) {
        uint64_t word = random_next(&seed);
        memcpy(out->data + out->len + done, &word, sizeof word);
    }
    out->len += len;
}

/* Bytes of the memory source: what is no hole is random or zero. */
static void make_memory(const struct soak *soak, unsigned memory)
{
    struct path path = memory_path(soak, memory);
    auto_text struct text page = {0};
    struct error err;
    auto_fd int fd = open(path.text, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);

    must(fd >= 0 && ftruncate(fd, (off_t)memory_sizes[memory]) == 0, path.text);
    for (size_t at = 0; at < memory_sizes[memory]; at += PAGE) {
        size_t left = memory_sizes[memory] - at;
        text_clear(&page);
        if (at / PAGE % 3 == 2)
            continue;
        add_random(&page, at + memory, left < PAGE ? left : PAGE);
        if (at / PAGE % 3 == 1)
            memset(page.data, 0, page.len);
        must(lseek(fd, (off_t)at, SEEK_SET) == (off_t)at, path.text);
        must(file_write_all(fd, page.data, page.len, path.text, &err), path.text);
    }
}

/* A field of protobuf's wire type LEN. */
static void add_field(struct text *out, unsigned number, const void *data, size_t len)
{
    char head[16] = {(char)(number << 3 | 2)};
    size_t head_len = 1;
    size_t rest = len;

    for (; rest >= 0x80; rest >>= 7)
        head[head_len++] = (char)(rest | 0x80);
    head[head_len++] = (char)rest;
    must(text_append(out, head, head_len) && text_append(out, data, len), "memory");
}

/* As OpenVMM saves it: units of a name and a google.protobuf.Any; here one device. */
static void make_state(uint64_t seed, size_t blob_size, struct text *out)
{
    static const char type[] = "type.googleapis.com/soak.SavedState";
    auto_text struct text blob = {0};
    auto_text struct text any = {0};
    auto_text struct text unit = {0};

    add_random(&blob, seed, blob_size);
    add_field(&any, 1, type, strlen(type));
    add_field(&any, 2, text_str(&blob), blob.len);
    add_field(&unit, 1, "soak", 4);
    add_field(&unit, 2, any.data, any.len);
    add_field(out, 1, unit.data, unit.len);
}

void version_state(const struct soak *soak, uint64_t number, struct text *out)
{
    struct version version = version_of(soak, number);

    if (version.way == STATE_PATH)
        make_state(number % STATE_FILES, 10000 * (size_t)(number % STATE_FILES), out);
    else if (version.way != STATE_NONE)
        make_state(number, version.blob_size, out);
}

void version_make_sources(const struct soak *soak)
{
    for (unsigned i = 0; i < MEMORIES; i++)
        make_memory(soak, i);
    for (unsigned i = 0; i < STATE_FILES; i++) {
        auto_text struct text state = {0};
        make_state(i, 10000 * (size_t)i, &state);
        test_write(state_path(soak, i).text, state.data, state.len);
    }
}

static void add_base64(struct text *out, const struct text *data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)text_str(data);

    for (size_t i = 0; i < data->len; i += 3) {
        size_t len = data->len - i;
        unsigned bits = (unsigned)at[i] << 16 | (len > 1 ? (unsigned)at[i + 1] << 8 : 0)
            | (len > 2 ? at[i + 2] : 0);
        text_appendf(out, "%c%c%c%c", digits[bits >> 18], digits[bits >> 12 & 63],
                     len > 1 ? digits[bits >> 6 & 63] : '=', len > 2 ? digits[bits & 63] : '=');
    }
}

static void add_time(const struct version *version, struct text *out)
{
    if (version->has_time)
        text_appendf(out, "2026-01-02T03:04:05.%03uZ", 1 + (unsigned)(version->number % 999));
}

static void add_json(const struct soak *soak, const struct version *version, const char *id,
                     struct text *out)
{
    text_appends(out, "{");
    if (id)
        text_appendf(out, "\"id\":\"%s\",", id);
    if (version->capture)
        text_appendf(out, "\"capture\":\"%s\",", capture_name(version->capture));
    if (version->has_time) {
        text_appends(out, "\"created_at\":\"");
        add_time(version, out);
        text_appends(out, "\",");
    }
    if (version->way == STATE_PATH)
        text_appendf(out, "\"state_file_path\":\"%s\",", state_path(soak, version->number).text);
    if (version->way == STATE_BASE64) {
        auto_text struct text state = {0};
        version_state(soak, version->number, &state);
        text_appends(out, "\"state_base64\":\"");
        add_base64(out, &state);
        text_appends(out, "\",");
    }
    text_appendf(out,
                 "\"memory_file_path\":\"%s\",\"openvmm_version\":\"%" PRIx64 "\",\"vp_count\":%u,"
                 "\"page_size\":%u,\"architecture\":\"%s\",\"vmm_args\":[\"--uefi\"],"
                 "\"labels\":{\"version\":\"%" PRIx64 "\"}}",
                 memory_path(soak, version->memory).text, version->number, version->vp_count,
                 version->page_size, version->is_arm ? "aarch64" : "x86_64", version->number);
}

static void add_part(struct text *body, const char *name, const struct text *data)
{
    text_appendf(body, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
                 name);
    text_append(body, text_str(data), data->len);
    text_appends(body, "\r\n");
}

void version_request(const struct soak *soak, uint64_t number, const char *id,
                     struct version_request *out)
{
    struct version version = version_of(soak, number);
    auto_text struct text json = {0};
    auto_text struct text state = {0};

    *out = (struct version_request){0};
    add_json(soak, &version, id, &json);
    if (version.way == STATE_MULTIPART) {
        version_state(soak, number, &state);
        text_appends(&out->type, "Content-Type: multipart/form-data; boundary=" BOUNDARY);
        add_part(&out->body, "snapshot", &json);
        add_part(&out->body, "state", &state);
        text_appends(&out->body, "--" BOUNDARY "--\r\n");
    } else {
        text_appends(&out->type, JSON_BODY);
        text_append(&out->body, json.data, json.len);
    }
    must(!text_failed(&json) && !text_failed(&out->body), "memory");
}

void version_request_clear(struct version_request *request)
{
    text_clear(&request->type);
    text_clear(&request->body);
}

bool version_has_manifest(const struct soak *soak, uint64_t number, const json_t *manifest)
{
    struct version version = version_of(soak, number);
    struct path name = path_of("%" PRIx64, number);
    auto_text struct text time = {0};
    const char *openvmm, *architecture, *created_at;
    json_int_t vp_count, page_size, memory_size;

    add_time(&version, &time);
    return json_unpack((json_t *)manifest, "{s:s,s:s,s:s,s:I,s:I,s:I}", "openvmm_version", &openvmm,
                       "architecture", &architecture, "created_at", &created_at, "vp_count",
                       &vp_count, "page_size", &page_size, "memory_size_bytes", &memory_size)
        == 0
        && strcmp(openvmm, name.text) == 0
        && strcmp(architecture, version.is_arm ? "aarch64" : "x86_64") == 0
        && (!version.has_time || strcmp(created_at, time.data) == 0)
        && vp_count == version.vp_count && page_size == version.page_size
        && memory_size == (json_int_t)memory_sizes[version.memory];
}

static bool is_captured_as(const struct version *version, const char *recorded)
{
    switch (version->capture) {
    case CAPTURE_UNKNOWN:
        return strcmp(recorded, "link") == 0;
    case CAPTURE_ISOLATE:
        return strcmp(recorded, "copy") == 0 || strcmp(recorded, "reflink") == 0;
    default:
        return strcmp(recorded, capture_name(version->capture)) == 0;
    }
}

static bool has_state(const struct soak *soak, uint64_t number, json_int_t size, const char *sha256)
{
    auto_text struct text state = {0};
    char digest[DIGEST_HEX_SIZE];
    struct error err;

    version_state(soak, number, &state);
    must(digest_of(text_str(&state), state.len, digest, &err), "digest");
    return size == (json_int_t)state.len && strcmp(sha256, digest) == 0;
}

uint64_t version_read(const struct soak *soak, const json_t *snapshot, struct text *why)
{
    const char *status, *label, *capture, *sha256;
    json_int_t memory_size, state_size;
    json_t *manifest;
    json_error_t error;

    if (json_unpack_ex((json_t *)snapshot, &error, 0, "{s:s,s:o,s:{s:s},s:{s:s,s:I},s:{s:I,s:s}}",
                       "status", &status, "manifest", &manifest, "labels", "version", &label,
                       "memory", "capture", &capture, "size_bytes", &memory_size, "state",
                       "size_bytes", &state_size, "sha256", &sha256)
        != 0) {
        text_appends(why, error.text);
        return 0;
    }
    uint64_t number = strtoull(label, NULL, 16);
    struct version version = version_of(soak, number);
    if (strcmp(status, "ready") == 0 && version_has_manifest(soak, number, manifest)
        && is_captured_as(&version, capture)
        && memory_size == (json_int_t)memory_sizes[version.memory]
        && has_state(soak, number, state_size, sha256))
        return number;
    text_appendf(why, "its members do not go together (version %" PRIx64 ")", number);
    return 0;
}

static bool holds(const char *path, const struct text *expected)
{
    auto_text struct text bytes = {0};
    struct error err;

    return file_read(AT_FDCWD, path, TEXT_MAX, &bytes, NULL, &err)
        && text_equals(&bytes, text_str(expected), expected->len);
}

bool version_is_on_disk(const struct soak *soak, uint64_t number, const char *id, struct text *why)
{
    struct version version = version_of(soak, number);
    const struct fixture *fixture = &soak->test.fixture;
    auto_text struct text state = {0};
    auto_text struct text memory = {0};
    struct error err;
    struct path source = memory_path(soak, version.memory);

    version_state(soak, number, &state);
    must(file_read(AT_FDCWD, source.text, TEXT_MAX, &memory, NULL, &err), source.text);
    if (!holds(fixture_snapshot(fixture, id, STATE_FILE).text, &state))
        return text_appends(why, STATE_FILE " is another") && false;
    if (!holds(fixture_snapshot(fixture, id, MEMORY_FILE).text, &memory))
        return text_appends(why, MEMORY_FILE " is another") && false;
    if (disk_count(fixture_snapshot(fixture, id, "").text) != 4)
        return text_appends(why, "it does not hold just four files") && false;
    return true;
}
