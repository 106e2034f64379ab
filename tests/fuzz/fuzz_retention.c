/* Any bytes are judged as a policy, and as a token. A policy that is accepted says what to keep,
 * and a token made with it stands for the same policy; a token that is accepted is the one of what
 * it stands for. */
#include "base/clock.h"
#include "codec/retention.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/refusal.h"

static bool says_what_to_keep(const struct retention_policy *policy)
{
    bool says = policy->has_max_bytes || policy->has_within;

    for (enum keep_rule i = 0; i < KEEP__COUNT; i++) {
        MUST(!policy->has_keep[i] || policy->keep[i] > 0);
        says |= policy->has_keep[i];
    }
    return says;
}

static void check_ticket(const struct retention_ticket *ticket, size_t sent)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_text struct text token = {0};
    auto_text struct text again = {0};
    auto_text struct text json = {0};
    auto_retention_ticket struct retention_ticket read = {0};

    MUST(says_what_to_keep(&ticket->policy));
    MUST(ticket->now.seconds >= RFC3339_MIN && ticket->now.seconds <= RFC3339_MAX);
    MUST(retention_token_encode(ticket, &token, &err));
    MUST(text_appendf(&json, "{\"token\":\"%s\"}", token.data));
    MUST(sent > RETENTION_POLICY_BODY_MAX || json.len <= RETENTION_TOKEN_BODY_MAX);
    MUST(retention_ticket_from_json(json.data, json.len, &read, &faults, &err));
    MUST(retention_token_encode(&read, &again, &err));
    MUST(text_equals(&again, token.data, token.len));
}

static void try_policy(const char *json, size_t len)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_retention_ticket struct retention_ticket ticket = {
        .now = {1767323045, 0}
    };

    if (!retention_policy_from_json(json, len, &ticket.policy, &faults, &err)) {
        check_refusal(&err, &faults);
        return;
    }
    memset(ticket.set_sha256, '0', SHA256_HEX_SIZE - 1);
    check_ticket(&ticket, len);
}

static void try_token(const char *json, size_t len)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_retention_ticket struct retention_ticket ticket = {0};

    if (retention_ticket_from_json(json, len, &ticket, &faults, &err))
        check_ticket(&ticket, len);
    else
        check_refusal(&err, &faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_policy((const char *)data, size);
    try_token((const char *)data, size);
    return 0;
}
