#include "api/limits.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define SECOND_NS UINT64_C(1000000000)

/* Where a key may lie, from its hash on. */
#define WINDOW 16

/* Longer than any address or name. */
#define KEY_SIZE 66

struct client {
    char key[KEY_SIZE];
    unsigned connections;
    uint64_t allowance_ns; /* time that requests may still take, at 1/rate each */
    uint64_t seen_ns;
};

struct limits {
    unsigned connections_max;
    uint64_t request_ns; /* what a request takes of the allowance; 0 where nothing is limited */
    uint64_t seed;       /* so that nobody can choose who shares a window */
    size_t mask;
    pthread_mutex_t mutex; /* of the clients */
    struct client *clients;
};

struct limits *limits_new(unsigned connections_max, uint64_t rate_max, size_t clients,
                          struct error *err)
{
    struct limits *limits = calloc(1, sizeof *limits);
    size_t count = WINDOW;

    while (count < 2 * clients)
        count *= 2;
    if (limits)
        limits->clients = calloc(count, sizeof *limits->clients);
    if (!limits || !limits->clients) {
        free(limits);
        error_memory(err);
        return NULL;
    }
    limits->connections_max = connections_max;
    limits->request_ns = rate_max ? SECOND_NS / rate_max : 0;
    limits->mask = count - 1;
    while (getrandom(&limits->seed, sizeof limits->seed, 0) != sizeof limits->seed)
        continue;
    pthread_mutex_init(&limits->mutex, NULL);
    return limits;
}

void limits_free(struct limits *limits)
{
    if (!limits)
        return;
    pthread_mutex_destroy(&limits->mutex);
    free(limits->clients);
    free(limits);
}

/* An IPv6 client has a whole /64 to choose addresses from. */
static void make_key(const char *name, char key[KEY_SIZE])
{
    struct in6_addr address;

    if (strchr(name, ':') && inet_pton(AF_INET6, name, &address) == 1) {
        memset(&address.s6_addr[8], 0, 8);
        inet_ntop(AF_INET6, &address, key, KEY_SIZE);
    } else {
        snprintf(key, KEY_SIZE, "%s", name);
    }
}

/* FNV-1a. */
static uint64_t hash(const char *key, uint64_t seed)
{
    uint64_t value = seed ^ UINT64_C(0xcbf29ce484222325);

    for (; *key; key++)
        value = (value ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    return value ^ value >> 32;
}

/* What it was allowed and did not use comes back with time, up to a second's worth. */
static void refill(struct client *client, uint64_t now)
{
    uint64_t passed = now - client->seen_ns;

    client->allowance_ns += passed < SECOND_NS ? passed : SECOND_NS;
    if (client->allowance_ns > SECOND_NS)
        client->allowance_ns = SECOND_NS;
    client->seen_ns = now;
}

/* Nothing would be different if it had never been seen. */
static bool is_forgettable(const struct client *client, uint64_t now)
{
    return client->connections == 0 && now - client->seen_ns >= SECOND_NS;
}

/* The client's place, made anew if it has none; NULL if there is none to be had. */
static struct client *find(struct limits *limits, const char *name, uint64_t now)
{
    struct client *free_place = NULL;
    char key[KEY_SIZE];

    make_key(name, key);
    size_t at = hash(key, limits->seed);
    for (size_t i = 0; i < WINDOW; i++) {
        struct client *client = &limits->clients[(at + i) & limits->mask];
        if (strcmp(client->key, key) == 0)
            return client;
        if (!free_place && is_forgettable(client, now))
            free_place = client;
    }
    if (free_place) {
        *free_place = (struct client){.allowance_ns = SECOND_NS, .seen_ns = now};
        memcpy(free_place->key, key, sizeof key);
    }
    return free_place;
}

bool limits_connect(struct limits *limits, const char *address, size_t *place)
{
    bool may = true;

    *place = SIZE_MAX;
    if (limits->connections_max == 0)
        return true;
    pthread_mutex_lock(&limits->mutex);
    struct client *client = find(limits, address, clock_monotonic_ns());
    if (client) {
        *place = (size_t)(client - limits->clients);
        may = ++client->connections <= limits->connections_max;
    }
    pthread_mutex_unlock(&limits->mutex);
    return may;
}

void limits_disconnect(struct limits *limits, size_t place)
{
    if (place == SIZE_MAX)
        return;
    pthread_mutex_lock(&limits->mutex);
    limits->clients[place].connections--;
    pthread_mutex_unlock(&limits->mutex);
}

bool limits_take(struct limits *limits, const char *key)
{
    bool may = true;

    if (limits->request_ns == 0)
        return true;
    uint64_t now = clock_monotonic_ns();
    pthread_mutex_lock(&limits->mutex);
    struct client *client = find(limits, key, now);
    if (client) {
        refill(client, now);
        may = client->allowance_ns >= limits->request_ns;
        client->allowance_ns -= may ? limits->request_ns : 0;
    }
    pthread_mutex_unlock(&limits->mutex);
    return may;
}
