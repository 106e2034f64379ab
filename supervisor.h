/* The life of a server that is up: reloads, the watchdog, and its end. */
#pragma once

#include "api/server.h"

/* Blocks the signals that the supervisor takes: before there are threads, which inherit that. -1
 * with ERR_INTERNAL, or a descriptor that the caller closes. */
int supervisor_signals(struct error *err);

/* Until SIGTERM or SIGINT, then drains: for at most `drain_s` seconds, or until the next of these
 * signals. SIGHUP reloads the tokens. */
void supervisor_run(struct server *server, struct auth *auth, int signals, unsigned drain_s);
