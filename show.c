#include "show.h"

#include "output.h"

#include "codec/inspection.h"
#include "service/inspect.h"

/* 65,536 units with all that they may hold, each byte escaped. */
#define DOCUMENT_MAX ((size_t)256 << 20)

struct show {
    struct option_list directories;
    bool help;
};

#define AT(member) offsetof(struct show, member)

static const struct option table[] = {
    {"--help", NULL, NULL, "print this and exit", OPTION_FLAG, AT(help)},
};
static const struct option operands = {
    .argument = "DIR", .type = OPTION_LIST, .offset = AT(directories)};

const struct options show_options = {
    .program = "vmsnapd show",
    .arguments = "DIR...",
    .intro = "Prints each directory as a line of JSON: what GET /snapshots/{id} would answer,\n"
             "its \"record\" and \"units\", and \"reasons\" why OpenVMM could not restore it.\n"
             "Exit status: 0 if it could restore all of them, 1 if not, 2 if that cannot be told.",
    .table = table,
    .count = sizeof table / sizeof table[0],
    .operands = &operands,
    .no_variables = true,
};

static void clear_p(struct show *show)
{
    options_clear(&show_options, show);
}

/* The exit status. */
static int show_one(const char *directory)
{
    auto_inspection struct inspection inspection = {0};
    auto_text struct text json = {.max = DOCUMENT_MAX};
    struct error err;

    if (!inspect_directory(directory, &inspection, &err)
        || !inspection_to_json(&inspection, &json, &err) || !output_line(&json, &err))
        return output_fail(&show_options, &err);
    return inspection.reason_count > 0 ? EXIT_BAD : 0;
}

static int show_all(const struct option_list *directories)
{
    int worst = 0;

    for (size_t i = 0; i < directories->count; i++) {
        int status = show_one(directories->items[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

int show_run(int argc, char *const argv[])
{
    AUTO(clear)
    struct show show = {0};
    struct error err;
    int status;

    if (!output_begins(&show_options, argc, argv, &show, &show.help, &status))
        return status;
    if (show.directories.count == 0) {
        error_set(&err, ERR_INVALID, "which directory? see vmsnapd show --help");
        return output_fail(&show_options, &err);
    }
    return show_all(&show.directories);
}
