/* What clients and the service said to each other, written down for the judge of the contract
 * (tests/contract/recorded.py): a line of JSON each, in a file of this program's name in the
 * directory that $EXCHANGES names. Nothing is, where it names none. Safe from any thread. */
#pragma once

#include "base/text.h"

/* From now on nothing is: what is sent is no HTTP that a judge could read. */
void record_nothing(void);

/* A request and its answer: heads and bodies, the bodies without transfer coding. */
void record_exchange(const struct text *sent, const struct text *received);

/* What the service has in front of its paths; NULL for nothing. The text must stay. */
void record_base_path(const char *path);

/* What goes over a connection of which the test itself writes and reads the bytes. It is written
 * down when it ends; one that does not is, when its descriptor is used anew, or the test ends. */
void record_begin(int fd);
void record_sent(int fd, const void *data, size_t len);
void record_received(int fd, const void *data, size_t len);
void record_end(int fd);
