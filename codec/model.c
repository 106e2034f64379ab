#include "codec/model.h"

static bool copy_text(struct text *to, const struct text *from)
{
    return text_set(to, from->data, from->len);
}

void manifest_clear(struct manifest *manifest)
{
    text_clear(&manifest->openvmm_version);
    text_clear(&manifest->architecture);
    *manifest = (struct manifest){0};
}

bool manifest_copy(struct manifest *to, const struct manifest *from)
{
    manifest_clear(to);
    to->version = from->version;
    to->created_at = from->created_at;
    to->memory_size_bytes = from->memory_size_bytes;
    to->vp_count = from->vp_count;
    to->page_size = from->page_size;
    if (copy_text(&to->openvmm_version, &from->openvmm_version)
        && copy_text(&to->architecture, &from->architecture))
        return true;
    manifest_clear(to);
    return false;
}

void state_units_clear(struct state_units *units)
{
    for (size_t i = 0; i < units->count; i++) {
        text_clear(&units->items[i].name);
        text_clear(&units->items[i].type_url);
    }
    free(units->items);
    *units = (struct state_units){0};
}

void strings_clear(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){0};
}

bool strings_copy(struct strings *to, const struct strings *from)
{
    strings_clear(to);
    if (from->count == 0)
        return true;
    to->items = calloc(from->count, sizeof *to->items);
    if (!to->items)
        return false;
    for (; to->count < from->count; to->count++) {
        to->items[to->count] = strdup(from->items[to->count]);
        if (!to->items[to->count]) {
            strings_clear(to);
            return false;
        }
    }
    return true;
}

void labels_clear(struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        free(labels->items[i].key);
        free(labels->items[i].value);
    }
    free(labels->items);
    *labels = (struct labels){0};
}

static bool copy_label(struct label *to, const struct label *from)
{
    to->key = strdup(from->key);
    to->value = strdup(from->value);
    return to->key && to->value;
}

bool labels_copy(struct labels *to, const struct labels *from)
{
    labels_clear(to);
    if (from->count == 0)
        return true;
    to->items = calloc(from->count, sizeof *to->items);
    if (!to->items)
        return false;
    while (to->count < from->count) {
        size_t i = to->count++;
        if (!copy_label(&to->items[i], &from->items[i])) {
            labels_clear(to);
            return false;
        }
    }
    return true;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].key, b->items[i].key) != 0
            || strcmp(a->items[i].value, b->items[i].value) != 0)
            return false;
    return true;
}

void creation_clear(struct creation *creation)
{
    free(creation->id);
    free(creation->snapshot_dir_path);
    free(creation->memory_file_path);
    free(creation->state_file_path);
    text_clear(&creation->state_bytes);
    text_clear(&creation->openvmm_version);
    free(creation->architecture);
    strings_clear(&creation->vmm_args);
    labels_clear(&creation->labels);
    *creation = (struct creation){0};
}

void patch_clear(struct patch *patch)
{
    labels_clear(&patch->labels.labels);
    *patch = (struct patch){0};
}

void record_clear(struct record *record)
{
    labels_clear(&record->labels);
    strings_clear(&record->vmm_args);
    *record = (struct record){0};
}

void snapshot_clear(struct snapshot *snapshot)
{
    free(snapshot->id);
    free(snapshot->path);
    free(snapshot->problem);
    manifest_clear(&snapshot->manifest);
    record_clear(&snapshot->record);
    free(snapshot->linked_to);
    *snapshot = (struct snapshot){0};
}

static void clear_texts(struct text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_clear(&texts[i]);
    free(texts);
}

void snapshot_filter_clear(struct snapshot_filter *filter)
{
    labels_clear(&filter->labels);
    free(filter->architecture);
    free(filter->openvmm_version);
    free(filter->part);
    *filter = (struct snapshot_filter){0};
}

void snapshot_page_clear(struct snapshot_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        text_clear(&page->items[i].json);
        free(page->items[i].label);
    }
    free(page->items);
    *page = (struct snapshot_page){0};
}

void retention_policy_clear(struct retention_policy *policy)
{
    free(policy->group_by);
    snapshot_filter_clear(&policy->filter);
    *policy = (struct retention_policy){0};
}

void retention_plan_clear(struct retention_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->items[i].detail);
    free(plan->items);
    text_clear(&plan->names);
    *plan = (struct retention_plan){0};
}

void retention_ticket_clear(struct retention_ticket *ticket)
{
    retention_policy_clear(&ticket->policy);
    *ticket = (struct retention_ticket){0};
}

void expectation_clear(struct expectation *expectation)
{
    text_clear(&expectation->architecture);
    clear_texts(expectation->state_units, expectation->state_unit_count);
    *expectation = (struct expectation){0};
}

static void clear_mismatch(struct mismatch *mismatch)
{
    text_clear(&mismatch->expected_text);
    text_clear(&mismatch->actual_text);
    text_clear(&mismatch->message);
}

void verdict_clear(struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->mismatch_count; i++)
        clear_mismatch(&verdict->mismatches[i]);
    free(verdict->mismatches);
    clear_texts(verdict->warnings, verdict->warning_count);
    *verdict = (struct verdict){0};
}

void inspection_clear(struct inspection *inspection)
{
    snapshot_clear(&inspection->snapshot);
    state_units_clear(&inspection->units);
    clear_texts(inspection->reasons, inspection->reason_count);
    *inspection = (struct inspection){0};
}

int timestamp_compare(struct timestamp a, struct timestamp b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? -1 : 1;
    return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

bool retention_policy_has_rules(const struct retention_policy *policy)
{
    bool has_rules = policy->has_within;

    for (enum keep_rule i = 0; i < KEEP__COUNT; i++)
        has_rules |= policy->has_keep[i];
    return has_rules;
}

static const char *const capture_names[] = {NULL, "link", "reflink", "copy", "isolate"};
static const char *const status_names[] = {"ready", "incomplete", "damaged"};
static const char *const sort_names[] = {"id", "created_at", "memory_size_bytes"};
static const char *const writer_names[] = {"none", "present", "unknown"};
static const char *const expect_names[] = {
    "manifest",
    "version",
    "architecture",
    "memory_size_bytes",
    "vp_count",
    "page_size",
    "memory",
    "state",
};

#define COUNT(names) (sizeof(names) / sizeof *(names))
_Static_assert(COUNT(capture_names) == CAPTURE__COUNT, "a capture has no name");
_Static_assert(COUNT(status_names) == SNAPSHOT__COUNT, "a status has no name");
_Static_assert(COUNT(sort_names) == SORT__COUNT, "an order has no name");
_Static_assert(COUNT(writer_names) == WRITER__COUNT, "a writer has no name");
_Static_assert(COUNT(expect_names) == EXPECT__COUNT, "an expectation has no name");

const char *capture_name(enum capture capture)
{
    return capture_names[capture];
}

enum capture capture_of_name(const char *name)
{
    for (enum capture i = CAPTURE_LINK; i < CAPTURE__COUNT; i++)
        if (strcmp(name, capture_names[i]) == 0)
            return i;
    return CAPTURE_UNKNOWN;
}

const char *snapshot_status_name(enum snapshot_status status)
{
    return status_names[status];
}

static size_t find_name(const char *const *names, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(name, names[i]) != 0)
        i++;
    return i;
}

enum snapshot_status snapshot_status_of_name(const char *name)
{
    return (enum snapshot_status)find_name(status_names, SNAPSHOT__COUNT, name);
}

const char *snapshot_sort_name(enum snapshot_sort sort)
{
    return sort_names[sort];
}

enum snapshot_sort snapshot_sort_of_name(const char *name)
{
    return (enum snapshot_sort)find_name(sort_names, SORT__COUNT, name);
}

const char *writer_name(enum writer writer)
{
    return writer_names[writer];
}

const char *expect_field_name(enum expect_field field)
{
    return expect_names[field];
}
