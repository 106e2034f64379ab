#include "api/stream.h"

struct stream {
    struct event_hub *hub;
    struct event_position from;
    bool has_from;
    struct event_reader *reader; /* once it has begun */
    struct text text;            /* being read */
    size_t at;                   /* of that, what was read */
};

struct stream *stream_new(struct event_hub *hub, const struct event_position *from,
                          struct error *err)
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (!stream) {
        error_memory(err);
        return NULL;
    }
    stream->hub = hub;
    stream->has_from = from != NULL;
    if (from)
        stream->from = *from;
    return stream;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    stream_end(stream);
    text_clear(&stream->text);
    free(stream);
}

bool stream_begin(struct stream *stream, const struct event_listener *listener, struct error *err)
{
    stream->reader =
        event_subscribe(stream->hub, stream->has_from ? &stream->from : NULL, listener, err);
    return stream->reader != NULL;
}

void stream_end(struct stream *stream)
{
    if (stream && stream->reader)
        event_unsubscribe(TAKE(stream->reader));
}

/* Makes text of what there is to read. */
static enum event_news refill(struct stream *stream)
{
    struct event_batch batch;
    enum event_news news = event_read(stream->reader, &batch);

    stream->text.len = stream->at = 0;
    if (news == NEWS_POSITION)
        event_write_position(&stream->text, &batch.position);
    else if (news == NEWS_RESET)
        event_write_reset(&stream->text, &batch.position);
    else if (news == NEWS_BEAT)
        event_write_comment(&stream->text);
    for (size_t i = 0; news == NEWS_EVENTS && i < batch.count; i++)
        event_write(&stream->text, batch.position.epoch, &batch.events[i]);
    return text_failed(&stream->text) ? NEWS_END : news;
}

ssize_t stream_read(struct stream *stream, char *buffer, size_t max)
{
    enum event_news news = stream->at < stream->text.len ? NEWS_EVENTS : refill(stream);

    if (news == NEWS_NONE)
        return STREAM_ASLEEP;
    if (news == NEWS_END)
        return STREAM_END;
    size_t left = stream->text.len - stream->at;
    size_t len = left < max ? left : max;
    memcpy(buffer, stream->text.data + stream->at, len);
    stream->at += len;
    return (ssize_t)len;
}
