/* Runs a fuzz target over inputs that are known: each file of the directories named on the command
 * line, or each line's "hex" where a file of golden vectors (.jsonl) is named. */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/golden/vectors.h"

/* At its exact size, for the sanitizers to see a read past its end. */
static void replay_bytes(const struct text *bytes)
{
    auto_free uint8_t *copy = malloc(bytes->len);

    MUST(copy || bytes->len == 0);
    if (bytes->len > 0)
        memcpy(copy, bytes->data, bytes->len);
    LLVMFuzzerTestOneInput(copy, bytes->len);
}

static bool replay_line(const json_t *vector, void *context)
{
    auto_text struct text bytes = {0};

    (void)context;
    vector_hex(vector_get(vector, "hex"), &bytes);
    replay_bytes(&bytes);
    return true;
}

static void replay_file(const char *directory, const char *name)
{
    auto_text struct text path = {0};
    auto_text struct text bytes = {0};

    MUST(text_appendf(&path, "%s/%s", directory, name));
    vector_file(path.data, &bytes);
    replay_bytes(&bytes);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static size_t replay_directory(const char *path)
{
    auto_free struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, alphasort);

    for (int i = 0; i < count; i++) {
        replay_file(path, entries[i]->d_name);
        free(entries[i]);
    }
    return count > 0 ? (size_t)count : 0;
}

static size_t replay(const char *path)
{
    size_t len = strlen(path);

    if (len > 6 && strcmp(path + len - 6, ".jsonl") == 0)
        return vectors_each(path, replay_line, NULL).lines;
    return replay_directory(path);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t count = replay(argv[i]);

        printf("%s: %zu inputs\n", argv[i], count);
        MUST(count > 0);
    }
    MUST(argc > 1);
    return 0;
}
