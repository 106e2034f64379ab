/* How snapshots are thinned out, as documents: the policy that is asked for, the plan that answers
 * it, the token by which that plan is carried out, and what became of it. */
#pragma once

#include "codec/fields.h"

#define RETENTION_POLICY_BODY_MAX ((size_t)64 << 10)
#define RETENTION_TOKEN_BODY_MAX  ((size_t)128 << 10) /* room for any policy's token */

/* The longest plan that is written, in bytes. */
#define RETENTION_PLAN_MAX ((size_t)48 << 20)

/* ERR_MALFORMED_JSON; ERR_INVALID with every bad or unknown member in `faults`, or if nothing says
 * what to keep. The caller clears `out`. */
bool retention_policy_from_json(const char *json, size_t len, struct retention_policy *out,
                                struct faults *faults, struct error *err);

/* Appends the token that stands for the ticket. ERR_INTERNAL without memory. */
bool retention_token_encode(const struct retention_ticket *ticket, struct text *out,
                            struct error *err);

/* {"token":"…"}. ERR_MALFORMED_JSON; ERR_INVALID with every bad or unknown member in `faults`: a
 * token that retention_token_encode() did not make is one. The caller clears `out`. */
bool retention_ticket_from_json(const char *json, size_t len, struct retention_ticket *out,
                                struct faults *faults, struct error *err);

/* Appends {"token","now","keep_count",…,"decisions":[…]}, with the value of `group_by` in each
 * decision if that is not NULL. ERR_INVALID if that is longer than RETENTION_PLAN_MAX;
 * ERR_INTERNAL. */
bool retention_plan_to_json(const struct retention_plan *plan, const char *token,
                            const char *group_by, struct text *out, struct error *err);

/* Appends {"dropped":[…],"failed":[{"id","code","detail"}]} of a plan that was carried out, the
 * oldest first. ERR_INTERNAL without memory. */
bool retention_outcome_to_json(const struct retention_plan *plan, struct text *out,
                               struct error *err);
