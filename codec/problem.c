#include "codec/problem.h"

#include "codec/emit.h"
#include "codec/expectation.h"

static void emit_fault(struct text *out, const char *pointer, const char *detail)
{
    bool is_parameter = pointer[0] == '?';

    emit_item(out);
    emit_raw(out, "{");
    emit_key(out, is_parameter ? "parameter" : "pointer");
    emit_string(out, pointer + is_parameter);
    emit_key(out, "detail");
    emit_string(out, detail);
    emit_raw(out, "}");
}

static void emit_faults(struct text *out, const struct problem *problem)
{
    const struct faults *faults = problem->faults;

    if (!faults || faults->count == 0) {
        if (problem->err->field[0] != '\0')
            emit_fault(out, problem->err->field, problem->err->message);
        return;
    }
    for (size_t i = 0; i < faults->count && i < FAULTS_MAX; i++)
        emit_fault(out, faults->items[i].pointer, faults->items[i].detail);
}

static bool has_faults(const struct problem *problem)
{
    return (problem->faults && problem->faults->count > 0) || problem->err->field[0] != '\0';
}

static void emit_errors(struct text *out, const struct problem *problem)
{
    emit_key(out, "errors");
    emit_raw(out, "[");
    emit_faults(out, problem);
    emit_raw(out, "]");
}

static void emit_type(struct text *out, const char *code)
{
    emit_key(out, "type");
    emit_raw(out, "\"urn:vmsnapd:problem:");
    emit_raw(out, code);
    emit_raw(out, "\"");
}

bool problem_to_json(const struct problem *problem, struct text *out, struct error *err)
{
    const char *code = error_slug(problem->err->code);

    emit_raw(out, "{");
    emit_type(out, code);
    emit_key(out, "title");
    emit_string(out, problem->title);
    emit_key(out, "status");
    emit_i64(out, problem->status);
    emit_key(out, "code");
    emit_string(out, code);
    emit_key(out, "detail");
    emit_string(out, problem->err->message);
    if (problem->request_id) {
        emit_key(out, "request_id");
        emit_string(out, problem->request_id);
    }
    if (has_faults(problem))
        emit_errors(out, problem);
    if (problem->verdict)
        verdict_emit_members(problem->verdict, out);
    emit_raw(out, "}");
    return emit_done(out, err);
}
