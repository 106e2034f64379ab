/* Filesystems for a test: mounts that only this process and its children see, and that end with
 * them. It takes root, and for images loop devices: where that is not to be had, the test says what
 * it skips. */
#pragma once

#include <stdbool.h>

/* From here on, mounts are this process's own. False, having said so on standard error, if that is
 * not allowed. */
bool mounts_separate(void);

/* A new filesystem ("xfs", "btrfs", "ext4") in an image beside `at`, mounted there. False, having
 * said so, if it cannot be had. */
bool mounts_image(const char *type, const char *at);

bool mounts_tmpfs(const char *at, const char *options);
bool mounts_bind(const char *from, const char *at);

/* Fills the disk that the file is on, by giving the file all that is free, to the last block. */
void mounts_fill(int fd);

void mounts_end(const char *at);
