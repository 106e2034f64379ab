/* How a document of a client's is refused, whatever is in it. */
#pragma once

#include <string.h>

#include "base/utf8.h"
#include "codec/fields.h"
#include "tests/fuzz/fuzz.h"

static inline void check_refusal(const struct error *err, const struct faults *faults)
{
    MUST(err->code == ERR_MALFORMED_JSON || err->code == ERR_INVALID);
    MUST(err->message[0] != '\0');
    MUST(err->code == ERR_INVALID || faults->count == 0);
    for (size_t i = 0; i < faults->count && i < FAULTS_MAX; i++) {
        MUST(faults->items[i].pointer[0] == '/' || faults->items[i].pointer[0] == '\0');
        MUST(utf8_is_valid(faults->items[i].detail, strlen(faults->items[i].detail)));
        MUST(faults->items[i].detail[0] != '\0');
    }
}
