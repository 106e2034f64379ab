/* What is refused before a request is looked at: heads that two servers could read differently, and
 * calls by a name that is not ours. */
#pragma once

#include "api/http.h"

/* ERR_BAD_REQUEST, ERR_NOT_IMPLEMENTED: the connection must be closed after the answer. */
bool gate_check_framing(const struct request *request, struct error *err);

/* Whether what follows the request on its connection must not be read: servers do not agree where a
 * chunked body ends (at a bare LF? in an extension?), and the library does not show its framing. */
bool gate_ends_connection(const struct request *request);

/* By the name that the client used, whoever tells it: the proxy, the target or Host.
 * ERR_MISDIRECTED: a web page must not reach us by rebinding its own name. */
bool gate_check_host(const struct request *request, struct error *err);
