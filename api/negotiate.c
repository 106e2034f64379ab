#include "api/negotiate.h"

#include <string.h>

#include "api/header.h"
#include "base/number.h"

/* How closely a range names a type; the closest one in the header decides. */
enum closeness { APART,
                 BY_PARAMETERS,
                 BY_ANYTHING,
                 BY_TYPE,
                 BY_SUBTYPE,
                 BY_VERSION };

struct media_range {
    struct span type;
    struct span subtype;
    struct span version; /* the parameter of that name; empty if there is none */
    bool has_parameters; /* other than q, version, and what does not matter here */
    int quality;         /* thousandths */
};

/* "0.25" → 250. More lenient than the grammar in one thing: some clients leave out the zero. */
static bool parse_quality(struct span value, int *out)
{
    int quality = header_take(&value, '1') ? 1000 : 0;

    if (quality == 0)
        header_take(&value, '0');
    if (header_take(&value, '.'))
        for (int unit = 100; unit > 0 && value.len > 0; unit /= 10) {
            if (*value.at < '0' || *value.at > '9')
                return false;
            quality += (*value.at - '0') * unit;
            span_skip(&value, 1);
        }
    *out = quality;
    return value.len == 0 && quality <= 1000;
}

/* Everything here is UTF-8, and no metric has a name that would want escaping. */
static bool is_of_no_matter(struct span parameter)
{
    return span_is(parameter, "charset") || span_is(parameter, "escaping");
}

static bool parse_range(struct span element, struct media_range *out)
{
    struct media_range range = {.quality = 1000};
    struct parameter parameter;

    range.type = header_take_token(&element);
    if (!header_take(&element, '/'))
        return false;
    range.subtype = header_take_token(&element);
    while (header_take_parameter(&element, &parameter)) {
        if (span_is(parameter.name, "q")) {
            if (!parse_quality(parameter.value, &range.quality))
                return false;
        } else if (span_is(parameter.name, "version")) {
            range.version = parameter.value;
        } else if (!is_of_no_matter(parameter.name)) {
            range.has_parameters = true;
        }
    }
    *out = range;
    return element.len == 0 && range.type.len > 0 && range.subtype.len > 0;
}

static enum closeness compare_type(const struct media_range *range, const char *type)
{
    struct span subtype = span_of(type);
    struct span main_type = header_take_token(&subtype);

    header_take(&subtype, '/');
    if (span_is(range->type, "*"))
        return span_is(range->subtype, "*") ? BY_ANYTHING : APART;
    if (!span_equals(range->type, main_type))
        return APART;
    if (span_is(range->subtype, "*"))
        return BY_TYPE;
    return span_equals(range->subtype, subtype) ? BY_SUBTYPE : APART;
}

static enum closeness compare_offer(const struct media_range *range, const struct offer *offer)
{
    enum closeness closeness = compare_type(range, offer->type);

    if (closeness == APART && offer->alias)
        closeness = compare_type(range, offer->alias);
    if (closeness == APART || (range->version.len == 0 && !range->has_parameters))
        return closeness;
    if (range->version.len == 0 || !offer->version)
        return BY_PARAMETERS;
    return span_is(range->version, offer->version) ? BY_VERSION : APART;
}

/* The quality that the closest range gives the offer; 0 if it is not wanted. */
static int rate(struct span accept, const struct offer *offer, bool *is_readable)
{
    enum closeness closest = APART;
    struct media_range range;
    struct span element;
    int quality = 0;

    while (header_take_element(&accept, &element)) {
        if (!parse_range(element, &range))
            continue;
        *is_readable = true;
        enum closeness closeness = compare_offer(&range, offer);
        if (closeness > closest || (closeness == closest && range.quality > quality))
            quality = closeness == APART ? 0 : range.quality;
        closest = closeness > closest ? closeness : closest;
    }
    return quality;
}

/* The headers of nearly all clients, without parsing. */
static int find_exact(const char *accept, const struct offer *offers, size_t count)
{
    if (!accept || strcmp(accept, "*/*") == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(accept, offers[i].type) == 0)
            return (int)i;
    return -1;
}

int negotiate_accept(const char *accept, const struct offer *offers, size_t count)
{
    int found = find_exact(accept, offers, count);
    bool is_readable = false;
    int best = 0;

    if (found >= 0)
        return found;
    for (size_t i = 0; i < count; i++) {
        int quality = rate(span_of(accept), &offers[i], &is_readable);
        if (quality > best) {
            best = quality;
            found = (int)i;
        }
    }
    return is_readable ? found : 0; /* a header that says nothing is one that was not sent */
}

bool negotiate_is_type(const char *content_type, const char *type)
{
    struct span value = content_type ? span_of(content_type) : (struct span){0};
    const char *semicolon = value.at ? memchr(value.at, ';', value.len) : NULL;

    if (semicolon)
        value.len = (size_t)(semicolon - value.at);
    return content_type && span_is(span_trim(value), type);
}

struct tag {
    bool is_weak;
    struct span opaque;
};

/* Takes one entity-tag (section 8.8.3); a backslash in it is a character like any other. */
static bool take_tag(struct span *rest, struct tag *out)
{
    while (rest->len > 0 && strchr(" \t,", *rest->at))
        span_skip(rest, 1);
    out->is_weak = rest->len >= 2 && memcmp(rest->at, "W/", 2) == 0;
    if (out->is_weak)
        span_skip(rest, 2);
    if (!header_take(rest, '"'))
        return false;
    const char *end = memchr(rest->at, '"', rest->len);
    if (!end)
        return false;
    out->opaque = (struct span){rest->at, (size_t)(end - rest->at)};
    span_skip(rest, out->opaque.len + 1);
    return true;
}

static bool is_same(const struct tag *a, const struct tag *b, bool strongly)
{
    if (strongly && (a->is_weak || b->is_weak))
        return false;
    return a->opaque.len == b->opaque.len
        && memcmp(a->opaque.at, b->opaque.at, a->opaque.len) == 0;
}

static bool is_listed(const char *list, const char *etag, bool strongly)
{
    if (!list || !etag)
        return false;
    struct span rest = span_trim(span_of(list));
    struct span current = span_of(etag);
    struct tag tag;
    struct tag wanted;
    if (span_is(rest, "*"))
        return true;
    if (!take_tag(&current, &wanted))
        return false;
    while (take_tag(&rest, &tag))
        if (is_same(&tag, &wanted, strongly))
            return true;
    return false;
}

bool negotiate_if_match(const char *list, const char *etag)
{
    return is_listed(list, etag, true);
}

bool negotiate_if_none_match(const char *list, const char *etag)
{
    return is_listed(list, etag, false);
}

bool negotiate_if_range(const char *if_range, const char *etag)
{
    struct span rest = span_trim(span_of(if_range ? if_range : ""));
    struct span current = span_of(etag);
    struct tag tag;
    struct tag wanted;

    if (!if_range)
        return true;
    return take_tag(&rest, &tag) && rest.len == 0 && take_tag(&current, &wanted)
        && is_same(&tag, &wanted, true);
}

/* The last `wanted` bytes. */
static enum range cut_suffix(uint64_t wanted, uint64_t size, struct byte_range *out)
{
    if (wanted == 0)
        return RANGE_UNSATISFIABLE;
    if (size == 0) /* satisfiable, but Content-Range cannot say it */
        return RANGE_WHOLE;
    out->len = wanted < size ? wanted : size;
    out->first = size - out->len;
    return RANGE_PART;
}

static enum range cut(uint64_t first, uint64_t last, uint64_t size, struct byte_range *out)
{
    if (last < first)
        return RANGE_WHOLE;
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    out->first = first;
    out->len = (last < size ? last + 1 : size) - first;
    return RANGE_PART;
}

enum range negotiate_range(const char *range, uint64_t size, struct byte_range *out)
{
    struct span rest = span_of(range ? range : "");
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;

    if (!span_is(header_take_token(&rest), "bytes") || !header_take(&rest, '='))
        return RANGE_WHOLE;
    rest = span_trim(rest);
    const char *dash = memchr(rest.at, '-', rest.len);
    if (!dash)
        return RANGE_WHOLE;
    size_t first_len = (size_t)(dash - rest.at);
    size_t last_len = rest.len - first_len - 1;
    bool has_first = number_parse(rest.at, first_len, &first);
    bool has_last = number_parse(dash + 1, last_len, &last);
    if ((first_len > 0 && !has_first) || (last_len > 0 && !has_last) || (!has_first && !has_last))
        return RANGE_WHOLE;
    return has_first ? cut(first, last, size, out) : cut_suffix(last, size, out);
}

bool negotiate_is_request_id(const char *value)
{
    size_t len = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return len >= 1 && len <= 64 && value[len] == '\0';
}
