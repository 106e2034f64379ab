/* A multipart body on its way in: the part `snapshot` is kept as text, the part `state` goes to
 * disk as it arrives. */
#pragma once

#include "api/multipart.h"
#include "service/draft.h"
#include "service/service.h"

struct upload {
    struct service *service;
    struct multipart *multipart;
    enum {
        UPLOAD_BETWEEN,
        UPLOAD_SNAPSHOT,
        UPLOAD_STATE
    } part;
    bool has_snapshot;
    struct text snapshot; /* JSON */
    struct draft *draft;  /* NULL until the part `state` begins */
};

/* As multipart_new(). The caller owns the upload. */
struct upload *upload_new(struct service *service, const char *content_type, struct error *err);
void upload_free(struct upload *upload);
OWN(struct upload, upload_free)
#define auto_upload AUTO(upload_free)

/* May wait for a disk. ERR_BAD_REQUEST, ERR_INVALID for a part that is none of the two or comes
 * twice, ERR_TOO_LARGE, ERR_NO_SPACE, ERR_IO. */
bool upload_feed(struct upload *upload, const void *data, size_t len, struct error *err);

/* The body has ended: ERR_BAD_REQUEST if it was cut off, ERR_INVALID without a part `snapshot`. */
bool upload_finish(struct upload *upload, struct error *err);
