#include "api/multipart.h"

#include <string.h>

#include "api/header.h"
#include "api/negotiate.h"
#include "base/utf8.h"

#define BOUNDARY_MAX 70 /* RFC 2046, section 5.1.1 */
#define BOUNDARY_CHARS                                                  \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()" \
    "+_,-./:=? "

enum state {
    IN_PREAMBLE,
    IN_DATA,
    AFTER_DELIMITER,
    AFTER_DASH,   /* the first of the two that mark the last delimiter */
    IN_PADDING,   /* spaces and tabs that end a delimiter's line */
    AFTER_RETURN, /* the CR that ends it */
    IN_HEADERS,
    IN_EPILOGUE,
    REFUSED
};

struct multipart {
    enum state state;
    const struct multipart_events *events;
    void *context;
    char delimiter[4 + BOUNDARY_MAX + 1]; /* CRLF, two dashes, boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of a delimiter that the last piece ended in */
    size_t headers_len;
    char headers[MULTIPART_HEADERS_MAX];
};

static bool refuse(struct error *err, const char *why)
{
    return error_set(err, ERR_BAD_REQUEST, "the multipart body is malformed: %s", why);
}

/* The one parameter of this name; false if the list is malformed or holds it twice. */
static bool find_parameter(struct span rest, const char *name, struct span *out, bool *is_found)
{
    struct parameter parameter;

    *is_found = false;
    while (header_take_parameter(&rest, &parameter)) {
        if (!span_is(parameter.name, name))
            continue;
        if (*is_found)
            return false;
        *is_found = true;
        *out = parameter.value;
    }
    return rest.len == 0;
}

static bool read_boundary(struct multipart *multipart, const char *content_type, struct error *err)
{
    struct span parameters = span_of(strchrnul(content_type, ';'));
    char *boundary = stpcpy(multipart->delimiter, "\r\n--");
    struct span value;
    bool is_found;

    if (!find_parameter(parameters, "boundary", &value, &is_found) || !is_found
        || !header_unquote(value, boundary, BOUNDARY_MAX + 1))
        return error_set(err, ERR_BAD_REQUEST,
                         "the Content-Type needs one boundary of at most %d bytes", BOUNDARY_MAX);
    size_t len = strlen(boundary);
    if (len == 0 || strspn(boundary, BOUNDARY_CHARS) != len || boundary[len - 1] == ' ')
        return error_set(err, ERR_BAD_REQUEST, "the boundary holds characters that it may not");
    multipart->delimiter_len = len + 4;
    return true;
}

struct multipart *multipart_new(const char *content_type, const struct multipart_events *events,
                                void *context, struct error *err)
{
    if (!negotiate_is_type(content_type, "multipart/form-data")) {
        error_set(err, ERR_MEDIA_TYPE, "the body must be multipart/form-data");
        return NULL;
    }
    auto_multipart struct multipart *multipart = malloc(sizeof *multipart);
    if (!multipart) {
        error_memory(err);
        return NULL;
    }
    /* The first delimiter needs no line before it: take its CRLF as read. */
    *multipart = (struct multipart){.events = events, .context = context, .matched = 2};
    return read_boundary(multipart, content_type, err) ? TAKE(multipart) : NULL;
}

static bool hand_on(struct multipart *multipart, const char *data, size_t len, struct error *err)
{
    if (multipart->state == IN_PREAMBLE || len == 0)
        return true;
    return multipart->events->data(multipart->context, data, len, err);
}

static bool leave_part(struct multipart *multipart, struct error *err)
{
    bool had_part = multipart->state == IN_DATA;

    multipart->matched = 0;
    multipart->state = AFTER_DELIMITER;
    return !had_part || multipart->events->end(multipart->context, err);
}

/* A delimiter that the last piece may have begun: go on with it, or hand on what it turns out to
 * have been. Only its first byte is a CR, so what was matched holds no beginning of another. */
static bool resume_delimiter(struct multipart *multipart, struct span *rest, struct error *err)
{
    size_t matched = multipart->matched;

    while (matched < multipart->delimiter_len && header_take(rest, multipart->delimiter[matched]))
        matched++;
    multipart->matched = matched;
    if (matched == multipart->delimiter_len)
        return leave_part(multipart, err);
    if (rest->len == 0)
        return true;
    multipart->matched = 0;
    return hand_on(multipart, multipart->delimiter, matched, err);
}

/* How many bytes at the end of `data` may be the beginning of a delimiter. */
static size_t measure_beginning(const struct multipart *multipart, struct span data)
{
    size_t most = multipart->delimiter_len - 1;
    size_t window = data.len < most ? data.len : most;
    const char *end = data.at + data.len;
    const char *cr = memrchr(end - window, '\r', window);

    return cr && memcmp(cr, multipart->delimiter, (size_t)(end - cr)) == 0 ? (size_t)(end - cr) : 0;
}

static bool take_data(struct multipart *multipart, struct span *rest, struct error *err)
{
    if (multipart->matched > 0)
        return resume_delimiter(multipart, rest, err);
    struct span data = *rest;
    const char *found = memmem(data.at, data.len, multipart->delimiter, multipart->delimiter_len);
    if (found) {
        size_t len = (size_t)(found - data.at);
        span_skip(rest, len + multipart->delimiter_len);
        return hand_on(multipart, data.at, len, err) && leave_part(multipart, err);
    }
    span_skip(rest, data.len);
    multipart->matched = measure_beginning(multipart, data);
    return hand_on(multipart, data.at, data.len - multipart->matched, err);
}

/* What may stand between a delimiter and the end of its line (RFC 2046, section 5.1.1). */
static bool take_delimiter_end(struct multipart *multipart, char c, struct error *err)
{
    enum state state = multipart->state;

    if (state == AFTER_DASH && c == '-')
        multipart->state = IN_EPILOGUE;
    else if (state == AFTER_DELIMITER && c == '-')
        multipart->state = AFTER_DASH;
    else if ((state == AFTER_DELIMITER || state == IN_PADDING) && (c == ' ' || c == '\t'))
        multipart->state = IN_PADDING;
    else if ((state == AFTER_DELIMITER || state == IN_PADDING) && c == '\r')
        multipart->state = AFTER_RETURN;
    else if (state == AFTER_RETURN && c == '\n')
        multipart->state = IN_HEADERS;
    else
        return refuse(err, "a boundary is not followed by CRLF");
    return true;
}

struct part {
    bool has_disposition;
    char name[MULTIPART_NAME_MAX + 1];
};

static bool read_disposition(struct span value, struct part *part, struct error *err)
{
    struct span name;
    bool is_found;

    if (part->has_disposition || !span_is(header_take_token(&value), "form-data")
        || !find_parameter(value, "name", &name, &is_found))
        return refuse(err, "a part needs one Content-Disposition: form-data");
    part->has_disposition = true;
    if (!is_found || name.len == 0)
        return refuse(err, "a part has no name");
    if (!header_unquote(name, part->name, sizeof part->name)
        || !utf8_is_valid(part->name, strlen(part->name)))
        return refuse(err, "a part's name is too long or not UTF-8");
    return true;
}

/* Bytes are taken as they are; a part that says it is encoded would be taken wrongly. */
static bool check_encoding(struct span value, struct error *err)
{
    if (span_is(value, "binary") || span_is(value, "8bit") || span_is(value, "7bit"))
        return true;
    return refuse(err, "Content-Transfer-Encoding must be binary, 8bit or 7bit");
}

static bool read_header(struct span line, struct part *part, struct error *err)
{
    struct span name = header_take_token(&line);

    if (name.len == 0 || !header_take(&line, ':'))
        return refuse(err, "a part has a bad header");
    if (span_is(name, "Content-Disposition"))
        return read_disposition(span_trim(line), part, err);
    if (span_is(name, "Content-Transfer-Encoding"))
        return check_encoding(span_trim(line), err);
    return true;
}

static bool enter_part(struct multipart *multipart, struct error *err)
{
    size_t len = multipart->headers_len - 2; /* without the empty line */
    struct span rest = {multipart->headers, len};
    struct part part = {0};

    while (rest.len > 0) {
        const char *end = memchr(rest.at, '\r', rest.len);
        struct span line = {rest.at, (size_t)(end - rest.at)};
        span_skip(&rest, line.len + 2);
        if (!read_header(line, &part, err))
            return false;
    }
    if (!part.has_disposition)
        return refuse(err, "a part has no name");
    multipart->headers_len = 0;
    multipart->state = IN_DATA;
    return multipart->events->begin(multipart->context, part.name, err);
}

static bool ends_headers(const struct multipart *multipart)
{
    size_t len = multipart->headers_len;
    const char *end = multipart->headers + len;

    return (len == 2 && memcmp(end - 2, "\r\n", 2) == 0)
        || (len >= 4 && memcmp(end - 4, "\r\n\r\n", 4) == 0);
}

/* Every line ends in CRLF, and neither CR nor LF stands elsewhere; an empty line ends them all. */
static bool take_header_char(struct multipart *multipart, char c, struct error *err)
{
    size_t len = multipart->headers_len;
    bool after_return = len > 0 && multipart->headers[len - 1] == '\r';

    if (len == sizeof multipart->headers)
        return refuse(err, "the headers of a part are too long");
    if (after_return != (c == '\n') || c == '\0')
        return refuse(err, "a part has a bad header");
    multipart->headers[len++] = c;
    multipart->headers_len = len;
    return !ends_headers(multipart) || enter_part(multipart, err);
}

static bool take_some(struct multipart *multipart, struct span *rest, struct error *err)
{
    if (multipart->state == IN_PREAMBLE || multipart->state == IN_DATA)
        return take_data(multipart, rest, err);
    char c = *rest->at;
    span_skip(rest, 1);
    if (multipart->state == IN_HEADERS)
        return take_header_char(multipart, c, err);
    return take_delimiter_end(multipart, c, err);
}

bool multipart_feed(struct multipart *multipart, const void *data, size_t len, struct error *err)
{
    struct span rest = {data, len};

    if (multipart->state == REFUSED)
        return refuse(err, "it was refused before");
    while (rest.len > 0 && multipart->state != IN_EPILOGUE)
        if (!take_some(multipart, &rest, err)) {
            multipart->state = REFUSED;
            return false;
        }
    return true;
}

bool multipart_finish(const struct multipart *multipart, struct error *err)
{
    return multipart->state == IN_EPILOGUE || refuse(err, "its last boundary is missing");
}

void multipart_free(struct multipart *multipart)
{
    free(multipart);
}
