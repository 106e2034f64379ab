/* The parameters of a list: which snapshots, in what order, which page. */
#pragma once

#include "api/http.h"

struct listing {
    struct snapshot_query query;
    bool wants_live;
};

static inline void listing_clear_p(struct listing *listing)
{
    snapshot_filter_clear(&listing->query.filter);
}
#define auto_listing AUTO(listing_clear)

/* ERR_INVALID with every bad parameter in the request's faults, ERR_INTERNAL. */
bool listing_read(struct request *request, struct listing *out, struct error *err);

/* Says where the next page is: a whole URL, so that a client can follow it as it is, where it is
 * known how the client calls us. ERR_INTERNAL without memory. */
bool listing_link_next(const struct request *request, const char *cursor,
                       struct response *response, struct error *err);
