/* The program itself, in a child. What cannot be set up ends the test. */
#pragma once

#include <stdio.h>

#include "tests/test.h"

struct program {
    pid_t pid;
    FILE *output;        /* what it says on standard output and error */
    const char *binary;  /* NULL: the one that was built with the test */
    int standard_output; /* a descriptor for that alone, if above 0 */

    /* What systemd would give it: a socket, if above 0, and variables, unless they are NULL. */
    int passed;
    const char *notify_socket, *watchdog_usec;
};

/* `arguments` begin with the program's name and end with NULL. */
void program_run(struct program *program, const char *const *arguments);

/* Reads lines until one holds `text`, or to the end for NULL. */
void program_read_until(struct program *program, const char *text, char *line, size_t size);

/* Starts a service on the fixture's directories, with more arguments, ended by NULL, and waits
 * until it listens; the test's URL is then that of the program. */
void program_serve(struct test *test, struct program *program, const char *const *more);

#define SERVE(test, program, ...) \
    program_serve(test, program, (const char *const[]){"--listen", __VA_ARGS__, NULL})

/* Waits for its end: the exit status, or minus the signal that ended it. */
int program_finish(struct program *program);

long program_resident_kib(const struct program *program);

/* For cmocka: *state is a test without a server in this process. */
int program_setup(void **state);
int program_teardown(void **state);

#define WITH_PROGRAM(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)
