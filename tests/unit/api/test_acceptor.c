#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/acceptor.h"
#include "tests/check.h"

/* What the acceptor's thread and the test share. */
struct inbox {
    int taken[2]; /* a pipe of descriptors */
};

static void take(void *context, int fd, const struct sockaddr *from, socklen_t from_len)
{
    const struct inbox *inbox = context;

    assert_int_equal(from->sa_family, AF_UNIX);
    assert_true(from_len > 0);
    assert_int_equal(write(inbox->taken[1], &fd, sizeof fd), sizeof fd);
}

static void begin(struct acceptor *acceptor, struct inbox *inbox, struct sockaddr_un *name)
{
    struct listeners listeners = {0};
    struct error err;
    socklen_t len = sizeof *name;
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *inbox = (struct inbox){0};
    *acceptor = (struct acceptor){.take = take, .context = inbox};
    assert_int_equal(pipe(inbox->taken), 0);
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    /* Bound to a name that the kernel makes up. */
    assert_int_equal(bind(listening, (struct sockaddr *)name, sizeof name->sun_family), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)name, &len), 0);
    assert_int_equal(listen(listening, 8), 0);
    assert_succeeds(listen_adopt(&listeners, listening, &err));
    assert_succeeds(acceptor_start(acceptor, &listeners, &err));
}

static void end(struct inbox *inbox)
{
    close(inbox->taken[0]);
    close(inbox->taken[1]);
}

/* The kernel's names are five hex digits after a NUL. */
static int connect_to(const struct sockaddr_un *name, int *result)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *result = connect(fd, (const struct sockaddr *)name, sizeof name->sun_family + 6);
    return fd;
}

static int receive(const struct inbox *inbox)
{
    int fd;

    assert_int_equal(read(inbox->taken[0], &fd, sizeof fd), sizeof fd);
    return fd;
}

static void connections_are_handed_on_until_it_is_stopped(void **state)
{
    struct acceptor acceptor;
    struct inbox inbox;
    struct sockaddr_un name;
    int result;
    char byte;

    (void)state;
    begin(&acceptor, &inbox, &name);
    for (int i = 0; i < 3; i++) {
        auto_fd int client = connect_to(&name, &result);
        assert_int_equal(result, 0);
        auto_fd int taken = receive(&inbox);
        assert_int_equal(write(client, "x", 1), 1);
        assert_int_equal(recv(taken, &byte, 1, MSG_DONTWAIT), 1);
    }
    acceptor_stop(&acceptor);
    auto_fd int late = connect_to(&name, &result);
    assert_true(late >= 0);
    assert_int_equal(result, -1);
    end(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_handed_on_until_it_is_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
