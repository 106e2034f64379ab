/* A store in a directory of its own, with a memory root beside it, and ways to look at what is on
 * disk. What cannot be set up ends the program: that is a broken machine, not a failed test. */
#pragma once

#include <sys/types.h>

#include "service/snapshot.h"

/* A path, by value. */
struct path {
    char text[512];
};

struct path path_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct fixture {
    struct path home, store, root; /* `home` holds the other two */
    char *roots[1];
    struct service_settings settings;
    struct service *service; /* NULL while it is closed */
};

/* In a new directory beneath `where`, or, for NULL, where flushing costs least. Makes no service:
 * fixture_open() does. */
void fixture_make(struct fixture *fixture, const char *where);
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture);

/* The file "memory" in the memory root. */
struct path fixture_memory(const struct fixture *fixture);

/* A snapshot's directory, or a file in it unless `file` is "". */
struct path fixture_snapshot(const struct fixture *fixture, const char *id, const char *file);

/* How far who follows events would have read by now. */
struct event_position fixture_now(const struct fixture *fixture);

/* Appends what was told since then: "created a, deleted a, ", or "reset, ". */
void fixture_told(const struct fixture *fixture, const struct event_position *since,
                  struct text *out);

/* Waits until, since then, just this was told. */
void fixture_await_told(const struct fixture *fixture, const struct event_position *since,
                        const char *expected);

/* Waits until everything that was handed to the bulk lane is done. */
void fixture_settle(struct fixture *fixture);

/* Ends the threads that look at the disk by themselves: what a test counts then is its own. */
void fixture_hush(struct fixture *fixture);

/* Closes, and removes the directory with all that is in it. */
void fixture_remove(struct fixture *fixture);

/* For cmocka: *state is a fixture whose service is open. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A request with every member that is required, a label "vp" that says the same as vp_count, and
 * writers allowed. `id` may be NULL. The caller clears it. */
void request(struct creation *out, const char *id, const char *memory_path, enum capture capture,
             uint32_t vp_count);

/* Creates just so; ends the program if it cannot. */
void fixture_create(struct fixture *fixture, const char *id, const char *memory_path,
                    enum capture capture, uint32_t vp_count);

/* A directory as OpenVMM leaves a snapshot of `memory_size` bytes, all of them `byte`, with state
 * of one unit that has no name, and otherwise what request() says. Over whatever was there. */
void openvmm_save(const char *dir, size_t memory_size, char byte, uint32_t vp_count);

/* Appends a line for each way in which the list is not what is on disk, read afresh. */
void fixture_compare_list(struct fixture *fixture, struct text *differences);

void must(bool ok, const char *what);

/* A file of `size` bytes, all of them `byte`, over whatever was there. */
void disk_write(const char *path, size_t size, char byte);
bool disk_holds(const char *path, size_t size, char byte);
void disk_make_dir(const char *path);
void disk_remove(const char *path);      /* with all that is in it; nothing there is fine */
size_t disk_count(const char *path);     /* entries of a directory */
struct stat disk_stat(const char *path); /* of a link itself */

/* Appends a line for everything beneath `path`, in order, but the catalogue, which is written when
 * there is time for it: name, type, mode, owner, and of files
 * also links, inode, size and a checksum. */
void disk_describe(const char *path, struct text *out);

/* Descriptors that this process has open. */
size_t open_descriptors(void);

/* Runs body(context) in a child and gives its wait(2) status; what the body returns is the child's
 * exit status. */
int in_child(int (*body)(void *context), void *context);

/* Another process that uses a file, from start to stop, in one of the ways below. */
struct file_user {
    pid_t pid;
    int ready[2], over[2]; /* pipes */
};
void file_user_start(struct file_user *user, const char *path, void (*use)(const char *path));
void file_user_stop(struct file_user *user);
void open_writable(const char *path);
void open_readable(const char *path);
void map_writable(const char *path); /* with no descriptor left, as a VM may hold its memory */
