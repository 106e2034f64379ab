/* A version of a snapshot: memory, state and manifest, all of which follow from one number that the
 * snapshot's label tells. So what the service answers, and what is on disk, can be judged by
 * itself. */
#pragma once

#include "tests/soak/soak.h"

/* How the state is sent. */
enum state_way {
    STATE_NONE,
    STATE_BASE64,
    STATE_PATH,
    STATE_MULTIPART,
    STATE__COUNT
};

struct version {
    uint64_t number;
    unsigned memory; /* of the sources in the memory root */
    enum capture capture;
    enum state_way way;
    size_t blob_size; /* of the one device's state */
    unsigned vp_count, page_size;
    bool is_arm, has_time;
};

struct version version_of(const struct soak *soak, uint64_t number);

/* The memory and state files that versions are made of, in the memory root. */
void version_make_sources(const struct soak *soak);

/* A request that makes a snapshot of that version; `id` may be NULL. The texts are the caller's. */
struct version_request {
    struct text type; /* the whole header */
    struct text body;
};
void version_request(const struct soak *soak, uint64_t number, const char *id,
                     struct version_request *out);
void version_request_clear(struct version_request *request);
static inline void version_request_clear_p(struct version_request *request)
{
    version_request_clear(request);
}
#define auto_version_request AUTO(version_request_clear)

/* The bytes of its state.bin. */
void version_state(const struct soak *soak, uint64_t number, struct text *out);

/* The version that a snapshot document claims to be, all of whose members agree with that; 0, with
 * a reason, if they do not. */
uint64_t version_read(const struct soak *soak, const json_t *snapshot, struct text *why);

/* The same for the document of a manifest; true if it is this version's. */
bool version_has_manifest(const struct soak *soak, uint64_t number, const json_t *manifest);

/* Whether the files of a snapshot are just those of this version. */
bool version_is_on_disk(const struct soak *soak, uint64_t number, const char *id,
                        struct text *why);
