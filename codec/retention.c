#include "codec/retention.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "codec/base64.h"
#include "codec/duration.h"
#include "codec/emit.h"
#include "codec/field_types.h"

static bool read_duration(const struct field *field, json_t *value, const struct place *place,
                          void *member)
{
    const char *string = field_get_string(value, field->max, place);
    const char *why;

    return string && (duration_parse(string, member, &why) || place_fault(place, "%s", why));
}

static void write_duration(struct text *out, const void *member)
{
    char string[DURATION_SIZE];

    duration_format(member, string);
    emit_string(out, string);
}

static const struct field_type field_duration = {read_duration, write_duration};

static const char *check_within(const void *member)
{
    const struct duration *duration = member;

    return duration->months || duration->seconds ? NULL : "must be longer than nothing";
}

static const char *check_group_by(const void *member)
{
    return id_is_valid(*(char *const *)member) ? NULL : "a label's name " ID_RULE;
}

#define KEEP_FIELD(spelling, rule)                        \
    FIELD_AS(spelling, retention_policy, keep[rule], u32, \
             GIVEN(retention_policy, has_keep[rule]), .min = 1)

static const struct field policy_rows[] = {
    KEEP_FIELD("keep_last", KEEP_LAST),
    KEEP_FIELD("keep_hourly", KEEP_HOURLY),
    KEEP_FIELD("keep_daily", KEEP_DAILY),
    KEEP_FIELD("keep_weekly", KEEP_WEEKLY),
    KEEP_FIELD("keep_monthly", KEEP_MONTHLY),
    KEEP_FIELD("keep_yearly", KEEP_YEARLY),
    FIELD_AS("keep_within", retention_policy, within, duration,
             GIVEN(retention_policy, has_within), .check = check_within),
    FIELD(retention_policy, max_bytes, u64, GIVEN(retention_policy, has_max_bytes)),
    FIELD(retention_policy, group_by, string, GIVEN(retention_policy, has_group_by),
          .check = check_group_by),
    FIELD(retention_policy, filter, filter),
};

static bool says_what_to_keep(const struct retention_policy *policy)
{
    return policy->has_max_bytes || retention_policy_has_rules(policy);
}

/* A policy that is empty would keep nothing. */
static void check_policy(const void *object, const struct place *whole)
{
    if (!says_what_to_keep(object) && whole->reading->faults->count == 0)
        place_fault(whole, "must have keep_last, keep_hourly, keep_daily, keep_weekly, "
                           "keep_monthly, keep_yearly, keep_within or max_bytes");
}

static const struct fields policy_fields = {FIELDS(policy_rows), .check = check_policy};

bool retention_policy_from_json(const char *json, size_t len, struct retention_policy *out,
                                struct faults *faults, struct error *err)
{
    auto_retention_policy struct retention_policy made = {0};

    if (!fields_parse(&policy_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct retention_policy){0});
    return true;
}

static bool read_policy(const struct field *field, json_t *value, const struct place *place,
                        void *member)
{
    (void)field;
    if (!fields_read(&policy_fields, value, place, member))
        return false;
    check_policy(member, place);
    return says_what_to_keep(member);
}

static void write_policy(struct text *out, const void *member)
{
    fields_write(&policy_fields, member, out);
}

static const struct field_type field_policy = {read_policy, write_policy};

/* From here on the calendar can count. */
static const char *check_now(const void *member)
{
    const struct timestamp *now = member;

    return now->seconds >= RFC3339_MIN && now->seconds <= RFC3339_MAX ? NULL
                                                                      : "must be RFC 3339";
}

static const struct field ticket_rows[] = {
    FIELD(retention_ticket, policy, policy, REQUIRED),
    FIELD(retention_ticket, now, timestamp, REQUIRED, .check = check_now),
    FIELD(retention_ticket, set_sha256, sha256, REQUIRED),
};
static const struct fields ticket_fields = {FIELDS(ticket_rows)};

/* Of the digest, in front of what it is of: so that no other token than ours is taken for a plan
 * which is out of date. */
#define CHECK_LEN 32

bool retention_token_encode(const struct retention_ticket *ticket, struct text *out,
                            struct error *err)
{
    auto_text struct text json = {0};
    char check[DIGEST_HEX_SIZE];

    fields_write(&ticket_fields, ticket, &json);
    if (!emit_done(&json, err) || !digest_of(json.data, json.len, check, err))
        return false;
    text_append(out, check, CHECK_LEN);
    base64url_encode(json.data, json.len, out);
    return emit_done(out, err);
}

static bool open_token(const char *token, size_t len, struct text *json)
{
    char check[DIGEST_HEX_SIZE];
    struct error ignored;

    return len > CHECK_LEN && base64url_decode(token + CHECK_LEN, len - CHECK_LEN, json)
        && digest_of(json->data, json->len, check, &ignored)
        && memcmp(check, token, CHECK_LEN) == 0;
}

static bool read_token(const struct field *field, json_t *value, const struct place *place,
                       void *member)
{
    const char *token = field_get_string(value, field->max, place);
    auto_text struct text json = {0};
    struct faults faults = {0};
    struct error why;

    if (!token)
        return false;
    if (open_token(token, strlen(token), &json)
        && fields_parse(&ticket_fields, json.data, json.len, member, &faults, &why))
        return true;
    return place_fault(place, "is not the token of a plan");
}

static const struct field_type field_token = {.read = read_token};

static const struct field application_rows[] = {
    {.name = "token", .type = &field_token, REQUIRED}, /* fills the whole struct */
};
static const struct fields application_fields = {FIELDS(application_rows)};

bool retention_ticket_from_json(const char *json, size_t len, struct retention_ticket *out,
                                struct faults *faults, struct error *err)
{
    auto_retention_ticket struct retention_ticket made = {0};

    if (!fields_parse(&application_fields, json, len, &made, faults, err))
        return false;
    *out = TAKE_AS(made, (struct retention_ticket){0});
    return true;
}

static const char *const reason_names[REASON__COUNT] = {
    [REASON_LAST] = "last",
    [REASON_HOURLY] = "hourly",
    [REASON_DAILY] = "daily",
    [REASON_WEEKLY] = "weekly",
    [REASON_MONTHLY] = "monthly",
    [REASON_YEARLY] = "yearly",
    [REASON_WITHIN] = "within",
    [REASON_FITS] = "fits",
    [REASON_HELD] = "held",
    [REASON_FUTURE] = "future",
    [REASON_UNDATED] = "undated",
    [REASON_INCOMPLETE] = "incomplete",
    [REASON_DAMAGED] = "damaged",
    [REASON_NO_RULE] = "no_rule",
    [REASON_MAX_BYTES] = "max_bytes",
};

/* With the hour, day … of which it is the newest. */
static void emit_reason(struct text *out, enum retention_reason reason, int64_t created_at)
{
    char name[CALENDAR_NAME_SIZE];

    emit_item(out);
    if (reason < REASON_HOURLY || reason > REASON_YEARLY) {
        emit_string(out, reason_names[reason]);
        return;
    }
    calendar_name(created_at, (enum calendar_unit)(reason - REASON_HOURLY), name);
    text_appendf(out, "\"%s %s\"", reason_names[reason], name);
}

static void emit_decision(struct text *out, const struct retention_item *item, const char *group_by)
{
    emit_item(out);
    emit_raw(out, "{");
    emit_key(out, "id");
    emit_string(out, item->id);
    if (group_by) {
        emit_key(out, "group");
        emit_string(out, item->group);
    }
    emit_key(out, "action");
    emit_string(out, item->is_dropped ? "drop" : "keep");
    emit_key(out, "reasons");
    emit_raw(out, "[");
    for (enum retention_reason i = 0; i < REASON__COUNT; i++)
        if (item->reasons & 1U << i)
            emit_reason(out, i, item->created_at.seconds);
    emit_raw(out, "]");
    emit_key(out, "bytes");
    emit_u64(out, item->bytes);
    if (item->is_dropped) {
        emit_key(out, "frees_bytes");
        emit_u64(out, item->frees_bytes);
    }
    emit_raw(out, "}");
}

static void emit_totals(struct text *out, const struct retention_plan *plan, const char *token)
{
    emit_key(out, "token");
    emit_string(out, token);
    emit_key(out, "now");
    field_timestamp.write(out, &plan->now);
    emit_key(out, "keep_count");
    emit_u64(out, plan->count - plan->drop_count);
    emit_key(out, "drop_count");
    emit_u64(out, plan->drop_count);
    emit_key(out, "kept_bytes");
    emit_u64(out, plan->kept_bytes);
    emit_key(out, "frees_bytes");
    emit_u64(out, plan->frees_bytes);
}

bool retention_plan_to_json(const struct retention_plan *plan, const char *token,
                            const char *group_by, struct text *out, struct error *err)
{
    emit_raw(out, "{");
    emit_totals(out, plan, token);
    emit_key(out, "decisions");
    emit_raw(out, "[");
    for (size_t i = 0; i < plan->count; i++) {
        emit_decision(out, &plan->items[i], group_by);
        if (out->len > RETENTION_PLAN_MAX)
            return error_field(err, "/filter",
                               "the plan for %zu snapshots is too long for one answer: plan for "
                               "fewer at a time",
                               plan->count);
    }
    emit_raw(out, "]}");
    return emit_done(out, err);
}

static void emit_failure(struct text *out, const struct retention_item *item)
{
    emit_raw(out, "{");
    emit_key(out, "id");
    emit_string(out, item->id);
    emit_key(out, "code");
    emit_string(out, error_slug(item->failure));
    emit_key(out, "detail");
    emit_string(out, item->detail ? item->detail : "");
    emit_raw(out, "}");
}

static void emit_outcome(struct text *out, const struct retention_plan *plan, bool has_failed)
{
    emit_raw(out, "[");
    for (size_t i = plan->count; i-- > 0;) {
        const struct retention_item *item = &plan->items[i];
        if (!item->is_dropped || (item->failure != ERR_NONE) != has_failed)
            continue;
        emit_item(out);
        if (has_failed)
            emit_failure(out, item);
        else
            emit_string(out, item->id);
    }
    emit_raw(out, "]");
}

bool retention_outcome_to_json(const struct retention_plan *plan, struct text *out,
                               struct error *err)
{
    emit_raw(out, "{");
    emit_key(out, "dropped");
    emit_outcome(out, plan, false);
    emit_key(out, "failed");
    emit_outcome(out, plan, true);
    emit_raw(out, "}");
    return emit_done(out, err);
}
