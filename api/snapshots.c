#include <stdio.h>

#include "api/handlers.h"
#include "api/listing.h"
#include "api/negotiate.h"
#include "api/tag.h"
#include "api/upload.h"
#include "base/log.h"
#include "codec/creation.h"
#include "codec/expectation.h"
#include "codec/page.h"
#include "codec/patch.h"
#include "codec/snapshot.h"
#include "service/snapshot.h"

static bool wants_live(struct request *request, bool *live, struct error *err)
{
    const char *include = query_text(&request->query, "include");

    *live = include && strcmp(include, "live") == 0;
    if (include && !*live)
        faults_add(&request->faults, "?include", "must be live");
    return faults_none(&request->faults, err);
}

bool snapshot_list_handler(struct request *request, struct response *response, struct error *err)
{
    auto_snapshot_page struct snapshot_page page = {0};
    auto_text struct text cursor = {0};
    auto_listing struct listing listing = {0};

    if (!listing_read(request, &listing, err)
        || !snapshot_list(request->service, &listing.query, listing.wants_live, &page, err)
        || (page.more && !cursor_encode(&listing.query, &page.last, &cursor, err))
        || !snapshot_page_to_json(&page, cursor.data, &response->text, err)
        || (page.more && !listing_link_next(request, cursor.data, response, err)))
        return false;
    response_header(response, "Cache-Control", "no-store");
    return response_json(response, 200);
}

/* The whole of what there is now, with its tag. */
static bool respond_whole(const struct snapshot *snapshot, char tag[TAG_SIZE],
                          struct response *response, struct error *err)
{
    if (!snapshot_to_json(snapshot, &response->text, err) || !tag_of(&response->text, tag, err))
        return false;
    response_headerf(response, "ETag", "%s", tag);
    return response_json(response, 200);
}

bool snapshot_get_handler(struct request *request, struct response *response, struct error *err)
{
    const char *id = request_snapshot_id(request, err);
    auto_snapshot struct snapshot snapshot = {0};
    char tag[TAG_SIZE];
    bool live;

    if (!id || !wants_live(request, &live, err)
        || !snapshot_get(request->service, id, live ? LIVE_WRITER : LIVE_NONE, &snapshot, err))
        return false;
    if (live) {
        response_header(response, "Cache-Control", "no-store");
        return snapshot_to_json(&snapshot, &response->text, err) && response_json(response, 200);
    }
    if (!respond_whole(&snapshot, tag, response, err))
        return false;
    tag_not_modified(request, tag, response);
    return true;
}

static void free_creation(void *plan)
{
    creation_clear(plan);
    free(plan);
}

/* Memory that is copied waits for other things than memory that is linked. */
static enum lane_kind lane_of(const struct service *service, const struct creation *creation)
{
    enum capture capture = creation->capture ? creation->capture : service->capture;

    return capture == CAPTURE_COPY || capture == CAPTURE_ISOLATE ? LANE_BULK : LANE_PUBLISH;
}

/* What says of a document that the state is elsewhere than in the body beside it; NULL if nothing
 * does. */
static const char *find_other_state(const struct creation *creation)
{
    return creation->snapshot_dir_path ? "/snapshot_dir_path"
        : creation->state_file_path    ? "/state_file_path"
        : creation->has_state_bytes    ? "/state_base64"
                                       : NULL;
}

static bool read_creation(struct request *request, struct creation *creation, struct error *err)
{
    const struct upload *upload = request->upload;
    const struct text *json = upload ? &upload->snapshot : &request->body;

    if (!creation_from_json(text_str(json), json->len, creation, &request->faults, err))
        return false;
    const char *other = find_other_state(creation);
    if (upload && upload->draft && other)
        faults_add(&request->faults, other, "the state came as a part of the body already");
    return faults_none(&request->faults, err);
}

/* Decodes the body; what is left to do needs a disk. */
bool snapshot_create_first(struct request *request, struct response *response, struct error *err)
{
    struct creation *creation = calloc(1, sizeof *creation);

    (void)response;
    if (!creation)
        return error_memory(err);
    request->plan = creation;
    request->plan_free = free_creation;
    if (!read_creation(request, creation, err))
        return false;
    if (creation->id)
        request_concerns(request, creation->id);
    request->lane = lane_of(request->service, creation);
    return false;
}

static struct draft *uploaded_draft(const struct request *request)
{
    return request->upload ? request->upload->draft : NULL;
}

/* With the tag that a GET would answer: warnings are no part of the representation. */
static bool respond_made(const struct request *request, struct made *made,
                         struct response *response, struct error *err)
{
    struct snapshot *snapshot = &made->snapshot;
    bool created = made->outcome == OUTCOME_CREATED;
    auto_text struct text plain = {0};
    char tag[TAG_SIZE];
    char *linked_to = TAKE(snapshot->linked_to);
    bool rendered = snapshot_to_json(snapshot, &plain, err);

    snapshot->linked_to = linked_to;
    if (!rendered || !tag_of(&plain, tag, err) || !snapshot_to_json(snapshot, &response->text, err))
        return false;
    response_headerf(response, "ETag", "%s", tag);
    if (created)
        response_location(response, request, "/snapshots/%s", snapshot->id);
    return response_json(response, created ? 201 : 200);
}

bool snapshot_create_handler(struct request *request, struct response *response, struct error *err)
{
    auto_made struct made made = {0};

    if (!snapshot_create(request->service, request->plan, uploaded_draft(request), &made, err))
        return false;
    request_concerns(request, made.snapshot.id);
    return respond_made(request, &made, response, err);
}

bool snapshot_replace_first(struct request *request, struct response *response, struct error *err)
{
    const char *id = request->match.params[0];

    if (!id_is_valid(id))
        return error_field(err, "?id", "must match [A-Za-z0-9][A-Za-z0-9._-]{0,127}");
    if (snapshot_create_first(request, response, err) || err->code != ERR_NONE)
        return false;
    struct creation *creation = request->plan;
    if (!creation->id)
        creation->id = strdup(id);
    if (!creation->id)
        return error_memory(err);
    if (strcmp(creation->id, id) != 0)
        faults_add(&request->faults, "/id", "must be the id in the path, or left out");
    faults_none(&request->faults, err);
    return false;
}

/* If-Match, and If-None-Match: * (RFC 9110, 13.1), against the document that a GET would answer. */
static bool check_conditions(void *context, const struct snapshot *current, struct error *err)
{
    const struct request *request = context;
    const char *match = request->headers[HEADER_IF_MATCH];
    const char *none = request->headers[HEADER_IF_NONE_MATCH];
    auto_text struct text document = {0};
    char tag[TAG_SIZE];

    if (current && (!snapshot_to_json(current, &document, err) || !tag_of(&document, tag, err)))
        return false;
    if (match && !negotiate_if_match(match, current ? tag : NULL))
        return error_set(err, ERR_PRECONDITION,
                         "If-Match: the snapshot is another by now, or gone");
    if (none && negotiate_if_none_match(none, current ? tag : NULL))
        return error_set(err, ERR_PRECONDITION, "If-None-Match: there is such a snapshot");
    return true;
}

static bool read_guard(struct request *request, struct guard *guard, struct error *err)
{
    bool conditional = request->headers[HEADER_IF_MATCH] || request->headers[HEADER_IF_NONE_MATCH];

    *guard = (struct guard){
        .allow = conditional ? check_conditions : NULL,
        .context = request,
        .force = query_flag(&request->query, "force", &request->faults),
    };
    return faults_none(&request->faults, err);
}

/* Who overrides a check leaves a trace. */
static void audit(const struct request *request, const struct guard *guard)
{
    if (guard->force)
        log_event(LOG_WARN, "forced", LOG_REQUEST(request),
                  LOG_TEXT("operation", request->match.route->operation),
                  LOG_TEXT("snapshot", request->match.params[0]));
}

bool snapshot_replace_handler(struct request *request, struct response *response, struct error *err)
{
    auto_made struct made made = {0};
    struct guard guard;

    if (!read_guard(request, &guard, err)
        || !snapshot_replace(request->service, request->plan, uploaded_draft(request), &guard,
                             &made, err))
        return false;
    audit(request, &guard);
    return respond_made(request, &made, response, err);
}

static void free_patch(void *plan)
{
    patch_clear(plan);
    free(plan);
}

/* Decodes the body, as for a create. */
bool snapshot_patch_first(struct request *request, struct response *response, struct error *err)
{
    struct patch *patch = request_snapshot_id(request, err) ? calloc(1, sizeof *patch) : NULL;

    (void)response;
    if (!patch)
        return err->code == ERR_NONE ? error_memory(err) : false;
    request->plan = patch;
    request->plan_free = free_patch;
    patch_from_json(text_str(&request->body), request->body.len, patch, &request->faults, err);
    return false;
}

bool snapshot_patch_handler(struct request *request, struct response *response, struct error *err)
{
    auto_snapshot struct snapshot snapshot = {0};
    struct guard guard;
    char tag[TAG_SIZE];

    return read_guard(request, &guard, err)
        && snapshot_patch(request->service, request->match.params[0], request->plan, &guard,
                          &snapshot, err)
        && respond_whole(&snapshot, tag, response, err);
}

bool snapshot_delete_handler(struct request *request, struct response *response, struct error *err)
{
    const char *id = request_snapshot_id(request, err);
    struct guard guard;

    if (!id || !read_guard(request, &guard, err)
        || !snapshot_delete(request->service, id, &guard, err))
        return false;
    audit(request, &guard);
    response->status = 204;
    return true;
}

static void free_expectation(void *plan)
{
    expectation_clear(plan);
    free(plan);
}

/* Takes over the verdict. With strict=1 a snapshot that is not valid is a failure of the
 * request. */
static bool answer_verdict(struct request *request, struct verdict *verdict,
                           struct response *response, struct error *err)
{
    bool strict = query_flag(&request->query, "strict", &request->faults);

    if (verdict->mismatch_count == 0 || !strict)
        return verdict_to_json(verdict, &response->text, err) && response_json(response, 200);
    request->verdict = malloc(sizeof *verdict);
    if (!request->verdict)
        return error_memory(err);
    *request->verdict = TAKE_AS(*verdict, (struct verdict){0});
    return error_set(err, ERR_NOT_VALID, "the snapshot is not what was expected: %s",
                     text_str(&request->verdict->mismatches[0].message));
}

bool snapshot_validate_first(struct request *request, struct response *response, struct error *err)
{
    const char *id = request_snapshot_id(request, err);
    struct expectation *expectation = id ? calloc(1, sizeof *expectation) : NULL;
    auto_verdict struct verdict verdict = {0};

    if (!expectation)
        return id ? error_memory(err) : false;
    request->plan = expectation;
    request->plan_free = free_expectation;
    query_flag(&request->query, "strict", &request->faults);
    if (!expectation_from_json(text_str(&request->body), request->body.len, expectation,
                               &request->faults, err)
        || !faults_none(&request->faults, err))
        return false;
    return snapshot_validate_cached(request->service, id, expectation, &verdict)
        && answer_verdict(request, &verdict, response, err);
}

bool snapshot_validate_handler(struct request *request, struct response *response,
                               struct error *err)
{
    auto_verdict struct verdict verdict = {0};

    return snapshot_validate(request->service, request->match.params[0], request->plan, &verdict,
                             err)
        && answer_verdict(request, &verdict, response, err);
}
