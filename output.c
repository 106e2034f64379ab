#include "output.h"

#include <stdio.h>
#include <unistd.h>

#include "service/file.h"

int output_fail(const struct options *command, const struct error *err)
{
    fprintf(stderr, "%s: %s\n", command->program, err->message);
    return EXIT_TROUBLE;
}

bool output_begins(const struct options *command, int argc, char *const argv[], void *values,
                   const bool *help, int *status)
{
    struct error err;

    if (!options_read(command, argc, argv, values, &err)) {
        *status = output_fail(command, &err);
        return false;
    }
    if (!*help)
        return true;
    options_print_help(command, stdout);
    *status = 0;
    return false;
}

bool output_line(struct text *line, struct error *err)
{
    return (text_appends(line, "\n") || error_memory(err))
        && file_write_all(STDOUT_FILENO, line->data, line->len, "standard output", err);
}
