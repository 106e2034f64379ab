#include "api/tag.h"

#include <stdio.h>

#include "api/negotiate.h"
#include "base/digest.h"

bool tag_of(const struct text *document, char out[TAG_SIZE], struct error *err)
{
    char digest[DIGEST_HEX_SIZE];

    if (!digest_of(document->data, document->len, digest, err))
        return false;
    snprintf(out, TAG_SIZE, "\"%.32s\"", digest);
    return true;
}

bool tag_not_modified(const struct request *request, const char *tag, struct response *response)
{
    const char *tags = request->headers[HEADER_IF_NONE_MATCH];

    if (!tags || !negotiate_if_none_match(tags, tag))
        return false;
    response->status = 304;
    return true;
}
