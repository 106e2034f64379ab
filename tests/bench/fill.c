/* Fills a store with snapshots, as fast as the filesystem makes files: fill STORE FROM TO
 *
 * They are such as the service makes, of a host with a thousand VMs, and differ in all that a list
 * can be narrowed and sorted by. Each has a number: those from FROM up to TO are made. No service
 * may have the store open. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "codec/manifest_pb.h"
#include "codec/record.h"
#include "service/store.h"

#define VMS      1000
#define NEWEST_S 1790000000 /* some time in 2026 */
#define EVERY_S  600        /* seconds between two snapshots of the host */
#define MIB      (UINT64_C(1) << 20)

static void must(bool ok, const struct error *why)
{
    if (!ok)
        errx(1, "%s", why->message);
}

static void write_file(int dir, const char *name, const void *data, size_t len)
{
    auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        err(1, "%s", name);
}

static void write_memory(int dir, uint64_t size)
{
    auto_fd int fd = openat(dir, MEMORY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        err(1, MEMORY_FILE);
}

static void set_text(struct text *text, const char *value)
{
    if (!text_set(text, value, strlen(value)))
        errx(1, "out of memory");
}

static void describe(unsigned number, struct manifest *out)
{
    static const char *const versions[] = {"0.0.0", "0.1.0", "0.2.0-rc.1"};

    out->version = MANIFEST_VERSION;
    out->created_at.seconds = NEWEST_S - (int64_t)number * EVERY_S;
    out->created_at.nanos = (int32_t)(number % 1000) * 1000000;
    out->memory_size_bytes = (UINT64_C(64) << number % 5) * MIB;
    out->vp_count = 1U << number % 4;
    out->page_size = 4096;
    set_text(&out->architecture, number % 8 == 7 ? "aarch64" : "x86_64");
    set_text(&out->openvmm_version, versions[number % 3]);
}

static void write_documents(int dir, unsigned number, const struct manifest *manifest)
{
    auto_text struct text bytes = {0};
    auto_text struct text json = {0};
    char vm[16];
    char ring[] = "ring";
    char rings[] = "a";
    char key[] = "vm";
    char uefi[] = "--uefi";
    struct label labels[] = {
        {ring, rings},
        {key,  vm   }
    };
    char *arguments[] = {uefi};
    struct error why;
    struct record record = {
        .capture = CAPTURE_COPY,
        .labels = {labels,    2},
        .held = number % 100 == 0,
        .has_vmm_args = true,
        .vmm_args = {arguments, 1},
        .state_size_bytes = 2
    };

    snprintf(vm, sizeof vm, "vm-%03u", number % VMS);
    rings[0] = (char)('a' + number % 4);
    must(manifest_encode(manifest, &bytes, &why), &why);
    must(digest_of(bytes.data, bytes.len, record.manifest_sha256, &why), &why);
    must(digest_of("\n", 2, record.state_sha256, &why), &why);
    must(digest_of(vm, strlen(vm), record.request_sha256, &why), &why);
    must(record_to_json(&record, &json, &why), &why);
    write_file(dir, STATE_FILE, "\n", 2);
    write_file(dir, RECORD_FILE, json.data, json.len);
    write_file(dir, MANIFEST_FILE, bytes.data, bytes.len);
}

/* In an order that is none by name or time. */
static void make_snapshot(int snapshots, unsigned number)
{
    auto_manifest struct manifest manifest = {0};
    char id[48];

    snprintf(id, sizeof id, "vm-%03u-%08x", number % VMS, number * 2654435761U);
    if (mkdirat(snapshots, id, 0750) != 0)
        err(1, "%s", id);
    auto_fd int dir = openat(snapshots, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    describe(number, &manifest);
    write_memory(dir, manifest.memory_size_bytes);
    write_documents(dir, number, &manifest);
}

int main(int argc, char *argv[])
{
    struct error why;

    if (argc != 4)
        errx(2, "usage: fill STORE FROM TO");
    auto_store struct store *store = store_open(argv[1], 0, &why);
    must(store, &why);
    const unsigned long to = strtoul(argv[3], NULL, 10);
    for (unsigned long i = strtoul(argv[2], NULL, 10); i < to; i++)
        make_snapshot(store->snapshots, (unsigned)i);
    return 0;
}
