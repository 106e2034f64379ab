#include "supervisor.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/systemd.h"

int supervisor_signals(struct error *err)
{
    sigset_t taken;

    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &taken, NULL);
    int fd = signalfd(-1, &taken, SFD_CLOEXEC);
    if (fd < 0)
        error_set(err, ERR_INTERNAL, "cannot wait for signals: %s", strerrordesc_np(errno));
    return fd;
}

static int take_signal(int signals)
{
    struct signalfd_siginfo info;

    return TEMP_FAILURE_RETRY(read(signals, &info, sizeof info)) == sizeof info
        ? (int)info.ssi_signo
        : 0;
}

/* Who follows events is asked again whether it may. */
static void reload(struct server *server, struct auth *auth)
{
    struct error err;

    systemd_reloading();
    if (auth_reload(auth, &err)) {
        server_end_streams(server);
        log_event(LOG_INFO, "reloaded");
    } else {
        log_event(LOG_ERROR, "not reloaded: the tokens are those of before",
                  LOG_TEXT("detail", err.message));
    }
    systemd_ready();
}

/* A hung event loop says nothing, and the watchdog ends us. */
static void answer_watchdog(struct server *server, int patience_ms)
{
    if (server_is_alive(server, patience_ms))
        systemd_alive();
    else
        log_event(LOG_ERROR, "an event loop does not answer");
}

/* Returns the signal that ends it. */
static int serve(struct server *server, struct auth *auth, int signals)
{
    int watchdog_ms = systemd_watchdog_ms();
    int interval_ms = watchdog_ms > 0 ? watchdog_ms / 3 : -1;
    struct pollfd polled = {.fd = signals, .events = POLLIN};

    for (;;) {
        int ready = poll(&polled, 1, interval_ms);
        if (ready == 0)
            answer_watchdog(server, interval_ms);
        int number = ready > 0 ? take_signal(signals) : 0;
        if (number == SIGHUP)
            reload(server, auth);
        else if (number != 0)
            return number;
    }
}

/* A watchdog is kept content while it waits for requests that still move. */
static void wait_until_quiet(const struct server *server, int signals, unsigned drain_s)
{
    uint64_t end = clock_monotonic_ns() + drain_s * UINT64_C(1000000000);
    struct pollfd polled[] = {
        {.fd = server_quiet_fd(server), .events = POLLIN},
        {.fd = signals,                 .events = POLLIN}
    };

    for (uint64_t now; (now = clock_monotonic_ns()) < end;) {
        systemd_alive();
        uint64_t left_ms = (end - now) / 1000000 + 1;
        int ready = poll(polled, 2, left_ms < 1000 ? (int)left_ms : 1000);
        if (ready > 0 && polled[0].revents)
            return;
        if (ready > 0 && take_signal(signals) != SIGHUP) {
            log_event(LOG_WARN, "stopping at once");
            return;
        }
    }
    log_event(LOG_WARN, "requests that did not finish in time are cut off");
}

void supervisor_run(struct server *server, struct auth *auth, int signals, unsigned drain_s)
{
    systemd_ready();
    int number = serve(server, auth, signals);
    server_drain(server);
    systemd_stopping();
    log_event(LOG_INFO, "stopping", LOG_TEXT("signal", sigabbrev_np(number)));
    wait_until_quiet(server, signals, drain_s);
}
