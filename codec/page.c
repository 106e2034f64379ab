#include "codec/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "codec/emit.h"

bool snapshot_page_to_json(const struct snapshot_page *page, const char *next, struct text *out,
                           struct error *err)
{
    emit_raw(out, "{");
    emit_key(out, "snapshots");
    emit_raw(out, "[");
    for (size_t i = 0; i < page->count; i++) {
        emit_item(out);
        text_append(out, page->items[i].json.data, page->items[i].json.len);
    }
    emit_raw(out, "]");
    emit_key(out, "next");
    emit_string(out, next);
    emit_raw(out, "}");
    return emit_done(out, err);
}

static const char digits[] = "0123456789abcdef";

/* The id in hexadecimal: safe in any URL, and plainly nothing to build by hand. */
bool cursor_encode(const char *last, struct text *out, struct error *err)
{
    for (; *last != '\0'; last++) {
        unsigned char c = (unsigned char)*last;
        text_append(out, (char[]){digits[c >> 4], digits[c & 15]}, 2);
    }
    return emit_done(out, err);
}

static bool decode_hex(const char *cursor, size_t len, char *out)
{
    if (strspn(cursor, digits) != len || len % 2 != 0)
        return false;
    for (size_t i = 0; i < len / 2; i++) {
        ptrdiff_t high = strchr(digits, cursor[2 * i]) - digits;
        ptrdiff_t low = strchr(digits, cursor[2 * i + 1]) - digits;
        out[i] = (char)(high << 4 | low);
    }
    return true;
}

bool cursor_decode(const char *cursor, char **last, struct error *err)
{
    size_t len = strlen(cursor);
    char id[ID_MAX + 1] = {0};

    if (len > (size_t)2 * ID_MAX || !decode_hex(cursor, len, id) || strlen(id) != len / 2
        || !id_is_valid(id))
        return error_field(err, "?cursor", "is not a cursor that a list gave");
    char *copy = strdup(id);
    if (!copy)
        return error_memory(err);
    *last = copy;
    return true;
}
