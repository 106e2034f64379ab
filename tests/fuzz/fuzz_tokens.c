/* A file of tokens. */
#include <string.h>

#include "api/tokens.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_tokens struct tokens tokens = {0};
    struct error err = {0};

    if (!tokens_parse((const char *)data, size, "tokens", &tokens, &err)) {
        MUST(err.code == ERR_INVALID && strncmp(err.message, "tokens:", 7) == 0);
        return 0;
    }
    for (size_t i = 0; i < tokens.count; i++)
        MUST(tokens_is_name(tokens.items[i].name) && tokens.items[i].scopes != 0);
    return 0;
}
