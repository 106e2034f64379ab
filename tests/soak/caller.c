#include "tests/soak/caller.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/soak/gate.h"
#include "tests/soak/mix.h"

#define PATIENCE_S 60

/* A larger body, or one in chunks, is announced: who refuses it unread closes the connection, and
 * the answer may be lost with what was sent in vain. */
#define SEND_UNASKED_MAX 1000

void caller_open(struct caller *caller, struct soak *soak, const char *token, uint64_t seed)
{
    *caller = (struct caller){
        .soak = soak, .token = token, .random = seed, .curl = curl_easy_init()};
    must(caller->curl, "curl");
    for (size_t i = 0; i < IDLE_MAX; i++)
        caller->idle[i] = -1;
}

/* Closes its connections. */
static void leave(void *context)
{
    struct caller *caller = context;

    curl_easy_cleanup(caller->curl);
    caller->curl = curl_easy_init();
    must(caller->curl, "curl");
    for (size_t i = 0; i < IDLE_MAX; i++) {
        close_p(&caller->idle[i]);
        caller->idle[i] = -1;
    }
}

void caller_close(struct caller *caller)
{
    leave(caller);
    curl_easy_cleanup(caller->curl);
}

static void *work(void *context)
{
    struct caller *caller = context;

    while (gate_pass(&caller->soak->gate, leave, caller))
        mix_act(caller);
    caller_close(caller);
    return NULL;
}

void caller_start(struct caller *caller, struct soak *soak, unsigned number)
{
    caller_open(caller, soak, BEARER OWNER_TOKEN, soak->seed + number);
    gate_enter(&soak->gate);
    must(pthread_create(&caller->thread, NULL, work, caller) == 0, "a thread");
}

void caller_join(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
}

static bool is_ending(const struct caller *caller)
{
    return atomic_load(&caller->soak->life.is_ending);
}

void caller_count(struct caller *caller, long status, const char *request, const char *answer)
{
    if (status > 0 && status < 600)
        atomic_fetch_add(&caller->soak->tally.statuses[status], 1);
    /* 501 and 505 blame the client, for a coding or a version. */
    if (status >= 500 && status != 501 && status != 503 && status != 505 && status != 507)
        soak_fail(caller->soak, "%s was answered %ld: %s", request, status, answer);
}

static const char *method_of(const struct call *call)
{
    return call->method ? call->method : call->body ? "POST"
                                                    : "GET";
}

static bool has_authorization(const struct call *call)
{
    for (size_t i = 0; call->headers[i]; i++)
        if (strncmp(call->headers[i], "Authorization:", 14) == 0)
            return true;
    return false;
}

static void add_header(struct call *call, const char *header)
{
    size_t i = 0;

    while (call->headers[i])
        i++;
    call->headers[i] = header;
}

/* False if there was no answer. */
static bool try_call(struct caller *caller, const struct call *call, struct answer *out)
{
    struct call ours = *call;

    if (!has_authorization(call))
        add_header(&ours, caller->token);
    if (call->chunked || call->body_len > SEND_UNASKED_MAX)
        add_header(&ours, "Expect: 100-continue");
    curl_easy_reset(caller->curl);
    curl_easy_setopt(caller->curl, CURLOPT_EXPECT_100_TIMEOUT_MS, PATIENCE_S * 1000L);
    curl_easy_setopt(caller->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(caller->curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    CURLcode code = test_perform(caller->curl, caller->soak->test.url, &ours, out);
    if (code == CURLE_OK) {
        caller_count(caller, out->status, call->path, text_str(&out->body));
        return true;
    }
    if (!is_ending(caller))
        soak_fail(caller->soak, "%s %s: %s (%s)", method_of(call), call->path,
                  curl_easy_strerror(code), text_str(&out->head));
    atomic_fetch_add(&caller->soak->tally.unanswered, 1);
    return false;
}

/* As a client should that was told to come back later. */
static void wait_as_told(struct caller *caller, const struct answer *answer)
{
    const char *seconds = answer_header(answer, "Retry-After");

    if (!seconds)
        soak_fail(caller->soak, "429 without Retry-After: %s", text_str(&answer->head));
    nanosleep(&(struct timespec){.tv_sec = strtol(seconds, NULL, 10)}, NULL);
}

bool caller_call(struct caller *caller, const struct call *call, struct answer *out)
{
    while (try_call(caller, call, out)) {
        if (out->status != 429 || !caller->is_patient)
            return true;
        wait_as_told(caller, out);
        answer_clear(out);
    }
    return false;
}

bool caller_get(struct caller *caller, const char *path, struct answer *out)
{
    return caller_call(caller, &(struct call){.path = path}, out);
}

void caller_expect(struct caller *caller, const struct call *call, const struct answer *answer,
                   const long *statuses)
{
    if (answer->status == 429 || answer->status == 503)
        return;
    for (; *statuses; statuses++)
        if (answer->status == *statuses)
            return;
    soak_fail(caller->soak, "%s %s %.2000s was answered %ld: %s%s", method_of(call), call->path,
              call->body ? call->body : "", answer->status, text_str(&answer->head),
              text_str(&answer->body));
}

int caller_connect(struct caller *caller)
{
    int fd = raw_try(&caller->soak->test);

    if (fd < 0 && !is_ending(caller))
        soak_fail(caller->soak, "cannot connect: %s", strerrordesc_np(errno));
    if (fd >= 0)
        caller_wait_at_most(fd, PATIENCE_S * 1000);
    return fd;
}

void caller_wait_at_most(int fd, unsigned milliseconds)
{
    const struct timeval patience = {.tv_sec = milliseconds / 1000,
                                     .tv_usec = (long)(milliseconds % 1000) * 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}
