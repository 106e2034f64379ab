/* What a service manager passes and wants to be told: the only place of libsystemd. Started by
 * another, nothing is passed, and telling does nothing. */
#pragma once

#include <stdbool.h>

/* Descriptors that were passed to listen on follow each other from here: sd_listen_fds(3). */
#define SYSTEMD_FIRST_SOCKET 3

/* How many there are. What was passed is not told again, to this process or to its children. */
unsigned systemd_take_sockets(void);

/* How often it must hear that all is well, in milliseconds; 0 for never. */
int systemd_watchdog_ms(void);

void systemd_ready(void);
void systemd_reloading(void); /* until systemd_ready() */
void systemd_stopping(void);
void systemd_alive(void);
