/* What a service manager passes and wants to be told: the only place of libsystemd. Started by
 * another, nothing is passed, and telling does nothing. */
#pragma once

#include "base/error.h"

/* Descriptors that were passed to listen on follow each other from here: sd_listen_fds(3). */
#define SYSTEMD_FIRST_SOCKET 3

/* How many there are; ERR_INVALID if they cannot be used. What was passed is not told again, to
 * this process or to its children. */
bool systemd_take_sockets(unsigned *count, struct error *err);

/* How often it must hear that all is well, in milliseconds; 0 for never. */
int systemd_watchdog_ms(void);

void systemd_ready(void);
void systemd_reloading(void); /* until systemd_ready() */
void systemd_stopping(void);
void systemd_alive(void);
