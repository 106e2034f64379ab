#include "api/problem.h"

#include <assert.h>

#include "codec/problem.h"

/* In the order of enum error_code. */
static const struct {
    unsigned status;
    const char *title;
} problems[] = {
    {500, "No error"              }, /* ERR_NONE: never answered */
    {400, "Malformed JSON"        }, /* ERR_MALFORMED_JSON */
    {400, "Bad request"           }, /* ERR_BAD_REQUEST */
    {401, "Unauthorized"          }, /* ERR_UNAUTHORIZED */
    {403, "Forbidden"             }, /* ERR_FORBIDDEN */
    {404, "Not found"             }, /* ERR_NOT_FOUND */
    {405, "Method not allowed"    }, /* ERR_METHOD_NOT_ALLOWED */
    {406, "Not acceptable"        }, /* ERR_NOT_ACCEPTABLE */
    {409, "Already exists"        }, /* ERR_EXISTS */
    {409, "Busy"                  }, /* ERR_BUSY */
    {409, "In use"                }, /* ERR_IN_USE */
    {409, "Foreign files"         }, /* ERR_FOREIGN_FILES */
    {409, "Held"                  }, /* ERR_HELD */
    {409, "Not valid"             }, /* ERR_NOT_VALID */
    {412, "Precondition failed"   }, /* ERR_PRECONDITION */
    {413, "Payload too large"     }, /* ERR_TOO_LARGE */
    {415, "Unsupported media type"}, /* ERR_MEDIA_TYPE */
    {416, "Range not satisfiable" }, /* ERR_RANGE */
    {421, "Misdirected request"   }, /* ERR_MISDIRECTED */
    {422, "Invalid request"       }, /* ERR_INVALID */
    {422, "Permission denied"     }, /* ERR_PERMISSION */
    {422, "Different filesystem"  }, /* ERR_DIFFERENT_FILESYSTEM */
    {422, "Reflink unsupported"   }, /* ERR_REFLINK_UNSUPPORTED */
    {422, "Too many links"        }, /* ERR_TOO_MANY_LINKS */
    {429, "Too many requests"     }, /* ERR_TOO_MANY_REQUESTS */
    {431, "Head too large"        }, /* ERR_HEAD_TOO_LARGE */
    {500, "Snapshot damaged"      }, /* ERR_DAMAGED */
    {500, "Input/output error"    }, /* ERR_IO */
    {500, "Internal error"        }, /* ERR_INTERNAL */
    {501, "Not implemented"       }, /* ERR_NOT_IMPLEMENTED */
    {503, "Draining"              }, /* ERR_DRAINING */
    {503, "Overloaded"            }, /* ERR_OVERLOADED */
    {507, "No space"              }, /* ERR_NO_SPACE */
};
static_assert(sizeof problems / sizeof problems[0] == ERR__COUNT, "a row for each code");

unsigned problem_status(enum error_code code)
{
    return problems[code].status;
}

static bool is_worth_retrying(enum error_code code)
{
    return code == ERR_BUSY || code == ERR_TOO_MANY_REQUESTS || code == ERR_OVERLOADED
        || code == ERR_DRAINING;
}

void problem_respond(const struct request *request, const struct error *err,
                     struct response *response)
{
    const struct problem problem = {
        .err = err,
        .status = (int)problems[err->code].status,
        .title = problems[err->code].title,
        .request_id = request->id,
        .faults = err->code == ERR_INVALID && request->faults.count > 0 ? &request->faults : NULL,
        .verdict = err->code == ERR_NOT_VALID ? request->verdict : NULL,
    };
    struct error lost;

    response_clear(response);
    response->status = problems[err->code].status;
    response_header(response, "Content-Type", TYPE_PROBLEM);
    if (is_worth_retrying(err->code))
        response_header(response, "Retry-After", "1");
    /* Without memory for the document the status has to do. */
    if (problem_to_json(&problem, &response->text, &lost)) {
        response->data = response->text.data;
        response->data_len = response->text.len;
    }
}
