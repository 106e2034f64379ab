/* Makes a file of LENGTH bytes with DATA of them written, in extents of a mebibyte spread evenly.
 *
 *   scatter FILE LENGTH DATA
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXTENT ((uint64_t)1 << 20)

/* Pages that are not zero, and differ. */
static void fill(uint64_t *words, uint64_t seed)
{
    for (size_t i = 0; i < EXTENT / sizeof *words; i++)
        words[i] = (seed = seed * 6364136223846793005U + 1442695040888963407U);
}

int main(int argc, char **argv)
{
    static uint64_t words[EXTENT / sizeof(uint64_t)];

    if (argc != 4)
        errx(2, "usage: scatter FILE LENGTH DATA");
    uint64_t length = strtoull(argv[2], NULL, 10);
    uint64_t extents = strtoull(argv[3], NULL, 10) / EXTENT;
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0 || ftruncate(fd, (off_t)length) != 0)
        err(1, "%s", argv[1]);
    for (uint64_t i = 0; i < extents; i++) {
        fill(words, i + 1);
        if (pwrite(fd, words, EXTENT, (off_t)(length / extents / 4096 * 4096 * i)) != EXTENT)
            err(1, "%s", argv[1]);
    }
    return close(fd) == 0 ? 0 : 1;
}
