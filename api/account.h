/* What is kept of a request when it is over: a line in the log, and what the metrics count. */
#pragma once

#include "api/http.h"
#include "codec/metrics_text.h"

struct account {
    unsigned status;              /* 0 if nothing of ours was answered */
    uint64_t bytes_in, bytes_out; /* of the bodies */
    uint64_t duration_ns;         /* from the request line to the last byte of the answer */
    bool aborted;                 /* the connection ended before that byte */
};

/* Once for each request whose line was read, just before the request is cleared. */
void account_request(const struct request *request, const struct account *account);

/* What the metrics call the operations by which they count. */
void account_words(struct metrics_words *out);
