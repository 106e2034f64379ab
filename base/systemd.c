#include "base/systemd.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

_Static_assert(SYSTEMD_FIRST_SOCKET == SD_LISTEN_FDS_START, "where passed sockets begin");

bool systemd_take_sockets(unsigned *count, struct error *err)
{
    int found = sd_listen_fds(1);

    if (found < 0)
        return error_set(err, ERR_INVALID, "cannot use the sockets that were passed: %s",
                         strerrordesc_np(-found));
    *count = (unsigned)found;
    return true;
}

int systemd_watchdog_ms(void)
{
    uint64_t microseconds;

    return sd_watchdog_enabled(1, &microseconds) > 0 ? (int)(microseconds / 1000) : 0;
}

void systemd_ready(void)
{
    sd_notify(0, "READY=1\nSTATUS=serving");
}

void systemd_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_ns() / 1000);
}

void systemd_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=waiting for running requests");
}

void systemd_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}
