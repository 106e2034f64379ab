#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "service/retention.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/random.h"

#define BIT(reason) (1U << (reason))

/* A plain model, written by itself: each snapshot is asked about all others, hours, days, weeks,
 * months and years are the texts that strftime() gives, and sums have 128 bits. */

__extension__ typedef unsigned __int128 wide;

static bool model_is_newer(const struct retention_item *a, const struct retention_item *b)
{
    if (a->created_at.seconds != b->created_at.seconds)
        return a->created_at.seconds > b->created_at.seconds;
    if (a->created_at.nanos != b->created_at.nanos)
        return a->created_at.nanos > b->created_at.nanos;
    return strcmp(a->id, b->id) > 0;
}

static bool model_is_dated(const struct retention_item *item)
{
    return item->created_at.seconds >= RFC3339_MIN && item->created_at.nanos >= 0
        && item->created_at.nanos < 1000000000;
}

static bool model_is_future(const struct retention_item *item, struct timestamp now)
{
    const struct retention_item moment = {.id = "", .created_at = now};
    const struct retention_item when = {.id = "", .created_at = item->created_at};

    return model_is_newer(&when, &moment);
}

static unsigned model_protect(const struct retention_item *item, struct timestamp now)
{
    unsigned reasons = 0;

    if (item->held)
        reasons |= BIT(REASON_HELD);
    if (item->status == SNAPSHOT_INCOMPLETE)
        reasons |= BIT(REASON_INCOMPLETE);
    if (item->status == SNAPSHOT_DAMAGED)
        reasons |= BIT(REASON_DAMAGED);
    if (item->status == SNAPSHOT_READY && !model_is_dated(item))
        reasons |= BIT(REASON_UNDATED);
    if (item->status == SNAPSHOT_READY && model_is_dated(item) && model_is_future(item, now))
        reasons |= BIT(REASON_FUTURE);
    return reasons;
}

static bool model_is_same_group(const struct retention_item *a, const struct retention_item *b)
{
    return a->group == b->group || (a->group && b->group && strcmp(a->group, b->group) == 0);
}

/* What the bucket is called; for KEEP_LAST each is one by itself. */
static void model_bucket(const struct retention_item *item, enum keep_rule rule, char out[64])
{
    static const int words[KEEP__COUNT] = {
        [KEEP_HOURLY] = 4, [KEEP_DAILY] = 3, [KEEP_MONTHLY] = 2, [KEEP_YEARLY] = 1};
    time_t time = item->created_at.seconds;
    struct tm tm;

    gmtime_r(&time, &tm);
    if (rule == KEEP_LAST) {
        snprintf(out, 64, "%s", item->id);
    } else if (rule == KEEP_WEEKLY) {
        strftime(out, 64, "%G %V", &tm);
    } else {
        strftime(out, 64, "%Y %m %d %H ", &tm);
        char *end = out;
        for (int i = 0; i < words[rule]; i++)
            end = strchr(end, ' ') + 1;
        *end = '\0';
    }
}

struct model {
    const struct retention_policy *policy;
    struct timestamp now;
    const struct retention_item *items;
    size_t count;
};

/* The newest of its bucket, and fewer than so many buckets have a newer one. */
static bool model_keeps(const struct model *model, size_t which, enum keep_rule rule)
{
    const struct retention_item *item = &model->items[which];
    char ours[64];
    char theirs[64];
    char(*seen)[64] = calloc(model->count + 1, sizeof *seen);
    uint32_t newer = 0;
    bool is_first = true;

    model_bucket(item, rule, ours);
    for (size_t i = 0; i < model->count; i++) {
        const struct retention_item *other = &model->items[i];
        if (model_protect(other, model->now) || !model_is_same_group(other, item)
            || !model_is_newer(other, item))
            continue;
        model_bucket(other, rule, theirs);
        is_first &= strcmp(ours, theirs) != 0;
        bool is_known = false;
        for (uint32_t j = 0; j < newer; j++)
            is_known |= strcmp(seen[j], theirs) == 0;
        if (!is_known)
            memcpy(seen[newer++], theirs, sizeof theirs);
    }
    free(seen);
    return is_first && newer < model->policy->keep[rule];
}

static struct timestamp model_since(struct timestamp now, const struct duration *duration)
{
    time_t time = now.seconds;
    struct tm tm;

    gmtime_r(&time, &tm);
    int64_t months = (int64_t)(tm.tm_year + 1900) * 12 + tm.tm_mon - (int64_t)duration->months;
    if (duration->months > 120000 || months < 12)
        return (struct timestamp){.seconds = RFC3339_MIN};
    for (int day = tm.tm_mday;; day--) {
        struct tm back = tm;
        back.tm_year = (int)(months / 12) - 1900;
        back.tm_mon = (int)(months % 12);
        back.tm_mday = day;
        time = timegm(&back);
        if (back.tm_mon == (int)(months % 12))
            break;
    }
    if (duration->seconds > INT64_MAX || time - (int64_t)duration->seconds <= RFC3339_MIN)
        return (struct timestamp){.seconds = RFC3339_MIN};
    return (struct timestamp){time - (int64_t)duration->seconds, now.nanos};
}

static unsigned model_rules(const struct model *model, size_t which)
{
    const struct retention_policy *policy = model->policy;
    unsigned reasons = 0;
    bool is_any = policy->has_within;

    for (enum keep_rule i = 0; i < KEEP__COUNT; i++) {
        is_any |= policy->has_keep[i];
        if (policy->has_keep[i] && model_keeps(model, which, i))
            reasons |= BIT(i);
    }
    if (policy->has_within
        && !model_is_future(&(struct retention_item){
                                .created_at = model_since(model->now, &policy->within)},
                            model->items[which].created_at))
        reasons |= BIT(REASON_WITHIN);
    return is_any ? reasons : BIT(REASON_FITS);
}

static wide model_total(const struct model *model, const unsigned *kept)
{
    wide total = 0;

    for (size_t i = 0; i < model->count; i++)
        total += kept[i] ? model->items[i].bytes : 0;
    return total;
}

/* The oldest that rules keep; `count` if there is none. */
static size_t model_oldest(const struct model *model, const unsigned *kept)
{
    size_t oldest = model->count;

    for (size_t i = 0; i < model->count; i++)
        if (kept[i] && !model_protect(&model->items[i], model->now)
            && (oldest == model->count
                || model_is_newer(&model->items[oldest], &model->items[i])))
            oldest = i;
    return oldest;
}

/* What each is kept for, 0 if it is dropped; and whether max_bytes dropped it. */
static void model_decide(const struct model *model, unsigned *kept, bool *too_many)
{
    for (size_t i = 0; i < model->count; i++) {
        kept[i] = model_protect(&model->items[i], model->now);
        if (!kept[i])
            kept[i] = model_rules(model, i);
        too_many[i] = false;
    }
    while (model->policy->has_max_bytes && model_total(model, kept) > model->policy->max_bytes) {
        size_t oldest = model_oldest(model, kept);
        if (oldest == model->count)
            break;
        kept[oldest] = 0;
        too_many[oldest] = true;
    }
}

/* Histories. */

#define ITEMS_MAX 48

struct history {
    uint64_t seed;
    struct retention_policy policy;
    struct timestamp now;
    size_t count;
    char ids[ITEMS_MAX][24];
    struct retention_item items[ITEMS_MAX];
};

static uint64_t roll(struct history *history, uint64_t below)
{
    return random_next(&history->seed) % below;
}

static bool chance(struct history *history, unsigned percent)
{
    return roll(history, 100) < percent;
}

static int64_t clamp(int64_t seconds)
{
    return seconds < RFC3339_MIN ? RFC3339_MIN : seconds > RFC3339_MAX ? RFC3339_MAX
                                                                       : seconds;
}

/* Around the borders of days, leap days, weeks and years, where rules differ. */
static struct timestamp roll_time(struct history *history, int64_t spread)
{
    static const int64_t borders[] = {
        RFC3339_MIN, RFC3339_MAX, 0,
        1709164800, /* 2024-02-29 */
        951782400,  /* 2000-02-29 */
        1609632000, /* 2021-01-03, the last day of 2020-W53 */
        1735516800, /* 2024-12-30, the first day of 2025-W01 */
    };
    static const int32_t nanos[] = {0, 1, 999999999, 500000000};
    int64_t base = chance(history, 20)
        ? borders[roll(history, sizeof borders / sizeof borders[0])]
        : history->now.seconds;
    int64_t seconds = clamp(base - (int64_t)roll(history, (uint64_t)spread) + spread / 20);

    if (chance(history, 30))
        seconds = clamp(seconds - seconds % 3600 - (chance(history, 50) ? 1 : 0));
    return (struct timestamp){seconds, nanos[roll(history, 4)]};
}

static void roll_item(struct history *history, struct retention_item *item, char id[24],
                      int64_t spread)
{
    static const char *const groups[] = {NULL, "", "a", "b", "vm:1"};
    static const uint64_t sizes[] = {0, 1, 100, 4096, UINT64_MAX, UINT64_MAX / 2};

    snprintf(id, 24, "%c%" PRIu64 "-%zu", chance(history, 50) ? 'A' : 'z', roll(history, 30),
             (size_t)(item - history->items));
    *item = (struct retention_item){
        .id = id,
        .group = history->policy.has_group_by ? (char *)groups[roll(history, 5)] : NULL,
        .status = chance(history, 85) ? SNAPSHOT_READY
                                      : (enum snapshot_status)roll(history, SNAPSHOT__COUNT),
        .held = chance(history, 10),
        .created_at = roll_time(history, spread),
        .bytes = sizes[roll(history, chance(history, 95) ? 4 : 6)],
    };
    if (chance(history, 2))
        item->created_at.nanos = chance(history, 50) ? -1 : 1000000000;
    if (chance(history, 2))
        item->created_at.seconds = chance(history, 50) ? INT64_MIN : INT64_MAX;
    if (item > history->items && chance(history, 25)) /* a tie of the second, or of the nanos */
        item->created_at.seconds = item[-1].created_at.seconds;
    if (item > history->items && chance(history, 15))
        item->created_at = item[-1].created_at;
}

static void roll_policy(struct history *history)
{
    struct retention_policy *policy = &history->policy;

    *policy = (struct retention_policy){.has_within = chance(history, 25),
                                        .has_max_bytes = chance(history, 35),
                                        .has_group_by = chance(history, 40)};
    for (enum keep_rule i = 0; i < KEEP__COUNT; i++) {
        policy->has_keep[i] = chance(history, 30);
        policy->keep[i] = chance(history, 5) ? UINT32_MAX : 1 + (uint32_t)roll(history, 6);
    }
    policy->within.months = chance(history, 50) ? roll(history, 30) : 0;
    policy->within.seconds = chance(history, 50) ? roll(history, 4000000) : 0;
    if (chance(history, 3))
        policy->within.months = UINT64_MAX;
    policy->max_bytes = chance(history, 20) ? 0 : roll(history, 20000);
}

static void roll_history(struct history *history)
{
    static const int64_t spreads[] = {60, 7200, 200000, 3000000, 60000000, 4000000000};
    int64_t spread = spreads[roll(history, 6)];

    roll_policy(history);
    history->now = (struct timestamp){1767323045, 5};
    if (chance(history, 20))
        history->now = roll_time(history, spread);
    history->count = roll(history, chance(history, 10) ? 2 : ITEMS_MAX);
    for (size_t i = 0; i < history->count; i++)
        roll_item(history, &history->items[i], history->ids[i], spread);
}

/* `expected` are reasons, as the item has them. */
static void tell(const struct history *history, uint64_t seed, const struct retention_item *item,
                 unsigned expected)
{
    fail_msg("history %" PRIu64 " of %zu, at %" PRId64 ": %s at %" PRId64 ".%d is %s for %x, and "
             "not, as by the model, for %x",
             seed, history->count, history->now.seconds, item->id, item->created_at.seconds,
             item->created_at.nanos, item->is_dropped ? "dropped" : "kept", item->reasons,
             expected);
}

static void compare(struct history *history, uint64_t seed)
{
    struct error err;
    unsigned kept[ITEMS_MAX];
    bool too_many[ITEMS_MAX];
    struct model model = {&history->policy, history->now, history->items, history->count};

    assert_succeeds(retention_decide(&history->policy, history->now, history->items,
                                     history->count, &err));
    model_decide(&model, kept, too_many);
    for (size_t i = 0; i < history->count; i++) {
        const struct retention_item *item = &history->items[i];
        unsigned expected = kept[i] ? kept[i]
            : too_many[i]           ? BIT(REASON_MAX_BYTES)
                                    : BIT(REASON_NO_RULE);
        if (item->is_dropped != !kept[i] || item->reasons != expected)
            tell(history, seed, item, expected);
        if (i > 0)
            assert_true(model_is_newer(item - 1, item));
    }
}

#define HISTORIES 20000

static void all_histories_are_decided_as_by_the_model(void **state)
{
    static struct history history; /* large */

    (void)state;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        history.seed = seed;
        roll_history(&history);
        compare(&history, seed);
    }
}

/* And by hand. */

#define DAY INT64_C(86400)

static struct retention_item item_at(const char *id, int64_t seconds)
{
    return (struct retention_item){
        .id = (char *)id, .created_at = {.seconds = seconds}, .bytes = 10};
}

static void decide(const struct retention_policy *policy, struct retention_item *items,
                   size_t count)
{
    struct error err;

    assert_succeeds(
        retention_decide(policy, (struct timestamp){100 * DAY, 0}, items, count, &err));
}

static void of_those_made_at_once_the_greater_id_is_the_newest(void **state)
{
    const struct retention_policy policy = {.has_keep[KEEP_LAST] = true, .keep[KEEP_LAST] = 1};
    struct retention_item items[] = {item_at("a", 5), item_at("c", 5), item_at("b", 5)};

    (void)state;
    decide(&policy, items, 3);
    assert_string_equal(items[0].id, "c");
    assert_int_equal(items[0].reasons, BIT(REASON_LAST));
    assert_string_equal(items[1].id, "b");
    assert_true(items[1].is_dropped && items[2].is_dropped);
    assert_int_equal(items[2].reasons, BIT(REASON_NO_RULE));
}

static void what_is_kept_for_several_rules_names_them_all(void **state)
{
    const struct retention_policy policy = {
        .has_keep = {true,  true, true, true, true, true},
        .keep = {1, 1, 1, 1, 1, 1},
        .has_within = true,
        .within = {.seconds = DAY},
    };
    struct retention_item items[] = {item_at("new", 100 * DAY - 1), item_at("old", 100 * DAY - 2),
                                     item_at("older", 98 * DAY)};

    (void)state;
    decide(&policy, items, 3);
    assert_int_equal(items[0].reasons, BIT(REASON_WITHIN + 1) - 1);
    assert_int_equal(items[1].reasons, BIT(REASON_WITHIN));
    assert_true(items[2].is_dropped);
}

static void what_is_just_as_old_as_keep_within_says_is_kept(void **state)
{
    const struct retention_policy policy = {.has_within = true, .within = {.seconds = DAY}};
    struct retention_item items[] = {item_at("in", 99 * DAY), item_at("out", 99 * DAY - 1)};

    (void)state;
    decide(&policy, items, 2);
    assert_false(items[0].is_dropped);
    assert_true(items[1].is_dropped);
}

static void what_is_never_dropped_takes_no_place_of_another(void **state)
{
    const struct retention_policy policy = {.has_keep[KEEP_LAST] = true, .keep[KEEP_LAST] = 1};
    struct retention_item items[] = {
        item_at("future", 100 * DAY + 1),
        item_at("held", 9),
        item_at("torn", 8),
        item_at("spoilt", 7),
        item_at("good", 6),
        item_at("old", 5),
        item_at("year-0", RFC3339_MIN - 1),
    };
    static const unsigned reasons[] = {
        BIT(REASON_FUTURE),
        BIT(REASON_HELD),
        BIT(REASON_INCOMPLETE),
        BIT(REASON_DAMAGED),
        BIT(REASON_LAST),
        BIT(REASON_NO_RULE),
        BIT(REASON_UNDATED),
    };

    (void)state;
    items[1].held = true;
    items[2].status = SNAPSHOT_INCOMPLETE;
    items[3].status = SNAPSHOT_DAMAGED;
    decide(&policy, items, 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(items[i].reasons, reasons[i]);
}

/* Three of 10 bytes, of which `kept` stay. */
static void check_max_bytes(uint64_t max_bytes, bool is_oldest_held, size_t kept)
{
    const struct retention_policy policy = {.has_max_bytes = true, .max_bytes = max_bytes};
    struct retention_item items[] = {item_at("c", 3), item_at("b", 2), item_at("a", 1)};

    items[2].held = is_oldest_held;
    decide(&policy, items, 3);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(items[i].reasons, BIT(i < kept ? REASON_FITS : REASON_MAX_BYTES));
    if (is_oldest_held)
        assert_int_equal(items[2].reasons, BIT(REASON_HELD));
    else
        assert_int_equal(items[2].is_dropped, kept < 3);
}

static void the_oldest_go_until_the_rest_is_not_too_large(void **state)
{
    (void)state;
    check_max_bytes(0, false, 0);
    check_max_bytes(9, false, 0);
    check_max_bytes(10, false, 1);
    check_max_bytes(29, false, 2);
    check_max_bytes(30, false, 3);
    check_max_bytes(UINT64_MAX, false, 3);
    check_max_bytes(30, true, 2);
    check_max_bytes(29, true, 1);
    check_max_bytes(10, true, 0);
    check_max_bytes(9, true, 0);
}

static void nothing_at_all_can_be_thinned(void **state)
{
    const struct retention_policy policy = {.has_max_bytes = true};

    (void)state;
    decide(&policy, NULL, 0);
}

static void without_memory_nothing_is_decided(void **state)
{
    const struct retention_policy policy = {.has_max_bytes = true};
    struct retention_item item = item_at("a", 1);
    struct error err;

    (void)state;
    fault_arm_error("calloc", 1, ENOMEM);
    assert_fails(retention_decide(&policy, (struct timestamp){0}, &item, 1, &err), ERR_INTERNAL);
    assert_non_null(fault_disarm().struck);
    assert_int_equal(item.reasons, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_histories_are_decided_as_by_the_model),
        cmocka_unit_test(of_those_made_at_once_the_greater_id_is_the_newest),
        cmocka_unit_test(what_is_kept_for_several_rules_names_them_all),
        cmocka_unit_test(what_is_just_as_old_as_keep_within_says_is_kept),
        cmocka_unit_test(what_is_never_dropped_takes_no_place_of_another),
        cmocka_unit_test(the_oldest_go_until_the_rest_is_not_too_large),
        cmocka_unit_test(nothing_at_all_can_be_thinned),
        cmocka_unit_test(without_memory_nothing_is_decided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
