#include "tests/program.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/systemd.h"

/* In the child, which has one thread. */
static void set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1); /* NOLINT(concurrency-mt-unsafe) */
}

/* sd_listen_fds(3) */
static void pass_socket(int fd)
{
    dup2(fd, SYSTEMD_FIRST_SOCKET);
    fcntl(SYSTEMD_FIRST_SOCKET, F_SETFD, 0); /* it may have been there already */
    set_variable("LISTEN_PID", path_of("%d", (int)getpid()).text);
    set_variable("LISTEN_FDS", "1");
}

void program_run(struct program *program, const char *const *arguments)
{
    int ends[2];

    must(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    program->pid = fork();
    must(program->pid >= 0, "fork");
    if (program->pid == 0) {
        dup2(program->standard_output > 0 ? program->standard_output : ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        if (program->passed > 0)
            pass_socket(program->passed);
        set_variable("NOTIFY_SOCKET", program->notify_socket);
        set_variable("WATCHDOG_USEC", program->watchdog_usec);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that is killed */
        execv(program->binary ? program->binary : BINARY_DIR "/vmsnapd", (char *const *)arguments);
        _exit(127);
    }
    close(ends[1]);
    program->output = fdopen(ends[0], "r");
}

void program_read_until(struct program *program, const char *text, char *line, size_t size)
{
    *line = '\0';
    while (fgets(line, (int)size, program->output))
        if (text && strstr(line, text))
            return;
    if (text)
        fail_msg("it ended without \"%s\": %s", text, line);
}

#define MORE_ARGUMENTS 16

void program_serve(struct test *test, struct program *program, const char *const *more)
{
    const char *arguments[5 + MORE_ARGUMENTS + 1] = {
        "vmsnapd", "--store", test->fixture.store.text, "--memory-root", test->fixture.root.text};
    char line[1024];

    for (size_t i = 0; i < MORE_ARGUMENTS && more[i]; i++)
        arguments[5 + i] = more[i];
    program_run(program, arguments);
    program_read_until(program, "listening", line, sizeof line);
    const char *address = strstr(line, "address") + strlen("address");
    address += strspn(address, "=\":"); /* in either format */
    size_t len = strcspn(address, "\"\n");
    /* Clients of a service that is restarted may be reading it. */
    if (strncmp(test->url, address, len) != 0 || test->url[len])
        snprintf(test->url, sizeof test->url, "%.*s", (int)len, address);
}

int program_finish(struct program *program)
{
    char rest[1024];
    int status;

    program_read_until(program, NULL, rest, sizeof rest);
    fclose(program->output);
    must(waitpid(program->pid, &status, 0) == program->pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

long program_resident_kib(const struct program *program)
{
    FILE *file = fopen(path_of("/proc/%d/statm", (int)program->pid).text, "r");
    char line[128] = "";

    must(file && fgets(line, sizeof line, file) && fclose(file) == 0, "statm");
    return strtol(strchr(line, ' '), NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

int program_setup(void **state)
{
    struct test *test = calloc(1, sizeof *test);

    if (!test)
        abort();
    fixture_make(&test->fixture, NULL);
    *state = test;
    return 0;
}

int program_teardown(void **state)
{
    struct test *test = *state;

    fixture_remove(&test->fixture);
    free(test);
    return 0;
}
