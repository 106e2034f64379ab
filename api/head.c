#include "api/head.h"

#include <string.h>

#define LINE_END 2 /* CR LF */

static void blame(struct head *head, const char *fault)
{
    if (!head->fault)
        head->fault = fault;
}

static bool is_token(struct span span)
{
    struct span rest = span;

    return header_take_token(&rest).len > 0 && rest.len == 0;
}

/* RFC 9110, section 5.5; what is beyond ASCII is nobody's delimiter. */
static bool is_value(struct span span)
{
    for (size_t i = 0; i < span.len; i++)
        if (((unsigned char)span.at[i] < ' ' && span.at[i] != '\t') || span.at[i] == '\x7f')
            return false;
    return true;
}

static bool is_target(struct span span)
{
    for (size_t i = 0; i < span.len; i++)
        if ((unsigned char)span.at[i] <= ' ' || span.at[i] == '\x7f' || span.at[i] == '#')
            return false;
    return span.len > 0;
}

/* `gap` bytes are between a part and the next. */
static void follow(struct head *head, struct span part, size_t gap)
{
    if (!head->at)
        return;
    if (part.at != head->at)
        blame(head, "the head has a line that does not end with CR LF, that is folded, or that "
                    "holds a NUL or spare blanks");
    head->at = part.at + part.len + gap;
}

void head_begin(struct head *head, struct span method, struct span target, struct span version,
                const char *place)
{
    *head = (struct head){.at = place ? method.at : NULL};
    if (!is_token(method) || !is_target(target))
        blame(head, "the request line is malformed");
    follow(head, method, 1);
    follow(head, (struct span){place, target.len}, 1);
    follow(head, version, LINE_END);
}

/* Blanks may stand in front of a value. */
static size_t measure_gap(const struct head *head, struct span name, struct span value)
{
    const char *colon = name.at + name.len;
    size_t gap = 1;

    while (head->at && colon + gap < value.at && (colon[gap] == ' ' || colon[gap] == '\t'))
        gap++;
    return gap;
}

void head_add(struct head *head, struct span name, struct span value)
{
    if (!is_token(name) || !is_value(value))
        blame(head, "a header field has characters that do not belong there");
    follow(head, name, measure_gap(head, name, value));
    follow(head, value, LINE_END);
}

void head_end(struct head *head, const char *end)
{
    if (head->at)
        follow(head, (struct span){end - LINE_END, 0}, 0);
}
