#include "api/listing.h"

#include <stdio.h>

#include "codec/emit.h"
#include "codec/filter.h"
#include "codec/page.h"

static bool is_filter(const char *name)
{
    static const char *const others[] = {"limit", "cursor", "sort", "total", "include"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return strcmp(name, "label") != 0;
}

static void emit_labels(const struct query *query, struct text *out)
{
    emit_key(out, "label");
    emit_raw(out, "[");
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query_name_at(query, i), "label") == 0) {
            emit_item(out);
            emit_string(out, query_value_at(query, i));
        }
    emit_raw(out, "]");
}

/* Numbers may be strings of digits there; what is neither true nor false is no truth value. */
static void emit_value(const char *name, const char *value, struct text *out)
{
    bool is_truth = strcmp(value, "true") == 0 || strcmp(value, "false") == 0;

    emit_key(out, name);
    if (strcmp(name, "held") == 0 && is_truth)
        emit_raw(out, value);
    else
        emit_string(out, value);
}

/* The filter as the JSON object that means the same. */
static bool render_filter(const struct query *query, struct text *out, struct error *err)
{
    emit_raw(out, "{");
    emit_labels(query, out);
    for (size_t i = 0; i < query->count; i++)
        if (is_filter(query_name_at(query, i)))
            emit_value(query_name_at(query, i), query_value_at(query, i), out);
    emit_raw(out, "}");
    return emit_done(out, err);
}

/* "/label/0" → "?label": the client sent no document. */
static void name_parameters(struct faults *faults, size_t from)
{
    for (size_t i = from; i < faults->count && i < FAULTS_MAX; i++) {
        char *pointer = faults->items[i].pointer;
        pointer[0] = '?';
        pointer[strcspn(pointer, "/")] = '\0';
    }
}

static bool read_filter(struct request *request, struct snapshot_filter *out, struct error *err)
{
    auto_text struct text json = {0};
    size_t faults = request->faults.count;

    if (!render_filter(&request->query, &json, err))
        return false;
    bool is_read = filter_from_json(json.data, json.len, out, &request->faults, err);
    name_parameters(&request->faults, faults);
    return is_read || err->code == ERR_INVALID;
}

static void read_order(struct request *request, struct snapshot_query *out)
{
    const char *sort = query_text(&request->query, "sort");

    if (!sort)
        return;
    out->is_descending = *sort == '-';
    out->sort = snapshot_sort_of_name(sort + out->is_descending);
    if (out->sort != SORT__COUNT)
        return;
    out->sort = SORT_ID;
    faults_add(&request->faults, "?sort",
               "must be id, created_at or memory_size_bytes, with a - in front for the last first");
}

/* Of a list that is known only if nothing else is wrong. */
static bool read_cursor(struct request *request, struct snapshot_query *out, struct error *err)
{
    const char *cursor = query_text(&request->query, "cursor");

    if (!cursor || request->faults.count > 0 || cursor_decode(cursor, out, err))
        return true;
    if (err->code != ERR_INVALID)
        return false;
    faults_add(&request->faults, "?cursor", "%s", err->message);
    return true;
}

static bool read_live(struct request *request)
{
    const char *include = query_text(&request->query, "include");

    if (include && strcmp(include, "live") != 0)
        faults_add(&request->faults, "?include", "must be live");
    return include;
}

bool listing_read(struct request *request, struct listing *out, struct error *err)
{
    struct snapshot_query *query = &out->query;

    query->limit = query_number(&request->query, "limit", 1, PAGE_LIMIT_MAX, PAGE_LIMIT_DEFAULT,
                                &request->faults);
    query->wants_total = query_flag(&request->query, "total", &request->faults);
    out->wants_live = read_live(request);
    read_order(request, query);
    return read_filter(request, &query->filter, err) && read_cursor(request, query, err)
        && faults_none(&request->faults, err);
}

/* As it was sent, but for what would end the URL early (RFC 8288, section 3). */
static void append_parameter(const char *parameter, size_t len, struct text *out)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)parameter[i];
        if (c <= ' ' || c >= 0x7f || strchr("<>\"", c))
            text_appendf(out, "%%%02X", c);
        else
            text_append(out, &parameter[i], 1);
    }
    text_appends(out, "&");
}

/* All parameters but the cursor of this page. */
static void append_parameters(const char *query, struct text *out)
{
    for (const char *end = query; *query != '\0'; query = *end ? end + 1 : end) {
        end = strchrnul(query, '&');
        if (end > query && strncmp(query, "cursor=", strlen("cursor=")) != 0)
            append_parameter(query, (size_t)(end - query), out);
    }
}

bool listing_link_next(const struct request *request, const char *cursor,
                       struct response *response, struct error *err)
{
    const struct client *client = &request->client;
    struct text *link = &response->link;

    text_appends(link, "<");
    if (host_is_valid(client->host))
        text_appendf(link, "%s://%.*s", client->scheme, (int)client->host.len, client->host.at);
    text_appendf(link, "%.*s/snapshots?", (int)client->prefix.len, client->prefix.at);
    append_parameters(request->match.query, link);
    text_appendf(link, "cursor=%s>; rel=\"next\"", cursor);
    if (text_failed(link))
        return error_memory(err);
    response_header(response, "Link", link->data);
    return true;
}
