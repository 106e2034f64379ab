/* From a request's head, through its body, to its answer. */
#pragma once

#include "api/http.h"

/* The head is in (method, target, version, headers): routes it and decides on its body. True if the
 * body is wanted; else `response` is the answer, to be sent without reading a body. */
bool dispatch_begin(struct request *request, struct response *response);

/* A piece of a body that is kept in memory. What is too much, or follows an error, is passed over;
 * false if so much came that the connection is better dropped. */
bool dispatch_body(struct request *request, const void *data, size_t len);

/* A piece of a body that goes to disk; may wait for it. */
void dispatch_upload(struct request *request, const void *data, size_t len);

/* The request is complete. True if `response` is the answer; else dispatch_work() is to be
 * called in the lane request->lane. Never waits for a disk, but for one fstatat() of a file read
 * before. */
bool dispatch_finish(struct request *request, struct response *response);

/* Runs the handler; `response` is the answer. May wait for a disk. */
void dispatch_work(struct request *request, struct response *response);

/* What is left of an upload whose client went away; may wait for a disk. */
void dispatch_abandon(void *upload);

/* A piece that no lane has room for: the body's rest is passed over. */
void dispatch_upload_overloaded(struct request *request);

/* The answer to a request that no lane has room for. */
void dispatch_overloaded(struct request *request, struct response *response);
