/* Directory trees that OpenVMM's write_snapshot and restore meet, and what this service does with
 * them. Where it does otherwise, the table says why. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/manifest_pb.h"
#include "tests/check.h"
#include "tests/golden/vectors.h"
#include "tests/store_fixture.h"

#define LINES       45
#define ID          "snap"
#define MEMORY_SIZE ((uint64_t)8192)
#define STATE_SIZE  2337
#define VERSION     "1.2.3.4" /* as long as the vectors' */

struct trial {
    struct fixture fixture;
    struct path snap;      /* the snapshot's directory: $W/snap */
    struct path elsewhere; /* a directory on another filesystem: $SHM; "" if there is none */
};

/* The store and its parents do not exist yet; the whole of $W is a memory root. */
static void begin(struct trial *trial)
{
    struct fixture *fixture = &trial->fixture;

    fixture_make(fixture, NULL);
    fixture->store = path_of("%s/of/vms/store", fixture->home.text);
    fixture->roots[0] = fixture->home.text;
    fixture_open(fixture);
    trial->snap = path_of("%s/snapshots/" ID, fixture->store.text);
    trial->elsewhere.text[0] = '\0';
}

static void end(struct trial *trial)
{
    fixture_remove(&trial->fixture);
    if (trial->elsewhere.text[0])
        disk_remove(trial->elsewhere.text);
}

static bool begins_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* Where a path of the vectors is with us: "snap/x" and "a/b/c/x" are in the snapshot. */
static struct path place(const struct trial *trial, const char *path)
{
    if (begins_with(path, "snap"))
        return path_of("%s%s", trial->snap.text, path + strlen("snap"));
    return path_of("%s/%s", trial->fixture.home.text, path);
}

/* OpenVMM's text with our paths in it. */
static void expand(const struct trial *trial, const char *message, struct text *out)
{
    const struct {
        const char *token, *value;
    } tokens[] = {
        {"$W/snap", trial->snap.text        },
        {"$W",      trial->fixture.home.text},
        {"$SHM",    trial->elsewhere.text   },
    };

    while (*message) {
        const char *value = NULL;
        for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] && !value; i++)
            if (begins_with(message, tokens[i].token)) {
                value = tokens[i].value;
                message += strlen(tokens[i].token);
            }
        assert_true(value ? text_appends(out, value) : text_append(out, message++, 1));
    }
}

/* ---- write_snapshot ---- */

enum ending {
    AS_OPENVMM, /* the same tree; where OpenVMM fails, so do we */
    UNTOUCHED,  /* refused: the tree is as it was */
    WHOLE,      /* a whole snapshot by hard link */
};

struct writing {
    const char *name;
    enum ending ending;
    enum error_code code; /* ERR_NONE: it succeeds */
    const char *why;      /* of what differs from OpenVMM; NULL for nothing */
};

/* clang-format off */
static const struct writing writings[] = {
    {"new directory, memory file outside it",
     AS_OPENVMM, ERR_NONE, NULL},
    {"nested new directories are created",
     AS_OPENVMM, ERR_NONE, NULL},
    {"directory exists and is empty",
     AS_OPENVMM, ERR_NONE, NULL},
    {"old longer manifest.bin and state.bin are truncated and replaced; other files stay",
     UNTOUCHED, ERR_FOREIGN_FILES,
     "a directory is replaced whole, and not while it holds others' files"},
    {"memory file IS dir/memory.bin: link step skipped",
     AS_OPENVMM, ERR_NONE, NULL},
    {"memory file is a symlink to dir/memory.bin: canonical paths equal, skipped",
     AS_OPENVMM, ERR_NONE, NULL},
    {"a different memory.bin is already there: removed, then linked",
     AS_OPENVMM, ERR_NONE, NULL},
    {"memory.bin is already a hard link of the same inode: removed and linked again",
     AS_OPENVMM, ERR_NONE, NULL},
    {"memory.bin is a symlink to the memory file: canonical paths equal, skipped, symlink stays",
     WHOLE, ERR_NONE,
     "the new directory takes the old one's place: the bytes no longer hang on a symlink"},
    {"memory.bin is a symlink to some other file: the symlink is removed, the other file stays",
     AS_OPENVMM, ERR_NONE, NULL},
    {"memory.bin is a dangling symlink: exists() is false, link fails with EEXIST after manifest "
     "and state were written",
     WHOLE, ERR_NONE,
     "the new directory takes the old one's place, whatever was in it"},
    {"memory.bin is a directory",
     UNTOUCHED, ERR_FOREIGN_FILES,
     "nothing is written before it is known to succeed"},
    {"memory file missing: error, but manifest.bin and state.bin are left behind",
     UNTOUCHED, ERR_INVALID,
     "nothing is written before the source is open"},
    {"memory file is a symlink: the link target is the real file",
     AS_OPENVMM, ERR_NONE, NULL},
    {"memory file is a directory",
     UNTOUCHED, ERR_INVALID,
     "nothing is written before the source is known to be a file"},
    {"snapshot path is a file",
     AS_OPENVMM, ERR_EXISTS, NULL},
    {"manifest.bin is a directory",
     AS_OPENVMM, ERR_FOREIGN_FILES, NULL},
    {"memory file on another file system (EXDEV)",
     UNTOUCHED, ERR_DIFFERENT_FILESYSTEM,
     "a failed stage is removed"},
    {"memory file size differs from the manifest: write does not check it",
     UNTOUCHED, ERR_INVALID,
     "restore would refuse the pair"},
};
/* clang-format on */

static const char whole[] = "mem.bin file 8192 2\n"
                            "snap dir\n"
                            "snap/manifest.bin file 35 1\n"
                            "snap/memory.bin file 8192 2\n"
                            "snap/state.bin file 2337 1\n";

static bool has(const json_t *tree, const char *path)
{
    for (size_t i = 0; i < json_array_size(tree); i++) {
        const json_t *entry = json_array_get(tree, i);
        if (strcmp(json_string_value(vector_get(entry, "path")), path) == 0)
            return true;
    }
    return false;
}

/* What the vectors' symbolic links point to: they tell the length only. */
static const char *target_of(const char *path, uint64_t size)
{
    if (strcmp(path, "lnk") == 0)
        return size == strlen("mem.bin") ? "mem.bin" : "of/vms/store/snapshots/" ID "/memory.bin";
    switch (size) {
    case sizeof "../mem.bin" - 1:
        return "../../../../../mem.bin";
    case sizeof "../o" - 1:
        return "../../../../../o";
    default:
        return "nowhere";
    }
}

static void plant(const struct trial *trial, const json_t *entry)
{
    const char *name = json_string_value(vector_get(entry, "path"));
    const char *type = json_string_value(vector_get(entry, "type"));
    struct path path = place(trial, name);

    if (strcmp(type, "dir") == 0) {
        disk_make_dir(path.text);
        return;
    }
    uint64_t size = vector_uint64(vector_get(entry, "size"));
    if (strcmp(type, "symlink") == 0)
        assert_int_equal(symlink(target_of(name, size), path.text), 0);
    else if (vector_uint64(vector_get(entry, "nlink")) == 2 && strcmp(name, "mem.bin") != 0)
        assert_int_equal(link(place(trial, "mem.bin").text, path.text), 0);
    else
        disk_write(path.text, size, 'm');
}

/* A place on another filesystem than the store's, with the memory file in it. */
static bool plant_elsewhere(struct trial *trial)
{
    struct fixture *fixture = &trial->fixture;
    const char *candidates[] = {"/tmp", "/var/tmp", "/dev/shm"};

    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (disk_stat(candidates[i]).st_dev == disk_stat(fixture->home.text).st_dev)
            continue;
        trial->elsewhere = path_of("%s/vmsnapd-service-XXXXXX", candidates[i]);
        assert_non_null(mkdtemp(trial->elsewhere.text));
        disk_write(path_of("%s/mem.bin", trial->elsewhere.text).text, MEMORY_SIZE, 'm');
        fixture->roots[0] = trial->elsewhere.text;
        fixture_reopen(fixture);
        return true;
    }
    fprintf(stderr, "SKIPPED: there is but one filesystem to write to on this machine\n");
    return false;
}

static struct path choose_memory(const struct trial *trial, const json_t *before)
{
    if (trial->elsewhere.text[0])
        return path_of("%s/mem.bin", trial->elsewhere.text);
    if (has(before, "lnk"))
        return place(trial, "lnk");
    if (has(before, "md"))
        return place(trial, "md");
    bool in_place = has(before, "snap/memory.bin") && !has(before, "mem.bin");
    return place(trial, in_place ? "snap/memory.bin" : "mem.bin");
}

/* With every value that makes the files as long as the vectors'. */
static void compose(const struct path *memory, struct creation *out)
{
    char state[STATE_SIZE] = {0};

    request(out, ID, memory->text, CAPTURE_LINK, 2);
    assert_true(text_set(&out->openvmm_version, VERSION, strlen(VERSION)));
    out->has_created_at = true;
    out->created_at = (struct timestamp){.seconds = 1234567890};
    out->has_memory_size = true;
    out->memory_size_bytes = MEMORY_SIZE;
    out->has_state_bytes = true;
    assert_true(text_append(&out->state_bytes, state, sizeof state));
}

/* Over what stands there, as write_snapshot does; where OpenVMM skips the link, in place. */
static bool write_snapshot(struct trial *trial, const json_t *before, struct error *err)
{
    const struct guard guard = {0};
    auto_creation struct creation creation = {0};
    auto_made struct made made = {0};
    struct path memory = choose_memory(trial, before);
    struct service *service = trial->fixture.service;

    compose(&memory, &creation);
    bool written = access(trial->snap.text, F_OK) == 0
        ? snapshot_replace(service, &creation, NULL, &guard, &made, err)
        : snapshot_create(service, &creation, NULL, &made, err);
    fixture_settle(&trial->fixture);
    return written;
}

/* A line for an entry, of its path with OpenVMM; what is ours alone is left out. */
static void note(const struct trial *trial, const char *name, struct text *out)
{
    struct path path = place(trial, name);
    struct stat stat;

    if (strcmp(name, "snap/" RECORD_FILE) == 0 || lstat(path.text, &stat) != 0)
        return;
    if (S_ISDIR(stat.st_mode))
        text_appendf(out, "%s dir\n", name);
    else if (S_ISLNK(stat.st_mode))
        text_appendf(out, "%s symlink\n", name);
    else
        text_appendf(out, "%s file %jd %ju\n", name, (intmax_t)stat.st_size,
                     (uintmax_t)stat.st_nlink);
}

static void note_tree(const struct trial *trial, struct text *out)
{
    static const char *const outside[] = {"lnk", "md", "mem.bin", "o", "snap"};
    struct dirent **entries;

    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        note(trial, outside[i], out);
    int count = scandir(trial->snap.text, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            note(trial, path_of("snap/%s", entries[i]->d_name).text, out);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* The vectors' tree in the same words: "a/b/c" is "snap", and what is above it the store. */
static void note_entry(const json_t *entry, struct text *out)
{
    const char *name = json_string_value(vector_get(entry, "path"));
    const char *type = json_string_value(vector_get(entry, "type"));
    bool nested = begins_with(name, "a/b/c");

    if (strcmp(name, "a") == 0 || strcmp(name, "a/b") == 0)
        return;
    text_appendf(out, "%s%s %s", nested ? "snap" : "", nested ? name + strlen("a/b/c") : name,
                 type);
    if (strcmp(type, "file") == 0)
        text_appendf(out, " %ju %ju", (uintmax_t)vector_uint64(vector_get(entry, "size")),
                     (uintmax_t)vector_uint64(vector_get(entry, "nlink")));
    text_appends(out, "\n");
}

static void note_vector(const json_t *tree, struct text *out)
{
    for (size_t i = 0; i < json_array_size(tree); i++)
        note_entry(json_array_get(tree, i), out);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct text *text)
{
    char *lines[32];
    size_t count = 0;
    char *rest = NULL;
    auto_text struct text sorted = {0};

    if (text->len == 0)
        return;
    for (char *line = strtok_r(text->data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++)
        text_appendf(&sorted, "%s\n", lines[i]);
    text_clear(text);
    *text = TAKE_AS(sorted, (struct text){0});
}

static void expect_tree(const struct writing *writing, const json_t *vector, struct text *out)
{
    switch (writing->ending) {
    case AS_OPENVMM:
        note_vector(vector_get(vector, "after"), out);
        break;
    case UNTOUCHED:
        note_vector(vector_get(vector, "before"), out);
        break;
    case WHOLE:
        text_appends(out, whole);
        break;
    }
}

static bool is_same_inode(const struct trial *trial, const json_t *before)
{
    struct stat memory;
    struct stat saved;

    return stat(choose_memory(trial, before).text, &memory) == 0
        && stat(place(trial, "snap/memory.bin").text, &saved) == 0
        && memory.st_ino == saved.st_ino && memory.st_dev == saved.st_dev;
}

static bool tree_holds(const struct trial *trial, const struct writing *writing,
                       const json_t *vector)
{
    auto_text struct text expected = {0};
    auto_text struct text found = {0};

    expect_tree(writing, vector, &expected);
    note_tree(trial, &found);
    sort_lines(&expected);
    sort_lines(&found);
    if (trial->elsewhere.text[0]) /* the memory file is not in $W */
        text_appends(&found, "mem.bin file 8192 1\n");
    if (strcmp(text_str(&expected), text_str(&found)) == 0)
        return true;
    fprintf(stderr, "expected:\n%sfound:\n%s", text_str(&expected), text_str(&found));
    return false;
}

static const struct writing *find_writing(const char *name)
{
    for (size_t i = 0; i < sizeof writings / sizeof writings[0]; i++)
        if (strcmp(writings[i].name, name) == 0)
            return &writings[i];
    fprintf(stderr, "there is no scenario \"%s\" in the table\n", name);
    return NULL;
}

static bool message_holds(const struct trial *trial, const struct writing *writing,
                          const struct error *err, const json_t *result)
{
    auto_text struct text message = {0};

    if (err->code != writing->code) {
        fprintf(stderr, "  %s\n", err->message);
        return false;
    }
    if (err->code != ERR_DIFFERENT_FILESYSTEM)
        return true;
    expand(trial, json_string_value(vector_get(result, "error")), &message);
    return strcmp(text_str(&message), err->message) == 0;
}

static bool plant_all(struct trial *trial, const struct writing *writing, const json_t *before)
{
    if (writing->code == ERR_DIFFERENT_FILESYSTEM)
        return plant_elsewhere(trial);
    for (size_t i = 0; i < json_array_size(before); i++)
        plant(trial, json_array_get(before, i));
    return true;
}

static bool writing_holds(struct trial *trial, const struct writing *writing, const json_t *vector)
{
    const json_t *before = vector_get(vector, "before");
    struct error err = {0};

    if (!plant_all(trial, writing, before))
        return true; /* and said so */
    if (write_snapshot(trial, before, &err))
        return writing->code == ERR_NONE && tree_holds(trial, writing, vector)
            && is_same_inode(trial, before);
    return message_holds(trial, writing, &err, vector_get(vector, "result"))
        && tree_holds(trial, writing, vector);
}

static bool check_writing(const json_t *vector, const char *name)
{
    struct trial trial;
    const struct writing *writing = find_writing(name);
    bool as_openvmm = json_is_true(vector_get(vector_get(vector, "result"), "ok"));

    if (!writing)
        return false;
    begin(&trial);
    bool holds = writing_holds(&trial, writing, vector);
    end(&trial);
    /* No difference goes unexplained. */
    return holds && (writing->why || as_openvmm == (writing->code == ERR_NONE));
}

/* ---- restore ---- */

enum answer {
    VALID,
    FIRST,  /* OpenVMM's text is our first mismatch */
    LATER,  /* it is among ours, but others come first */
    DETAIL, /* it is the error's own text */
    OTHER,  /* another text than OpenVMM's, or it is told by the code alone */
};

struct spoiling {
    const char *name;
    enum answer answer;
    enum error_code code; /* of the request; ERR_NONE: there is a verdict */
    const char *file;     /* that is spoilt; NULL for none */
    const char *also;     /* another that is taken away */
    const char *bytes;    /* that are put in its place; NULL: it is taken away */
    long resize;          /* or else its new length, plus 1 */
    const char *link;     /* or else where it points to; "/" makes a directory of it */
    const char *why;      /* of what differs from OpenVMM */
};

/* clang-format off */
static const struct spoiling spoilings[] = {
    {"good",
     VALID},
    {"manifest.bin missing",
     OTHER, ERR_NOT_FOUND, MANIFEST_FILE,
     .why = "a directory without a manifest is incomplete, and told as such"},
    {"state.bin missing",
     FIRST, .file = STATE_FILE},
    {"memory.bin missing",
     FIRST, .file = MEMORY_FILE},
    {"empty directory",
     OTHER, ERR_NOT_FOUND, "*",
     .why = "a directory without a manifest is incomplete, and told as such"},
    {"directory missing",
     OTHER, ERR_NOT_FOUND, "/",
     .why = "told as an unknown id"},
    {"state.bin missing AND manifest bad: manifest is decoded first",
     DETAIL, ERR_DAMAGED, MANIFEST_FILE, .bytes = "\xff", .also = STATE_FILE},
    {"state.bin missing AND architecture wrong: state is read before validation",
     LATER, .file = STATE_FILE,
     .why = "every mismatch is told, those of the manifest first"},
    {"memory.bin missing AND architecture wrong: validation comes before memory.bin",
     FIRST, .file = MEMORY_FILE},
    {"manifest.bin empty: version 0",
     FIRST, .file = MANIFEST_FILE, .resize = 1},
    {"manifest.bin garbage",
     DETAIL, ERR_DAMAGED, MANIFEST_FILE, .bytes = "\xff"},
    {"manifest.bin truncated",
     DETAIL, ERR_DAMAGED, MANIFEST_FILE, .resize = 30},
    {"manifest.bin is a directory",
     OTHER, ERR_DAMAGED, MANIFEST_FILE, .link = "/",
     .why = "told as what it is: no regular file"},
    {"state.bin empty: zero units, accepted",
     VALID, .file = STATE_FILE, .resize = 1},
    {"state.bin garbage: prepare step accepts, worker refuses",
     FIRST, .file = STATE_FILE, .bytes = "\x0f"},
    {"memory.bin one byte short",
     FIRST, .file = MEMORY_FILE, .resize = MEMORY_SIZE},
    {"memory.bin one byte long",
     FIRST, .file = MEMORY_FILE, .resize = MEMORY_SIZE + 2},
    {"memory.bin empty",
     FIRST, .file = MEMORY_FILE, .resize = 1},
    {"memory.bin size wrong AND expected memory wrong: manifest mismatch reported first",
     FIRST, .file = MEMORY_FILE, .resize = 1},
    {"memory.bin is a symlink to a good file: accepted",
     VALID, .file = MEMORY_FILE, .link = "../../../../../mem.bin"},
    {"memory.bin is a directory",
     FIRST, .file = MEMORY_FILE, .link = "/"},
    {"memory.bin is a dangling symlink",
     FIRST, .file = MEMORY_FILE, .link = "nowhere"},
    {"wrong vp count",
     FIRST},
    {"wrong page size",
     FIRST},
    {"wrong memory",
     FIRST},
    {"wrong arch",
     FIRST},
};
/* clang-format on */

static const char two_units[] = "\x0a\x03\x0a\x01"
                                "a\x0a\x03\x0a\x01"
                                "b";

static void write_bytes(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* As OpenVMM leaves a snapshot, with nothing of ours. */
static void save(const struct trial *trial)
{
    struct error err = {0};
    auto_manifest struct manifest manifest = {
        .version = MANIFEST_VERSION,
        .created_at = {.seconds = 1234567890},
        .memory_size_bytes = MEMORY_SIZE,
        .vp_count = 2,
        .page_size = 4096,
    };
    auto_text struct text bytes = {0};

    disk_make_dir(trial->snap.text);
    assert_true(text_appends(&manifest.openvmm_version, VERSION));
    assert_true(text_appends(&manifest.architecture, "x86_64"));
    assert_succeeds(manifest_encode(&manifest, &bytes, &err));
    write_bytes(place(trial, "snap/" MANIFEST_FILE).text, bytes.data, bytes.len);
    write_bytes(place(trial, "snap/" STATE_FILE).text, two_units, sizeof two_units - 1);
    disk_write(place(trial, "mem.bin").text, MEMORY_SIZE, 'm');
    disk_write(place(trial, "snap/" MEMORY_FILE).text, MEMORY_SIZE, 'm');
}

static void replace_file(const struct spoiling *spoiling, const char *path)
{
    assert_int_equal(unlink(path), 0);
    if (spoiling->bytes)
        write_bytes(path, spoiling->bytes, strlen(spoiling->bytes));
    else if (spoiling->link && strcmp(spoiling->link, "/") == 0)
        disk_make_dir(path);
    else if (spoiling->link)
        assert_int_equal(symlink(spoiling->link, path), 0);
}

static void spoil(const struct trial *trial, const struct spoiling *spoiling)
{
    const char *file = spoiling->file;

    if (!file)
        return;
    if (strcmp(file, "*") == 0 || strcmp(file, "/") == 0) {
        disk_remove(trial->snap.text);
        if (*file == '*')
            disk_make_dir(trial->snap.text);
        return;
    }
    struct path path = path_of("%s/%s", trial->snap.text, file);
    if (spoiling->resize)
        assert_int_equal(truncate(path.text, spoiling->resize - 1), 0);
    else
        replace_file(spoiling, path.text);
    if (spoiling->also)
        assert_int_equal(unlink(path_of("%s/%s", trial->snap.text, spoiling->also).text), 0);
}

static void read_expectation(const json_t *vector, struct expectation *out)
{
    vector_expectation(vector, out);
    out->has_state_units = true;
    out->state_units = calloc(2, sizeof *out->state_units);
    out->state_unit_count = 2;
    assert_true(text_appends(&out->state_units[0], "a"));
    assert_true(text_appends(&out->state_units[1], "b"));
}

static bool units_hold(struct trial *trial, const json_t *result)
{
    struct error err = {0};
    auto_state_units struct state_units units = {0};

    return snapshot_units(trial->fixture.service, ID, &units, &err)
        && units.count == vector_uint64(vector_get(result, "units"));
}

static bool verdict_holds(struct trial *trial, const struct spoiling *spoiling,
                          const struct verdict *verdict, const json_t *result)
{
    auto_text struct text expected = {0};
    size_t found = 0;

    for (size_t i = 0; i < verdict->mismatch_count; i++)
        fprintf(stderr, "  %s\n", text_str(&verdict->mismatches[i].message));
    if (spoiling->answer == VALID)
        return verdict->mismatch_count == 0 && units_hold(trial, result);
    expand(trial, json_string_value(vector_get(result, "error")), &expected);
    while (found < verdict->mismatch_count
           && !text_equals(&verdict->mismatches[found].message, expected.data, expected.len))
        found++;
    return found < verdict->mismatch_count && (found > 0) == (spoiling->answer == LATER);
}

static bool refusal_holds(struct trial *trial, const struct spoiling *spoiling,
                          const struct error *err, const json_t *result)
{
    auto_text struct text expected = {0};
    auto_snapshot struct snapshot found = {0};
    struct error missing = {0};

    fprintf(stderr, "  %s\n", err->message);
    if (err->code != spoiling->code)
        return false;
    /* Never offered for restore. */
    if (load_snapshot(trial->fixture.service->store, ID, LIVE_NONE, &found, &missing)
        && found.status == SNAPSHOT_READY)
        return false;
    expand(trial, json_string_value(vector_get(result, "error")), &expected);
    return spoiling->answer == OTHER || text_equals(&expected, err->message, strlen(err->message));
}

static bool restore_holds(struct trial *trial, const struct spoiling *spoiling,
                          const json_t *vector)
{
    struct error err = {0};
    auto_expectation struct expectation expectation = {0};
    auto_verdict struct verdict verdict = {0};
    const json_t *result = vector_get(vector, "result");

    read_expectation(vector_get(vector, "expected"), &expectation);
    save(trial);
    spoil(trial, spoiling);
    if (snapshot_validate(trial->fixture.service, ID, &expectation, &verdict, &err))
        return spoiling->code == ERR_NONE && verdict_holds(trial, spoiling, &verdict, result);
    return refusal_holds(trial, spoiling, &err, result);
}

static const struct spoiling *find_spoiling(const char *name)
{
    for (size_t i = 0; i < sizeof spoilings / sizeof spoilings[0]; i++)
        if (strcmp(spoilings[i].name, name) == 0)
            return &spoilings[i];
    fprintf(stderr, "there is no scenario \"%s\" in the table\n", name);
    return NULL;
}

static bool check_restore(const json_t *vector, const char *name)
{
    struct trial trial;
    const struct spoiling *spoiling = find_spoiling(name);
    bool as_openvmm = json_is_true(vector_get(vector_get(vector, "result"), "ok"));

    if (!spoiling)
        return false;
    begin(&trial);
    bool holds = restore_holds(&trial, spoiling, vector);
    end(&trial);
    return holds && as_openvmm == (spoiling->answer == VALID)
        && (spoiling->why || spoiling->answer < LATER || spoiling->answer == DETAIL);
}

static bool check_scenario(const json_t *vector, void *context)
{
    const char *name = json_string_value(vector_get(vector, "name"));
    bool writes = strcmp(json_string_value(vector_get(vector, "op")), "write_snapshot") == 0;
    size_t *seen = context;

    seen[writes]++;
    if (writes ? check_writing(vector, name) : check_restore(vector, name))
        return true;
    fprintf(stderr, "  in: %s\n", name);
    return false;
}

static void every_scenario_ends_as_in_openvmm_or_better_for_a_reason(void **state)
{
    size_t seen[2] = {0};

    (void)state;
    assert_true(vectors_hold(GOLDEN("fs_scenarios.jsonl"), LINES, check_scenario, seen));
    assert_int_equal(seen[true], sizeof writings / sizeof writings[0]);
    assert_int_equal(seen[false], sizeof spoilings / sizeof spoilings[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scenario_ends_as_in_openvmm_or_better_for_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
