#include "api/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "api/acceptor.h"
#include "api/account.h"
#include "api/dispatch.h"
#include "api/gate.h"
#include "api/head.h"
#include "api/reaper.h"
#include "api/stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/cache.h"
#include "service/file.h"

/* What a connection's memory holds besides a request's head: what the library notes of each of its
 * fields, and the head of the answer. */
#define BESIDE_HEAD 3072
#define FIELD_NOTE  64
#define ANSWER_HEAD 512

/* What is read from a file at a time, by a lane, and handed to the socket from memory. */
#define FILE_PIECE ((size_t)256 << 10)

/* How much of an upload is gathered before a lane stores it. */
#define BODY_PIECE ((size_t)256 << 10)

#define SPARES_MAX 128

/* Of an answer that lasts: what the kernel keeps for a client that does not read, what is taken at
 * a time without chunks, and how long it may take to end when it has to. */
#define STREAM_SEND_BUFFER (32 << 10)
#define STREAM_PIECE       512
#define STREAM_END_MS      1000

/* So many connections beyond the most are served a refusal. */
#define REFUSED_MAX 256

/* So many beyond those are not closed before they can have read theirs. */
#define LEAVING_MAX 64

struct server {
    struct service *service;
    struct http_settings http;
    struct MHD_Daemon **daemons; /* one for each event loop */
    unsigned daemon_count;
    struct acceptor acceptor;
    unsigned connections_max;
    struct {
        int fds[LEAVING_MAX]; /* -1 for none */
        size_t next;          /* the one that was turned away first */
    } leaving;                /* the acceptor's */
    int quiet;                /* an eventfd; see server_quiet_fd() */
    pthread_mutex_t mutex;    /* of what follows, up to the blank line */
    pthread_cond_t done;
    bool draining;
    unsigned connections;   /* accepted and not yet closed */
    unsigned unheard;       /* of those, the ones whose first request has not begun */
    unsigned running;       /* requests begun and not yet answered in full */
    unsigned detached;      /* of those, the ones that a lane will resume */
    struct exchange *spare; /* kept for the next request: they are large */
    unsigned spare_count;

    atomic_bool closing; /* every connection, after its next answer */
    struct reaper reaper;
    uint64_t head_ms, body_ms, body_rate_min, idle_ms;
};

/* What we know of a connection, for as long as it is open. */
struct session {
    struct watched watched;
    struct peer peer;
    struct exchange *exchange; /* its request, if one has begun */
    bool is_heard;             /* its first request has begun */
    enum error_code refusal;   /* it is one too many */
    size_t place;              /* among its client's */
};

/* One request, from its first byte to the last byte of its answer. Touched by one thread at a time:
 * the event loop's, or, while the connection is suspended, a lane's. */
struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct session *session;
    struct exchange *next; /* while it is spare */
    enum {
        HEAD_EXPECTED,
        BODY_EXPECTED,
        ANSWER_READY
    } phase;
    uint64_t begun_ns;
    uint64_t sent;     /* bytes of the answer's body that were handed to the library */
    bool dropped;      /* the answer was cut: its client was too slow */
    struct text piece; /* of a body, to be stored */
    struct response response;
    struct request request;
};

const char *server_library(void)
{
    return MHD_get_version();
}

/* Before 1.0, whose parser is a new one. */
static bool is_lenient(void)
{
    return server_library()[0] == '0';
}

static void count_detached(struct server *server, int change)
{
    pthread_mutex_lock(&server->mutex);
    server->detached += (unsigned)change;
    if (server->detached == 0)
        pthread_cond_broadcast(&server->done);
    pthread_mutex_unlock(&server->mutex);
}

static bool is_closing(const struct server *server)
{
    return atomic_load_explicit(&server->closing, memory_order_relaxed);
}

/* Under the mutex. */
static void note_quiet(const struct server *server)
{
    if (server->draining && server->running == 0 && server->unheard == 0)
        eventfd_write(server->quiet, 1);
}

static struct exchange *begin_exchange(struct server *server, struct session *session)
{
    pthread_mutex_lock(&server->mutex);
    struct exchange *exchange = server->spare;
    if (exchange) {
        server->spare = exchange->next;
        server->spare_count--;
    } else {
        exchange = malloc(sizeof *exchange);
    }
    server->running += exchange != NULL;
    if (exchange && !session->is_heard) {
        session->is_heard = true;
        server->unheard--;
    }
    pthread_mutex_unlock(&server->mutex);
    if (exchange)
        metrics_add(server->service->metrics, METRIC_REQUESTS_RUNNING, 0, 1);
    return exchange;
}

static void end_exchange(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct request *request = &exchange->request;

    if (request->upload
        && lane_submit(server->service->lanes[LANE_PUBLISH], dispatch_abandon, request->upload))
        request->upload = NULL;
    request_clear(request);
    response_clear(&exchange->response);
    text_clear(&exchange->piece);
    metrics_add(server->service->metrics, METRIC_REQUESTS_RUNNING, 0, (uint64_t)-1);
    pthread_mutex_lock(&server->mutex);
    server->running--;
    note_quiet(server);
    bool keep = server->spare_count < SPARES_MAX;
    if (keep) {
        exchange->next = server->spare;
        server->spare = exchange;
        server->spare_count++;
    }
    pthread_mutex_unlock(&server->mutex);
    if (!keep)
        free(exchange);
}

/* An answer that lasts is over whenever its client wants. */
static bool is_aborted(const struct exchange *exchange, enum MHD_RequestTerminationCode why)
{
    if (exchange->response.stream)
        return exchange->dropped;
    return why != MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

static void account(const struct exchange *exchange, enum MHD_RequestTerminationCode why)
{
    const struct account account = {
        .status = exchange->response.status,
        .bytes_in = exchange->request.body_received,
        .bytes_out = exchange->sent,
        .duration_ns = clock_monotonic_ns() - exchange->begun_ns,
        .aborted = is_aborted(exchange, why),
    };

    account_request(&exchange->request, &account);
}

static void complete(void *context, struct MHD_Connection *connection, void **slot,
                     enum MHD_RequestTerminationCode why)
{
    (void)context;
    (void)connection;
    struct exchange *exchange = TAKE(*slot);
    if (!exchange)
        return;
    struct session *session = exchange->session;
    stream_end(exchange->response.stream);
    /* For another head. */
    reaper_allow(&session->watched, exchange->server->idle_ms + exchange->server->head_ms);
    session->exchange = NULL;
    account(exchange, why);
    end_exchange(exchange);
}

/* The library does not tell the end of every request that it refuses by itself: 0.9.75 with a query
 * of many parameters, 1.0.1 with a chunk's extension that is longer than its memory. */
static void complete_forgotten(struct session *session)
{
    void *slot = session->exchange;

    complete(NULL, NULL, &slot, MHD_REQUEST_TERMINATED_WITH_ERROR);
}

/* We read the query ourselves. A lenient library hangs where it has no memory for the notes of many
 * parameters: it is shown none of them, in the line that it is about to cut into pieces. */
static void hide_query(const char *target)
{
    char *query = strchr(target, '?');

    if (query && is_lenient())
        query[1] = '\0';
}

/* The target as it was sent, before the library takes it apart. */
static void *note_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct server *server = context;
    struct session *session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!session)
        return NULL; /* there was no memory for it */
    complete_forgotten(session);
    struct exchange *exchange = begin_exchange(server, session);
    if (!exchange)
        return NULL;
    exchange->server = server;
    exchange->connection = connection;
    exchange->session = session;
    exchange->begun_ns = clock_monotonic_ns();
    exchange->sent = 0;
    exchange->dropped = false;
    reaper_limit(&session->watched, server->head_ms);
    exchange->phase = HEAD_EXPECTED;
    exchange->piece = (struct text){0};
    response_init(&exchange->response);
    if (request_init(&exchange->request, server->service, &server->http, target)) {
        exchange->request.peer = &session->peer;
        exchange->request.client.address = session->peer.address; /* until the head is read */
        exchange->request.refusal = session->refusal;
        hide_query(target);
        session->exchange = exchange;
        return exchange;
    }
    end_exchange(exchange);
    return NULL;
}

/* A proxy's connections are many clients'; so may be those to a unix socket. */
static enum error_code judge(struct server *server, struct session *session)
{
    const struct peer *peer = &session->peer;
    bool may = peer->is_unix || trust_covers(&server->http.trust, peer)
        || limits_connect(server->http.limits, peer->address, &session->place);

    pthread_mutex_lock(&server->mutex);
    bool fits = server->connections <= server->connections_max;
    pthread_mutex_unlock(&server->mutex);
    if (!fits)
        return ERR_OVERLOADED;
    return may ? ERR_NONE : ERR_TOO_MANY_REQUESTS;
}

static void open_session(struct server *server, struct MHD_Connection *connection, void **slot)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return; /* its first request will find that there is no memory */
    *slot = session;
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    peer_read(&session->peer, fd,
              MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    session->place = SIZE_MAX;
    session->refusal = judge(server, session);
    reaper_allow(&session->watched, server->head_ms);
    reaper_watch(&server->reaper, &session->watched, fd);
}

/* Under the mutex: connections begin or end. */
static void change_connections(struct server *server, int change)
{
    server->connections += (unsigned)change;
    metrics_add(server->service->metrics, METRIC_CONNECTIONS, 0, (uint64_t)change);
}

/* A connection begins or ends: one whose first request has not begun. */
static void count_unheard(struct server *server, int change)
{
    pthread_mutex_lock(&server->mutex);
    change_connections(server, change);
    server->unheard += (unsigned)change;
    note_quiet(server);
    pthread_mutex_unlock(&server->mutex);
}

static void count_heard_end(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    change_connections(server, -1);
    pthread_mutex_unlock(&server->mutex);
}

static void close_session(struct server *server, void **slot)
{
    struct session *session = TAKE(*slot);

    if (session) {
        complete_forgotten(session);
        reaper_forget(&server->reaper, &session->watched);
        limits_disconnect(server->http.limits, session->place);
    }
    if (session && session->is_heard)
        count_heard_end(server);
    else
        count_unheard(server, -1);
    free(session);
}

static void watch_connection(void *context, struct MHD_Connection *connection, void **slot,
                             enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        open_session(context, connection, slot);
    else
        close_session(context, slot);
}

/* A part of a file, read ahead by a lane while the connection is suspended. */
struct file_reader {
    struct exchange *exchange; /* for as long as the answer is being sent */
    int fd;
    uint64_t offset, len; /* of the part */
    uint64_t at;          /* where in the part the piece lies */
    size_t held;          /* bytes of it that are valid */
    bool failed;
    char piece[FILE_PIECE];
};

static void resume(struct exchange *exchange)
{
    struct server *server = exchange->server;

    MHD_resume_connection(exchange->connection);
    count_detached(server, -1);
}

/* The connection is suspended until the work has called resume(). */
static bool detach(struct exchange *exchange, enum lane_kind lane, lane_work *work, void *context)
{
    struct server *server = exchange->server;

    count_detached(server, 1);
    MHD_suspend_connection(exchange->connection);
    if (lane_submit(server->service->lanes[lane], work, context))
        return true;
    resume(exchange);
    return false;
}

static void read_piece(void *context)
{
    struct file_reader *reader = context;
    uint64_t left = reader->len - reader->at;
    struct error err;

    reader->held = left < FILE_PIECE ? (size_t)left : FILE_PIECE;
    reader->failed =
        !file_read_at(reader->fd, reader->offset + reader->at, reader->piece, reader->held, &err);
    if (reader->failed)
        log_event(LOG_ERROR, "download cut off",
                  LOG_REQUEST(&reader->exchange->request),
                  LOG_TEXT("detail", err.message));
    resume(reader->exchange);
}

static ssize_t give_piece(void *context, uint64_t position, char *buffer, size_t max)
{
    struct file_reader *reader = context;

    if (reader->failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (position >= reader->at + reader->held || position < reader->at) {
        reader->at = position;
        reader->held = 0;
        if (!detach(reader->exchange, LANE_READ, read_piece, reader))
            reader->failed = true; /* overloaded; the head is gone already */
        return 0;
    }
    size_t len = (size_t)(reader->at + reader->held - position);
    len = len < max ? len : max;
    reader->exchange->sent = position + len;
    memcpy(buffer, reader->piece + (position - reader->at), len);
    return (ssize_t)len;
}

static void free_reader(void *context)
{
    struct file_reader *reader = context;

    close_p(&reader->fd);
    free(reader);
}

static struct MHD_Response *make_file_response(struct exchange *exchange)
{
    struct response *answer = &exchange->response;
    struct file_reader *reader = malloc(sizeof *reader);

    if (!reader)
        return NULL;
    reader->exchange = exchange;
    reader->fd = TAKE_FD(answer->file);
    reader->offset = answer->file_offset;
    reader->len = answer->data_len;
    reader->at = reader->held = 0;
    reader->failed = false;
    struct MHD_Response *response = MHD_create_response_from_callback(
        answer->data_len, FILE_PIECE / 4, give_piece, reader, free_reader);
    if (!response)
        free_reader(reader);
    return response;
}

static void sleep_stream(void *context)
{
    struct exchange *exchange = context;

    count_detached(exchange->server, 1);
    MHD_suspend_connection(exchange->connection);
}

static void wake_stream(void *context)
{
    resume(context);
}

static void cut_stream(void *context, unsigned milliseconds)
{
    struct exchange *exchange = context;

    exchange->dropped = milliseconds == 0;
    reaper_allow(&exchange->session->watched, milliseconds + 1);
}

static ssize_t give_news(void *context, uint64_t position, char *buffer, size_t max)
{
    struct exchange *exchange = context;

    (void)position;
    if (is_closing(exchange->server))
        return MHD_CONTENT_READER_END_OF_STREAM;
    ssize_t len = stream_read(exchange->response.stream, buffer, max);
    if (len == STREAM_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    exchange->sent += (uint64_t)len;
    return len;
}

/* Each of those that do not read would cost as much of the kernel's memory as it gives to one. */
static void limit_send_buffer(int fd)
{
    const int size = STREAM_SEND_BUFFER;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static struct MHD_Response *make_stream_response(struct exchange *exchange)
{
    const struct event_listener listener = {sleep_stream, wake_stream, cut_stream, exchange};
    const bool has_body = exchange->request.method != HEAD;
    struct error err;

    limit_send_buffer(exchange->session->watched.fd);
    if (has_body && !stream_begin(exchange->response.stream, &listener, &err))
        return NULL;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_PIECE, give_news, exchange, NULL);
    /* 0.9.75 would end an answer to HEAD with a last chunk, which begins the next answer then. */
    if (response && !has_body)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

static void release_cached(void *cached)
{
    cached_release(cached);
}

/* What the body lies in goes over to the response. The library takes its data without const, and
 * does not write to it. */
static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct response *answer = &exchange->response;
    void *data = (void *)answer->data;
    struct MHD_Response *response;

    if (answer->stream)
        return make_stream_response(exchange);
    if (answer->data_len == 0)
        return MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (answer->file >= 0)
        return make_file_response(exchange);
    if (answer->cached) {
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            answer->data_len, data, release_cached, (void *)answer->cached);
        if (response)
            answer->cached = NULL;
        return response;
    }
    if (!answer->text.data)
        return MHD_create_response_from_buffer(answer->data_len, data, MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(answer->data_len, data, MHD_RESPMEM_MUST_FREE);
    if (response)
        answer->text = (struct text){0};
    return response;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct response *answer = &exchange->response;
    bool is_told_later = answer->file >= 0; /* as it is read */
    struct MHD_Response *response = make_response(exchange);
    enum MHD_Result result = MHD_YES;

    if (!response)
        return MHD_NO;
    if (!is_told_later && exchange->request.method != HEAD)
        exchange->sent = answer->data_len;
    for (size_t i = 0; i < answer->header_count && result == MHD_YES; i++)
        result = MHD_add_response_header(response, answer->headers[i].name,
                                         answer->headers[i].value);
    if (answer->close || gate_ends_connection(&exchange->request) || is_closing(exchange->server))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (result == MHD_YES)
        result = MHD_queue_response(exchange->connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

struct header_reader {
    struct request *request;
    struct head head;
    struct error err;
    bool failed;
};

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    struct header_reader *reader = context;

    (void)kind;
    if (!value)
        value = "";
    head_add(&reader->head, (struct span){name, name_len}, (struct span){value, value_len});
    reader->failed = !request_add_header(reader->request, name, value, &reader->err);
    return reader->failed ? MHD_NO : MHD_YES;
}

/* For an answer, beside such a head. */
static bool has_room(const struct exchange *exchange, size_t fields)
{
    const struct request *request = &exchange->request;

    return request->head_len + fields * FIELD_NOTE + ANSWER_HEAD
        <= request->settings->head_max + BESIDE_HEAD;
}

/* The library would close the connection without a word. */
static bool turn_down(struct exchange *exchange)
{
    static const char answer[] = "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                                 "Content-Length: 0\r\n"
                                 "Connection: close\r\n\r\n";

    exchange->response.status = 431;
    send(exchange->session->watched.fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    return false;
}

/* The parts of the first line, as the library has them in its memory. */
struct first_line {
    const char *method, *url, *version; /* the url without its query */
};

static bool read_head(struct exchange *exchange, const struct first_line *line)
{
    struct request *request = &exchange->request;
    struct header_reader reader = {.request = request};

    request->method = method_parse(line->method);
    request->is_http_1_0 = strcmp(line->version, MHD_HTTP_VERSION_1_0) == 0;
    request->head_len =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
            ->header_size;
    head_begin(&reader.head, span_of(line->method), span_of(request->target),
               span_of(line->version), is_lenient() ? line->url : NULL);
    int fields =
        MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, read_header, &reader);
    head_end(&reader.head, line->method + request->head_len);
    request->head_fault = reader.head.fault;
    return !reader.failed && (has_room(exchange, (size_t)fields) || turn_down(exchange));
}

/* Queued with the head still being read, an answer costs the connection: worth it where it spares
 * reading a body, or where the connection is to be closed. */
static enum MHD_Result begin(struct exchange *exchange, const struct first_line *line)
{
    exchange->phase = BODY_EXPECTED;
    exchange->request.is_draining = is_closing(exchange->server);
    if (!read_head(exchange, line))
        return MHD_NO;
    bool with_body = request_has_body(&exchange->request);
    bool wanted = dispatch_begin(&exchange->request, &exchange->response);
    if (wanted && with_body)
        reaper_begin_body(&exchange->session->watched, exchange->server->body_ms);
    else
        reaper_allow(&exchange->session->watched, 0);
    if (wanted)
        return MHD_YES;
    if (with_body || exchange->response.close)
        return send_answer(exchange);
    exchange->phase = ANSWER_READY;
    return MHD_YES;
}

static void store_piece(void *context)
{
    struct exchange *exchange = context;

    dispatch_upload(&exchange->request, exchange->piece.data, exchange->piece.len);
    exchange->piece.len = 0;
    reaper_resume_body(&exchange->session->watched);
    resume(exchange);
}

/* The connection is suspended until the piece is stored. */
static void detach_piece(struct exchange *exchange)
{
    reaper_allow(&exchange->session->watched, 0);
    if (detach(exchange, LANE_PUBLISH, store_piece, exchange))
        return;
    exchange->piece.len = 0;
    dispatch_upload_overloaded(&exchange->request);
}

/* The library hands on the next chunk of a body even where the last one suspended the connection:
 * what is not taken then is offered again afterwards. */
static bool is_suspended(const struct exchange *exchange)
{
    return MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED)
               ->suspended
        == MHD_YES;
}

static enum MHD_Result receive(struct exchange *exchange, const char *data, size_t *len)
{
    struct request *request = &exchange->request;

    if (is_suspended(exchange))
        return MHD_YES;
    if (!dispatch_body(request, data, *len))
        return MHD_NO;
    reaper_credit(&exchange->session->watched, *len, exchange->server->body_rate_min);
    if (request->upload && request->body_error.code == ERR_NONE) {
        if (!text_append(&exchange->piece, data, *len))
            return MHD_NO;
        if (exchange->piece.len >= BODY_PIECE)
            detach_piece(exchange);
    }
    *len = 0;
    return MHD_YES;
}

static void work(void *context)
{
    struct exchange *exchange = context;

    dispatch_work(&exchange->request, &exchange->response);
    resume(exchange);
}

static enum MHD_Result finish(struct exchange *exchange)
{
    struct request *request = &exchange->request;

    if (exchange->piece.len > 0) { /* the last of it: we are called again when it is stored */
        detach_piece(exchange);
        return MHD_YES;
    }
    reaper_allow(&exchange->session->watched, 0);
    if (dispatch_finish(request, &exchange->response))
        return send_answer(exchange);
    exchange->phase = ANSWER_READY; /* when it is resumed */
    if (!detach(exchange, request->lane, work, exchange))
        dispatch_overloaded(request, &exchange->response);
    return MHD_YES;
}

/* Called with the head, with each piece of the body, at the end of it (no bytes), and again
 * after the connection was resumed with the answer. */
/* NOLINTNEXTLINE(readability-function-size): the library's signature */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_len, void **slot)
{
    struct exchange *exchange = *slot;

    (void)context;
    (void)connection;
    if (!exchange)
        return MHD_NO; /* no memory for it */
    if (exchange->phase == HEAD_EXPECTED)
        return begin(exchange, &(struct first_line){method, url, version});
    if (exchange->phase == ANSWER_READY)
        return send_answer(exchange);
    return *data_len > 0 ? receive(exchange, data, data_len) : finish(exchange);
}

/* Path segments are split before they are decoded, by our own router. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *string)
{
    (void)context;
    (void)connection;
    return strlen(string);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *context, const char *fmt,
                                                              va_list args)
{
    char message[512];

    (void)context;
    vsnprintf(message, sizeof message, fmt, args);
    message[strcspn(message, "\n")] = '\0';
    /* Mostly that a client left: no news to anyone but who looks for it. */
    log_event(LOG_DEBUG, "libmicrohttpd", LOG_TEXT("detail", message));
}

/* What little can be done for who is far beyond the most. Closed at once, with a request unread,
 * the connection would be reset and the answer be lost. */
static void turn_away(struct server *server, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Retry-After: 1\r\n"
                                 "Content-Length: 0\r\n"
                                 "Connection: close\r\n\r\n";
    int *place = &server->leaving.fds[server->leaving.next];

    send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    close_p(place);
    *place = fd;
    server->leaving.next = (server->leaving.next + 1) % LEAVING_MAX;
}

static bool can_refuse_more(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    bool has = server->connections < server->connections_max + REFUSED_MAX;
    pthread_mutex_unlock(&server->mutex);
    return has;
}

static unsigned count_connections(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/* The library closes what it does not take. */
static bool give_connection(struct server *server, struct MHD_Daemon *daemon, int fd,
                            const struct sockaddr *from, socklen_t from_len)
{
    count_unheard(server, 1);
    if (MHD_add_connection(daemon, fd, from, from_len) == MHD_YES)
        return true;
    count_unheard(server, -1);
    return false;
}

/* To the event loop that has the fewest. */
static void take_connection(void *context, int fd, const struct sockaddr *from, socklen_t from_len)
{
    struct server *server = context;
    struct MHD_Daemon *chosen = server->daemons[0];

    if (!can_refuse_more(server)) {
        turn_away(server, fd);
        return;
    }
    for (unsigned i = 1; i < server->daemon_count; i++)
        if (count_connections(server->daemons[i]) < count_connections(chosen))
            chosen = server->daemons[i];
    if (give_connection(server, chosen, fd, from, from_len))
        metrics_add(server->service->metrics, METRIC_CONNECTIONS_ACCEPTED, 0, 1);
}

static bool probe(struct server *server, struct MHD_Daemon *daemon, int timeout_ms)
{
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    const struct sockaddr_un nowhere = {.sun_family = AF_UNIX};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    auto_fd int ours = ends[0];
    struct pollfd polled = {.fd = ours, .events = POLLIN};
    return give_connection(server, daemon, ends[1], (const struct sockaddr *)&nowhere,
                           sizeof nowhere.sun_family)
        && send(ours, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1
        && poll(&polled, 1, timeout_ms) == 1;
}

bool server_is_alive(struct server *server, int timeout_ms)
{
    for (unsigned i = 0; i < server->daemon_count; i++)
        if (!probe(server, server->daemons[i], timeout_ms))
            return false;
    return true;
}

/* An event loop, to which we give connections. Its own limit is out of reach, since in 0.9.75 it
 * would wait there for ever, for a lock that it holds. */
static struct MHD_Daemon *start_daemon(struct server *server,
                                       const struct server_settings *settings)
{
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME
        | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;

    /* STRICT_FOR_CLIENT 1 makes 0.9.75 send a head twice where Host is missing, and little else. */
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server,
        MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_CONNECTION_LIMIT, server->connections_max + REFUSED_MAX + 1,
        MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->http.head_max + BESIDE_HEAD,
        MHD_OPTION_STRICT_FOR_CLIENT, is_lenient() ? 0 : 1,
        MHD_OPTION_URI_LOG_CALLBACK, note_target, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, complete, server,
        MHD_OPTION_NOTIFY_CONNECTION, watch_connection, server,
        MHD_OPTION_END);
}

static void stop_daemons(struct server *server)
{
    for (unsigned i = 0; i < server->daemon_count; i++)
        MHD_stop_daemon(server->daemons[i]);
    free(server->daemons);
}

static bool start_daemons(struct server *server, const struct server_settings *settings,
                          struct error *err)
{
    server->daemons = calloc(settings->event_threads, sizeof(struct MHD_Daemon *));
    while (server->daemons && server->daemon_count < settings->event_threads) {
        struct MHD_Daemon *daemon = start_daemon(server, settings);
        if (!daemon)
            break;
        server->daemons[server->daemon_count++] = daemon;
    }
    if (server->daemon_count == settings->event_threads)
        return true;
    error_set(err, ERR_INTERNAL, "cannot start the HTTP server: %s", strerrordesc_np(errno));
    stop_daemons(server);
    return false;
}

/* What serves connections, before there are any. */
static bool start_serving(struct server *server, const struct server_settings *settings,
                          struct error *err)
{
    if (!reaper_start(&server->reaper, err))
        return false;
    if (start_daemons(server, settings, err))
        return true;
    reaper_stop(&server->reaper);
    return false;
}

static void stop_serving(struct server *server)
{
    stop_daemons(server);
    reaper_stop(&server->reaper);
}

static bool start(struct server *server, const struct server_settings *settings,
                  struct listeners *listeners, struct error *err)
{
    server->quiet = eventfd(0, EFD_CLOEXEC);
    if (server->quiet < 0)
        return error_errno(err, "cannot make an eventfd");
    server->http.limits = limits_new(settings->address_connections_max, settings->client_rate_max,
                                     settings->connections_max, err);
    if (!server->http.limits)
        return false;
    if (!start_serving(server, settings, err))
        return false;
    server->acceptor =
        (struct acceptor){.take = take_connection, .context = server};
    if (acceptor_start(&server->acceptor, listeners, err))
        return true;
    stop_serving(server);
    return false;
}

static void free_server(struct server *server)
{
    while (server->spare) {
        struct exchange *exchange = server->spare;
        server->spare = exchange->next;
        free(exchange);
    }
    pthread_cond_destroy(&server->done);
    pthread_mutex_destroy(&server->mutex);
    for (size_t i = 0; i < LEAVING_MAX; i++)
        close_p(&server->leaving.fds[i]);
    close_p(&server->quiet);
    limits_free(server->http.limits);
    free(server);
}

struct server *server_start(struct service *service, const struct server_settings *settings,
                            struct listeners *listeners, struct error *err)
{
    auto_listeners struct listeners taken = TAKE_AS(*listeners, (struct listeners){0});
    struct server *server = calloc(1, sizeof *server);

    if (!server) {
        error_memory(err);
        return NULL;
    }
    server->service = service;
    server->http = settings->http;
    server->connections_max = settings->connections_max;
    server->head_ms = (uint64_t)settings->head_timeout_s * 1000;
    server->body_ms = (uint64_t)settings->body_timeout_s * 1000;
    metrics_set(service->metrics, METRIC_CONNECTIONS_MAX, 0, settings->connections_max);
    server->body_rate_min = settings->body_rate_min;
    server->idle_ms = (uint64_t)settings->idle_timeout_s * 1000;
    memset(server->leaving.fds, -1, sizeof server->leaving.fds);
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->done, NULL);
    if (start(server, settings, &taken, err))
        return server;
    free_server(server);
    return NULL;
}

void server_drain(struct server *server)
{
    atomic_store(&server->closing, true);
    service_drain(server->service);
    acceptor_stop(&server->acceptor);
    pthread_mutex_lock(&server->mutex);
    server->draining = true;
    note_quiet(server);
    pthread_mutex_unlock(&server->mutex);
    server_end_streams(server);
}

void server_end_streams(struct server *server)
{
    event_dismiss(server->service->events, STREAM_END_MS);
}

int server_quiet_fd(const struct server *server)
{
    return server->quiet;
}

/* The library must not be stopped under a suspended connection. */
static void wait_for_detached(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    while (server->detached > 0)
        pthread_cond_wait(&server->done, &server->mutex);
    pthread_mutex_unlock(&server->mutex);
}

void server_stop(struct server *server)
{
    if (!server)
        return;
    if (!server->draining)
        server_drain(server);
    wait_for_detached(server);
    stop_serving(server);
    free_server(server);
}
