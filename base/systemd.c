#include "base/systemd.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

_Static_assert(SYSTEMD_FIRST_SOCKET == SD_LISTEN_FDS_START, "where passed sockets begin");

unsigned systemd_take_sockets(void)
{
    int count = sd_listen_fds(1);

    return count > 0 ? (unsigned)count : 0;
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
