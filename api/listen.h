/* Listening sockets from what --listen says. */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define LISTEN_ADDRESS_SIZE 128

/* `address` is "IPv4:PORT", "[IPv6]:PORT" or "unix:/absolute/path"; port 0 lets the kernel choose.
 * `bound` is how it can be reached: "http://127.0.0.1:8080", "unix:/run/vmsnapd.sock". -1 with
 * ERR_INVALID if it is no such address, or cannot be had, and what to do. */
int listen_open(const char *address, char bound[LISTEN_ADDRESS_SIZE], struct error *err);

/* Whether other hosts can reach it; false too for what is no address. */
bool listen_is_open(const char *address);

/* A socket connected to what such an address listens on, of which no call takes longer than
 * `timeout_s`. Linux takes a connection to 0.0.0.0 or [::] as one to the loopback address. -1 with
 * ERR_IO if nobody is there, or it is no address. */
int listen_connect(const char *address, unsigned timeout_s, struct error *err);
