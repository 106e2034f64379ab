#include "service/retention.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/clock.h"

static int compare_newest_first(const void *a, const void *b)
{
    const struct retention_item *left = a;
    const struct retention_item *right = b;
    int order = timestamp_compare(right->created_at, left->created_at);

    return order ? order : strcmp(right->id, left->id);
}

/* Two values, or none, which is a group, too. */
static int compare_groups(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

/* Of places in the items, which are sorted: their order stays within a group. */
static int compare_grouped(const void *a, const void *b, void *context)
{
    const struct retention_item *items = context;
    size_t left = *(const size_t *)a;
    size_t right = *(const size_t *)b;
    int order = compare_groups(items[left].group, items[right].group);

    return order ? order : (left > right) - (left < right);
}

static bool is_undated(struct timestamp time)
{
    return time.seconds < RFC3339_MIN || time.nanos < 0 || time.nanos > 999999999;
}

/* Why it is not for the rules to drop; 0 if it is. */
static unsigned protect(const struct retention_item *item, struct timestamp now)
{
    unsigned reasons = (unsigned)item->held << REASON_HELD;

    if (item->status != SNAPSHOT_READY)
        return reasons
            | 1U << (item->status == SNAPSHOT_INCOMPLETE ? REASON_INCOMPLETE : REASON_DAMAGED);
    if (is_undated(item->created_at))
        return reasons | 1U << REASON_UNDATED;
    return reasons | (unsigned)(timestamp_compare(item->created_at, now) > 0) << REASON_FUTURE;
}

/* What the rules have kept of a group so far, from the newest on. */
struct tally {
    uint32_t kept[KEEP__COUNT];
    int64_t number[KEEP__COUNT]; /* of the hour, day … that the last one kept is in */
};

static const enum calendar_unit units[KEEP__COUNT] = {
    [KEEP_HOURLY] = CALENDAR_HOUR,
    [KEEP_DAILY] = CALENDAR_DAY,
    [KEEP_WEEKLY] = CALENDAR_WEEK,
    [KEEP_MONTHLY] = CALENDAR_MONTH,
    [KEEP_YEARLY] = CALENDAR_YEAR,
};

static bool is_kept_by(enum keep_rule rule, const struct retention_policy *policy,
                       const struct retention_item *item, struct tally *tally)
{
    if (!policy->has_keep[rule] || tally->kept[rule] == policy->keep[rule])
        return false;
    if (rule != KEEP_LAST) {
        int64_t number = calendar_number(item->created_at.seconds, units[rule]);
        if (tally->kept[rule] > 0 && number == tally->number[rule])
            return false; /* a newer one stands for it */
        tally->number[rule] = number;
    }
    tally->kept[rule]++;
    return true;
}

/* What the policy comes to at a certain time. */
struct deciding {
    const struct retention_policy *policy;
    struct timestamp now, since; /* `since` is of keep_within */
    bool has_rules;
};

static struct timestamp go_back(struct timestamp now, const struct duration *duration)
{
    int64_t seconds = calendar_go_back(now.seconds, duration->months);

    if (duration->seconds >= (uint64_t)(seconds - RFC3339_MIN))
        return (struct timestamp){.seconds = RFC3339_MIN};
    return (struct timestamp){seconds - (int64_t)duration->seconds, now.nanos};
}

static struct deciding begin(const struct retention_policy *policy, struct timestamp now)
{
    struct deciding deciding = {
        .policy = policy, .now = now, .has_rules = retention_policy_has_rules(policy)};

    if (policy->has_within)
        deciding.since = go_back(now, &policy->within);
    return deciding;
}

static unsigned ask_rules(const struct deciding *deciding, const struct retention_item *item,
                          struct tally *tally)
{
    const struct retention_policy *policy = deciding->policy;
    unsigned reasons = deciding->has_rules ? 0 : 1U << REASON_FITS;

    for (enum keep_rule i = 0; i < KEEP__COUNT; i++)
        reasons |= (unsigned)is_kept_by(i, policy, item, tally) << i;
    if (policy->has_within && timestamp_compare(item->created_at, deciding->since) >= 0)
        reasons |= 1U << REASON_WITHIN;
    return reasons;
}

/* `order` has the places of each group in one piece, its newest first. */
static void apply_rules(const struct deciding *deciding, struct retention_item *items,
                        const size_t *order, size_t count)
{
    struct tally tally = {0};

    for (size_t i = 0; i < count; i++) {
        struct retention_item *item = &items[order[i]];
        if (i > 0 && compare_groups(items[order[i - 1]].group, item->group) != 0)
            tally = (struct tally){0};
        item->reasons = protect(item, deciding->now);
        if (!item->reasons)
            item->reasons = ask_rules(deciding, item, &tally);
        item->is_dropped = !item->reasons;
        if (item->is_dropped)
            item->reasons = 1U << REASON_NO_RULE;
    }
}

#define PROTECTED ((1U << REASON_NO_RULE) - (1U << REASON_HELD))

/* What those that are never dropped leave of it; false if that is less than nothing. */
static bool find_room(const struct retention_item *items, size_t count, uint64_t *room)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].reasons & PROTECTED
            && __builtin_sub_overflow(*room, items[i].bytes, room))
            return false;
    return true;
}

/* To drop the oldest until the rest fits is to keep the newest as long as they fit. */
static void apply_max_bytes(uint64_t max_bytes, struct retention_item *items, size_t count)
{
    uint64_t room = max_bytes;
    bool is_full = !find_room(items, count, &room);

    for (size_t i = 0; i < count; i++) {
        struct retention_item *item = &items[i];
        if (item->is_dropped || item->reasons & PROTECTED)
            continue;
        is_full |= item->bytes > room;
        if (is_full) {
            item->is_dropped = true;
            item->reasons = 1U << REASON_MAX_BYTES;
        } else {
            room -= item->bytes;
        }
    }
}

bool retention_decide(const struct retention_policy *policy, struct timestamp now,
                      struct retention_item *items, size_t count, struct error *err)
{
    const struct deciding deciding = begin(policy, now);
    auto_free size_t *order = calloc(count + 1, sizeof *order);

    if (!order)
        return error_memory(err);
    if (count == 0)
        return true; /* and there may be no items to be sorted */
    qsort(items, count, sizeof *items, compare_newest_first);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, compare_grouped, items);
    apply_rules(&deciding, items, order, count);
    if (policy->has_max_bytes)
        apply_max_bytes(policy->max_bytes, items, count);
    return true;
}
