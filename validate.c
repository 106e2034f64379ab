#include "validate.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"

#include "codec/expectation.h"
#include "service/inspect.h"

struct validate {
    struct option_list directories;
    char *architecture;
    uint64_t memory_size_bytes, vp_count, page_size;
    bool has_memory_size, has_vp_count, has_page_size;
    struct option_list state_units;
    bool help;
};

#define AT(member) offsetof(struct validate, member)

/* clang-format off */
static const struct option table[] = {
    {"--architecture", "NAME",  NULL, "x86_64 or aarch64",                       OPTION_TEXT,  AT(architecture)},
    {"--memory-size",  "BYTES", NULL, "of its memory; suffixes K, M, G, T",      OPTION_BYTES, AT(memory_size_bytes), .given = AT(has_memory_size)},
    {"--vp-count",     "N",     NULL, "how many virtual processors",             OPTION_COUNT, AT(vp_count),  0, UINT32_MAX, .given = AT(has_vp_count)},
    {"--page-size",    "BYTES", NULL, "4K, 16K or 64K",                          OPTION_BYTES, AT(page_size), 0, UINT32_MAX, .given = AT(has_page_size)},
    {"--state-unit",   "NAME",  NULL, "a device it will have (repeatable)",      OPTION_LIST,  AT(state_units)},
    {"--help",         NULL,    NULL, "print this and exit",                     OPTION_FLAG,  AT(help)},
};
/* clang-format on */
static const struct option operands = {
    .argument = "DIR", .type = OPTION_LIST, .offset = AT(directories)};

const struct options validate_options = {
    .program = "vmsnapd validate",
    .arguments = "[OPTION]... DIR",
    .intro = "Prints what OpenVMM would say if a VM like this were restored from DIR, as\n"
             "POST /snapshots/{id}/validate answers; what is not given is not compared.\n"
             "Exit status: 0 if it is valid, 1 if it is not, 2 if that cannot be told.",
    .table = table,
    .count = sizeof table / sizeof table[0],
    .operands = &operands,
    .no_variables = true,
};

static void clear_p(struct validate *validate)
{
    options_clear(&validate_options, validate);
}

static bool add_units(const struct option_list *names, struct expectation *out, struct error *err)
{
    out->has_state_units = names->count > 0;
    if (!out->has_state_units)
        return true;
    out->state_units = calloc(names->count, sizeof *out->state_units);
    if (!out->state_units)
        return error_memory(err);
    for (; out->state_unit_count < names->count; out->state_unit_count++) {
        const char *name = names->items[out->state_unit_count];
        if (!text_set(&out->state_units[out->state_unit_count], name, strlen(name)))
            return error_memory(err);
    }
    return true;
}

static bool expect(const struct validate *validate, struct expectation *out, struct error *err)
{
    const char *architecture = validate->architecture;

    out->has_memory_size = validate->has_memory_size;
    out->memory_size_bytes = validate->memory_size_bytes;
    out->has_vp_count = validate->has_vp_count;
    out->vp_count = (uint32_t)validate->vp_count;
    out->has_page_size = validate->has_page_size;
    out->page_size = (uint32_t)validate->page_size;
    out->has_architecture = architecture != NULL;
    if (architecture && !text_set(&out->architecture, architecture, strlen(architecture)))
        return error_memory(err);
    return add_units(&validate->state_units, out, err);
}

/* The exit status. */
static int answer(const struct validate *validate)
{
    auto_expectation struct expectation expectation = {0};
    auto_verdict struct verdict verdict = {0};
    auto_text struct text json = {0};
    struct error err;

    if (!expect(validate, &expectation, &err)
        || !inspect_validate(validate->directories.items[0], &expectation, &verdict, &err)
        || !verdict_to_json(&verdict, &json, &err) || !output_line(&json, &err))
        return output_fail(&validate_options, &err);
    return verdict.mismatch_count > 0 ? EXIT_BAD : 0;
}

int validate_run(int argc, char *const argv[])
{
    AUTO(clear)
    struct validate validate = {0};
    struct error err;
    int status;

    if (!output_begins(&validate_options, argc, argv, &validate, &validate.help, &status))
        return status;
    if (validate.directories.count != 1) {
        error_set(&err, ERR_INVALID, "give one directory: see vmsnapd validate --help");
        return output_fail(&validate_options, &err);
    }
    return answer(&validate);
}
