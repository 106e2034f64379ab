#include "tests/record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/file.h"
#include "tests/store_fixture.h"

/* Of more than this, the beginning: as much as the largest document that is looked into. */
#define KEPT_MAX (((size_t)1 << 20) + 65536)

#define CONNECTIONS_MAX 4096

static struct {
    pthread_mutex_t lock;
    bool is_off, writes_at_exit;
    const char *base_path;
    struct connection {
        struct text sent, received;
    } connections[CONNECTIONS_MAX]; /* by descriptor */
} recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};

void record_nothing(void)
{
    recorder.is_off = true;
}

static const char *directory(void)
{
    if (recorder.is_off)
        return NULL;
    return getenv("EXCHANGES"); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
}

/* A character for each byte, as in ISO 8859-1. */
static json_t *bytes(const struct text *text)
{
    auto_text struct text utf8 = {0};
    size_t len = text->len < KEPT_MAX ? text->len : KEPT_MAX;

    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text->data[i];
        const char pair[] = {(char)(0xc0 | byte >> 6), (char)(0x80 | (byte & 0x3f))};
        must(byte < 0x80 ? text_append(&utf8, &text->data[i], 1) : text_append(&utf8, pair, 2),
             "memory");
    }
    return json_stringn(text_str(&utf8), utf8.len);
}

static void write_line(const char *kind, const struct text *sent, const struct text *received)
{
    struct path path = path_of("%s/%s.jsonl", directory(), program_invocation_short_name);
    struct error err = {0};
    json_t *line = json_pack("{s:s, s:s?, s:o, s:I, s:o, s:I}", "kind", kind, "base_path",
                             recorder.base_path, "sent", bytes(sent), "sent_bytes",
                             (json_int_t)sent->len, "received", bytes(received),
                             "received_bytes", (json_int_t)received->len);
    auto_free char *dump = line ? json_dumps(line, JSON_COMPACT) : NULL;
    auto_text struct text text = {0};
    auto_fd int fd = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    must(dump && text_appendf(&text, "%s\n", dump), "memory");
    must(fd >= 0 && file_write_all(fd, text.data, text.len, path.text, &err), path.text);
    json_decref(line);
}

void record_base_path(const char *path)
{
    pthread_mutex_lock(&recorder.lock);
    recorder.base_path = path;
    pthread_mutex_unlock(&recorder.lock);
}

void record_exchange(const struct text *sent, const struct text *received)
{
    if (!directory())
        return;
    pthread_mutex_lock(&recorder.lock);
    write_line("exchange", sent, received);
    pthread_mutex_unlock(&recorder.lock);
}

/* Under the lock. */
static void write_connection(struct connection *connection)
{
    if (connection->sent.len > 0)
        write_line("connection", &connection->sent, &connection->received);
    text_clear(&connection->sent);
    text_clear(&connection->received);
}

static void write_unfinished(void)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        write_connection(&recorder.connections[i]);
}

static struct connection *lock(int fd)
{
    must(fd >= 0 && fd < CONNECTIONS_MAX, "a descriptor");
    pthread_mutex_lock(&recorder.lock);
    return &recorder.connections[fd];
}

void record_begin(int fd)
{
    if (!directory())
        return;
    write_connection(lock(fd));
    if (!recorder.writes_at_exit)
        must(atexit(write_unfinished) == 0, "atexit");
    recorder.writes_at_exit = true;
    pthread_mutex_unlock(&recorder.lock);
}

void record_sent(int fd, const void *data, size_t len)
{
    if (!directory())
        return;
    must(text_append(&lock(fd)->sent, data, len), "memory");
    pthread_mutex_unlock(&recorder.lock);
}

void record_received(int fd, const void *data, size_t len)
{
    if (!directory())
        return;
    must(text_append(&lock(fd)->received, data, len), "memory");
    pthread_mutex_unlock(&recorder.lock);
}

void record_end(int fd)
{
    if (!directory())
        return;
    write_connection(lock(fd));
    pthread_mutex_unlock(&recorder.lock);
}
