#include "api/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/percent.h"
#include "base/number.h"

static void add_fault(struct faults *faults, const char *name, const char *detail)
{
    char pointer[sizeof faults->items->pointer];

    snprintf(pointer, sizeof pointer, "?%s", name);
    faults_add(faults, pointer, "%s", detail);
}

/* Where one of the space-separated `names` ends; NULL if `name` is none of them. */
static const char *find_end(const char *name, const char *names)
{
    size_t len = strlen(name);

    if (len == 0 || strpbrk(name, " +"))
        return NULL;
    for (const char *at = names; (at = strstr(at, name)) != NULL; at += len)
        if ((at == names || at[-1] == ' ') && strchr(" +", at[len]))
            return at + len;
    return NULL;
}

/* Decodes to the end of query->bytes; what is not text becomes "". */
static bool decode(struct query *query, const char *part, size_t len, bool *is_text,
                   struct error *err)
{
    char *out = query->bytes + query->used;
    size_t decoded;

    if (len >= sizeof query->bytes - query->used)
        return error_set(err, ERR_BAD_REQUEST, "the query is longer than %d bytes",
                         QUERY_BYTES_MAX);
    enum percent found = percent_decode(part, len, out, &decoded);
    if (found == PERCENT_MALFORMED)
        return error_set(err, ERR_BAD_REQUEST, "the query holds a malformed escape");
    *is_text = found == PERCENT_TEXT;
    if (!*is_text)
        *out = '\0';
    query->used += strlen(out) + 1;
    return true;
}

static bool is_acceptable(const struct query *query, const char *names, const char *name,
                          bool is_text, struct faults *faults)
{
    const char *end = find_end(name, names);

    if (!end)
        add_fault(faults, name, "unknown parameter");
    else if (*end != '+' && query_text(query, name))
        add_fault(faults, name, "is given more than once");
    else if (!is_text)
        add_fault(faults, name, "must be UTF-8 without U+0000");
    else
        return true;
    return false;
}

/* `part` is "name" or "name=value". */
static bool add(struct query *query, const char *part, size_t len, const char *names,
                struct faults *faults, struct error *err)
{
    const char *end = part + len;
    const char *equals = memchr(part, '=', len);
    const char *name_end = equals ? equals : end;
    const char *value = equals ? equals + 1 : end;
    size_t name_at = query->used;
    bool is_text = false;

    if (!decode(query, part, (size_t)(name_end - part), &is_text, err))
        return false;
    size_t value_at = query->used;
    if (!decode(query, value, (size_t)(end - value), &is_text, err))
        return false;
    if (is_acceptable(query, names, query->bytes + name_at, is_text, faults)) {
        if (query->count == QUERY_PARAMETERS_MAX)
            return error_set(err, ERR_BAD_REQUEST, "the query has more than %d parameters",
                             QUERY_PARAMETERS_MAX);
        query->parameters[query->count].name = (uint16_t)name_at;
        query->parameters[query->count++].value = (uint16_t)value_at;
    }
    return true;
}

bool query_parse(const char *string, const char *names, struct query *out, struct faults *faults,
                 struct error *err)
{
    out->count = 0;
    out->used = 0;
    for (const char *end = string; *string != '\0'; string = *end ? end + 1 : end) {
        end = strchrnul(string, '&');
        if (end > string && !add(out, string, (size_t)(end - string), names, faults, err))
            return false;
    }
    return true;
}

const char *query_name_at(const struct query *query, size_t index)
{
    return query->bytes + query->parameters[index].name;
}

const char *query_value_at(const struct query *query, size_t index)
{
    return query->bytes + query->parameters[index].value;
}

const char *query_text(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query_name_at(query, i), name) == 0)
            return query_value_at(query, i);
    return NULL;
}

bool query_flag(const struct query *query, const char *name, struct faults *faults)
{
    const char *value = query_text(query, name);

    if (value && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        add_fault(faults, name, "must be 0 or 1");
    return value && strcmp(value, "1") == 0;
}

uint64_t query_number(const struct query *query, const char *name, uint64_t min, uint64_t max,
                      uint64_t fallback, struct faults *faults)
{
    const char *value = query_text(query, name);
    uint64_t number;

    if (!value)
        return fallback;
    bool is_plain = value[0] != '0' || value[1] == '\0';
    if (is_plain && number_parse(value, strlen(value), &number) && number >= min && number <= max)
        return number;
    char detail[96];
    snprintf(detail, sizeof detail, "must be a number from %" PRIu64 " to %" PRIu64, min, max);
    add_fault(faults, name, detail);
    return fallback;
}
