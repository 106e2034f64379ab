#include "api/upload.h"

#include "codec/creation.h"

static bool begin_part(void *context, const char *name, struct error *err)
{
    struct upload *upload = context;

    if (strcmp(name, "snapshot") == 0 && !upload->has_snapshot) {
        upload->part = UPLOAD_SNAPSHOT;
        upload->has_snapshot = true;
        return true;
    }
    if (strcmp(name, "state") == 0 && !upload->draft) {
        upload->part = UPLOAD_STATE;
        upload->draft = draft_begin(upload->service->store, upload->service->state_max_bytes, err);
        return upload->draft != NULL;
    }
    return error_set(err, ERR_INVALID, "the body has a part \"%s\" %s", name,
                     strcmp(name, "snapshot") == 0 || strcmp(name, "state") == 0
                         ? "twice"
                         : "that is neither \"snapshot\" nor \"state\"");
}

static bool take_data(void *context, const void *data, size_t len, struct error *err)
{
    struct upload *upload = context;

    if (upload->part == UPLOAD_STATE)
        return draft_write(upload->draft, data, len, err);
    if (text_append(&upload->snapshot, data, len))
        return true;
    return error_set(err, ERR_TOO_LARGE, "the part \"snapshot\" is larger than %zu bytes",
                     CREATION_BODY_MAX);
}

static bool end_part(void *context, struct error *err)
{
    struct upload *upload = context;

    (void)err;
    upload->part = UPLOAD_BETWEEN;
    return true;
}

struct upload *upload_new(struct service *service, const char *content_type, struct error *err)
{
    static const struct multipart_events events = {begin_part, take_data, end_part};
    auto_upload struct upload *upload = calloc(1, sizeof *upload);

    if (!upload) {
        error_memory(err);
        return NULL;
    }
    upload->service = service;
    upload->snapshot.max = CREATION_BODY_MAX;
    upload->multipart = multipart_new(content_type, &events, upload, err);
    return upload->multipart ? TAKE(upload) : NULL;
}

void upload_free(struct upload *upload)
{
    if (!upload)
        return;
    multipart_free(upload->multipart);
    draft_free(upload->draft);
    text_clear(&upload->snapshot);
    free(upload);
}

bool upload_feed(struct upload *upload, const void *data, size_t len, struct error *err)
{
    return multipart_feed(upload->multipart, data, len, err);
}

bool upload_finish(struct upload *upload, struct error *err)
{
    if (!multipart_finish(upload->multipart, err))
        return false;
    if (upload->has_snapshot)
        return true;
    return error_set(err, ERR_INVALID, "the body has no part \"snapshot\"");
}
