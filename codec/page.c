#include "codec/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/id.h"
#include "codec/emit.h"
#include "codec/filter.h"

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
    if (page->has_total) {
        emit_key(out, "total");
        emit_u64(out, page->total);
    }
    emit_raw(out, "}");
    return emit_done(out, err);
}

static const char digits[] = "0123456789abcdef";

/* In hexadecimal: safe in any URL, and plainly nothing to build by hand. */
static void encode_hex(const struct text *plain, struct text *out)
{
    for (size_t i = 0; i < plain->len; i++) {
        unsigned char c = (unsigned char)plain->data[i];
        text_append(out, (char[]){digits[c >> 4], digits[c & 15]}, 2);
    }
}

static bool decode_hex(const char *cursor, size_t size, char *out)
{
    size_t len = strlen(cursor);

    if (strspn(cursor, digits) != len || len % 2 != 0 || len / 2 >= size)
        return false;
    for (size_t i = 0; i < len / 2; i++) {
        ptrdiff_t high = strchr(digits, cursor[2 * i]) - digits;
        ptrdiff_t low = strchr(digits, cursor[2 * i + 1]) - digits;
        out[i] = (char)(high << 4 | low);
    }
    out[len / 2] = '\0';
    return strlen(out) == len / 2;
}

/* Of the place, and of the list that it is one of. A cursor without it leads somewhere, but not to
 * the next page of this list. */
#define CHECK_LEN 16

static bool make_check(const struct snapshot_query *query, const struct snapshot_key *key,
                       char out[DIGEST_HEX_SIZE], struct error *err)
{
    auto_text struct text all = {0};

    text_appendf(&all, "%s %d %" PRId64 " %" PRId64 " %s ", snapshot_sort_name(query->sort),
                 query->is_descending, key->major, key->minor, key->id);
    return filter_to_json(&query->filter, &all, err) && digest_of(all.data, all.len, out, err);
}

bool cursor_encode(const struct snapshot_query *query, const struct snapshot_key *last,
                   struct text *out, struct error *err)
{
    char check[DIGEST_HEX_SIZE];
    auto_text struct text plain = {0};

    if (!make_check(query, last, check, err))
        return false;
    text_appendf(&plain, "%.*s %" PRId64 " %" PRId64 " %s", CHECK_LEN, check, last->major,
                 last->minor, last->id);
    encode_hex(&plain, out);
    return !text_failed(&plain) && emit_done(out, err);
}

/* Longer than any of ours. */
#define PLAIN_SIZE (CHECK_LEN + 44 + sizeof(((struct snapshot_key *)0)->id))

static bool scan(const char *plain, struct snapshot_key *out)
{
    char *end = NULL;

    if (strcspn(plain, " ") != CHECK_LEN || plain[CHECK_LEN] != ' ')
        return false;
    out->major = strtoll(plain + CHECK_LEN + 1, &end, 10);
    if (*end != ' ')
        return false;
    out->minor = strtoll(end + 1, &end, 10);
    if (*end != ' ' || !id_is_valid(end + 1))
        return false;
    snprintf(out->id, sizeof out->id, "%s", end + 1);
    return true;
}

bool cursor_decode(const char *cursor, struct snapshot_query *query, struct error *err)
{
    char plain[PLAIN_SIZE];
    char check[DIGEST_HEX_SIZE];
    struct snapshot_key key;

    if (!decode_hex(cursor, sizeof plain, plain) || !scan(plain, &key))
        return error_field(err, "?cursor", "is not a cursor that a list gave");
    if (!make_check(query, &key, check, err))
        return false;
    if (memcmp(plain, check, CHECK_LEN) != 0)
        return error_field(err, "?cursor",
                           "is not a cursor that this list gave: the filter and the order must "
                           "stay the same from page to page");
    query->has_after = true;
    query->after = key;
    return true;
}
