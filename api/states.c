#include <inttypes.h>
#include <stdio.h>

#include "api/handlers.h"
#include "api/negotiate.h"
#include "api/problem.h"
#include "api/tag.h"
#include "codec/snapshot.h"
#include "service/snapshot.h"

/* The file's identity: it is written once, and a file that replaces it is another one. */
static void tag_file(const struct stat *stat, char tag[64])
{
    snprintf(tag, 64, "\"%jx-%jx-%jx-%lx\"", (uintmax_t)stat->st_ino, (uintmax_t)stat->st_size,
             (uintmax_t)stat->st_ctim.tv_sec, (unsigned long)stat->st_ctim.tv_nsec);
}

static enum range choose_range(const struct request *request, const char *tag, uint64_t size,
                               struct byte_range *range)
{
    const char *wanted = request->headers[HEADER_RANGE];
    const char *only_if = request->headers[HEADER_IF_RANGE];

    if (request->method != GET || !wanted || (only_if && !negotiate_if_range(only_if, tag)))
        return RANGE_WHOLE;
    return negotiate_range(wanted, size, range);
}

static bool respond_unsatisfiable(const struct request *request, uint64_t size,
                                  struct response *response)
{
    struct error err;

    error_set(&err, ERR_RANGE, "the state is %" PRIu64 " bytes long", size);
    problem_respond(request, &err, response);
    response_headerf(response, "Content-Range", "bytes */%" PRIu64, size);
    return true;
}

/* Makes the whole of the state the part that was asked for. */
static bool respond_range(const struct request *request, const char *tag, uint64_t size,
                          struct response *response)
{
    struct byte_range range;

    switch (choose_range(request, tag, size, &range)) {
    case RANGE_UNSATISFIABLE:
        return respond_unsatisfiable(request, size, response);
    case RANGE_PART:
        response->status = 206;
        response->file_offset = range.first;
        response->data_len = range.len;
        response_headerf(response, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                         range.first, range.first + range.len - 1, size);
        return true;
    default:
        return true;
    }
}

/* Takes over the descriptor. If-None-Match comes before Range (RFC 9110, 13.2.2). */
static bool respond_take(const struct request *request, int fd, const struct stat *stat,
                         struct response *response)
{
    uint64_t size = (uint64_t)stat->st_size;
    char tag[64];

    tag_file(stat, tag);
    response->file = fd;
    response->data_len = size;
    response->status = 200;
    response_headerf(response, "ETag", "%s", tag);
    response_header(response, "Accept-Ranges", "bytes");
    response_header(response, "Content-Type", "application/octet-stream");
    response_header(response, "Cache-Control", "no-store");
    return tag_not_modified(request, tag, response)
        || respond_range(request, tag, size, response);
}

bool state_get_handler(struct request *request, struct response *response, struct error *err)
{
    const char *id = request_snapshot_id(request, err);
    struct stat stat;
    int fd = id ? snapshot_open_state(request->service, id, &stat, err) : -1;

    return fd >= 0 && respond_take(request, fd, &stat, response);
}

bool state_units_handler(struct request *request, struct response *response, struct error *err)
{
    const char *id = request_snapshot_id(request, err);
    auto_state_units struct state_units units = {0};

    return id && snapshot_units(request->service, id, &units, err)
        && state_units_to_json(&units, &response->text, err) && response_json(response, 200);
}
