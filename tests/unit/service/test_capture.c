/* See tests/service/test_filesystems.c for what takes a filesystem of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/capture.h"
#include "service/file.h"
#include "tests/check.h"
#include "tests/fault.h"
#include "tests/store_fixture.h"

#define ID          "s"
#define MEMORY_SIZE ((size_t)4 << 20)
#define PAGE        ((size_t)4096)

static struct path captured(const struct fixture *fixture)
{
    return path_of("%s/snapshots/" ID "/" MEMORY_FILE, fixture->store.text);
}

static bool create(struct fixture *fixture, enum capture capture, struct made *out,
                   struct error *err)
{
    auto_creation struct creation creation;

    request(&creation, ID, fixture_memory(fixture).text, capture, 1);
    return snapshot_create(fixture->service, &creation, NULL, out, err);
}

static void assert_nothing_left(const struct fixture *fixture)
{
    const char *store = fixture->store.text;

    assert_int_equal(disk_count(path_of("%s/snapshots", store).text), 0);
    assert_int_equal(disk_count(path_of("%s/.vmsnapd/staging", store).text), 0);
}

static void a_link_is_the_source_itself(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};

    disk_write(fixture_memory(*state).text, PAGE, 'm');
    assert_succeeds(create(*state, CAPTURE_LINK, &made, &err));
    assert_int_equal(made.snapshot.record.capture, CAPTURE_LINK);
    assert_string_equal(made.snapshot.linked_to, fixture_memory(*state).text);
    assert_int_equal(disk_stat(captured(*state).text).st_ino,
                     disk_stat(fixture_memory(*state).text).st_ino);
}

static void a_copy_is_independent_of_its_source(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};

    disk_write(fixture_memory(*state).text, PAGE, 'm');
    assert_succeeds(create(*state, CAPTURE_COPY, &made, &err));
    assert_int_equal(made.snapshot.record.capture, CAPTURE_COPY);
    assert_null(made.snapshot.linked_to);
    disk_write(fixture_memory(*state).text, PAGE, 'x');
    assert_true(disk_holds(captured(*state).text, PAGE, 'm'));
}

static void remove_file(void *context)
{
    must(unlink(context) == 0, context);
}

static void a_source_that_is_removed_before_it_is_linked_is_told(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};
    struct path memory = fixture_memory(*state);
    struct fault_plan fault = {.kinds = FAULT_DISK,
                               .only = "linkat",
                               .effect = FAULT_HOOK,
                               .nth = 1,
                               .hook = remove_file,
                               .context = memory.text};

    disk_write(memory.text, PAGE, 'm');
    fault_arm(&fault);
    assert_fails(create(*state, CAPTURE_LINK, &made, &err), ERR_INVALID);
    assert_non_null(fault_disarm().struck);
    assert_non_null(strstr(err.message, "was removed"));
    assert_nothing_left(*state);
}

/* One letter a page: '.' for a hole, else data. */
static void map_holes(const char *path, struct text *out)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = disk_stat(path).st_size;

    for (off_t at = 0; at < size; at += (off_t)PAGE) {
        off_t data = lseek(fd, at, SEEK_DATA);
        text_appends(out, data >= 0 && data < at + (off_t)PAGE ? "#" : ".");
    }
}

/* `map` as above: '0' is a page of zeros that takes room. The last page is cut short by `cut`. */
static void write_pages(const char *path, const char *map, size_t cut)
{
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char page[PAGE];

    for (size_t i = 0; map[i]; i++) {
        memset(page, map[i] == '0' ? 0 : map[i], sizeof page);
        if (map[i] != '.')
            must(pwrite(fd, page, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE, path);
    }
    must(ftruncate(fd, (off_t)(strlen(map) * PAGE - cut)) == 0, path);
}

static void assert_same_bytes(const char *a, const char *b)
{
    struct error err = {0};
    auto_text struct text bytes = {0};
    auto_text struct text others = {0};

    assert_succeeds(file_read(AT_FDCWD, a, TEXT_MAX, &bytes, NULL, &err));
    assert_succeeds(file_read(AT_FDCWD, b, TEXT_MAX, &others, NULL, &err));
    assert_true(text_equals(&bytes, others.data, others.len));
}

static void check_copy_of(struct fixture *fixture, const char *map, size_t cut,
                          const char *expected)
{
    struct error err = {0};
    const struct guard guard = {0};
    auto_made struct made made = {0};
    auto_text struct text holes = {0};

    write_pages(fixture_memory(fixture).text, map, cut);
    assert_succeeds(create(fixture, CAPTURE_COPY, &made, &err));
    map_holes(captured(fixture).text, &holes);
    assert_string_equal(text_str(&holes), expected);
    assert_same_bytes(fixture_memory(fixture).text, captured(fixture).text);
    assert_true(disk_stat(captured(fixture).text).st_blocks
                <= disk_stat(fixture_memory(fixture).text).st_blocks);
    assert_succeeds(snapshot_delete(fixture->service, ID, &guard, &err));
}

static void a_copy_keeps_holes_and_makes_zero_pages_into_holes(void **state)
{
    static const struct {
        const char *map;
        size_t cut;
        const char *expected;
    } cases[] = {
        {"....",     0,        "...."    },
        {"mmmm",     0,        "####"    },
        {"m..m",     0,        "#..#"    },
        {".m.m",     0,        ".#.#"    },
        {"m0m0",     0,        "#.#."    },
        {"0000",     0,        "...."    },
        {"0m..0m0.", 0,        ".#...#.."},
        {"mm",       PAGE - 1, "##"      },
        {"m0",       PAGE - 1, "#."      },
        {"m.",       7,        "#."      },
        {"m",        PAGE - 1, "#"       },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_copy_of(*state, cases[i].map, cases[i].cut, cases[i].expected);
}

static void a_large_copy_keeps_every_byte(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};
    struct path memory = fixture_memory(*state);
    auto_fd int fd = open(memory.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    /* Data across the pieces that a copy is made in, and at odd places. */
    for (off_t at = 4093; at < (off_t)MEMORY_SIZE; at += 33333)
        must(pwrite(fd, &at, sizeof at, at) == (ssize_t)sizeof at, memory.text);
    assert_succeeds(create(*state, CAPTURE_COPY, &made, &err));
    assert_same_bytes(memory.text, captured(*state).text);
}

struct resizing {
    const char *path;
    off_t size;
};

static void resize(void *context)
{
    const struct resizing *resizing = context;

    must(truncate(resizing->path, resizing->size) == 0, resizing->path);
}

/* The source changes its length when the copy reads it. */
static void check_resized(struct fixture *fixture, off_t size)
{
    struct error err = {0};
    auto_made struct made made = {0};
    struct path memory = fixture_memory(fixture);
    struct resizing resizing = {memory.text, size};
    struct fault_plan fault = {.kinds = FAULT_LOOK,
                               .only = "pread",
                               .effect = FAULT_HOOK,
                               .nth = 2,
                               .hook = resize,
                               .context = &resizing};

    disk_write(memory.text, MEMORY_SIZE, 'm');
    fault_arm(&fault);
    assert_fails(create(fixture, CAPTURE_COPY, &made, &err), ERR_IN_USE);
    assert_non_null(fault_disarm().struck);
    assert_non_null(strstr(err.message, "changed its length"));
    assert_nothing_left(fixture);
}

static void a_source_that_shrinks_while_it_is_copied_is_in_use(void **state)
{
    check_resized(*state, (off_t)(MEMORY_SIZE / 2));
    check_resized(*state, 0);
}

static void a_source_that_grows_while_it_is_copied_is_in_use(void **state)
{
    check_resized(*state, (off_t)MEMORY_SIZE * 2);
}

static void a_disk_that_fills_up_meanwhile_is_told(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};

    disk_write(fixture_memory(*state).text, MEMORY_SIZE, 'm');
    fault_arm_error("pwrite", 3, ENOSPC);
    assert_fails(create(*state, CAPTURE_COPY, &made, &err), ERR_NO_SPACE);
    assert_string_equal(fault_disarm().struck, "pwrite");
    assert_nothing_left(*state);
}

static void as_many_links_as_can_be_is_told_with_a_way_out(void **state)
{
    struct error err = {0};
    auto_made struct made made = {0};

    disk_write(fixture_memory(*state).text, PAGE, 'm');
    fault_arm_error("linkat", 1, EMLINK);
    assert_fails(create(*state, CAPTURE_LINK, &made, &err), ERR_TOO_MANY_LINKS);
    fault_disarm();
    assert_non_null(strstr(err.message, "\"isolate\""));
    assert_string_equal(err.field, "/memory_file_path");
    assert_nothing_left(*state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_link_is_the_source_itself),
        TEST(a_copy_is_independent_of_its_source),
        TEST(a_source_that_is_removed_before_it_is_linked_is_told),
        TEST(a_copy_keeps_holes_and_makes_zero_pages_into_holes),
        TEST(a_large_copy_keeps_every_byte),
        TEST(a_source_that_shrinks_while_it_is_copied_is_in_use),
        TEST(a_source_that_grows_while_it_is_copied_is_in_use),
        TEST(a_disk_that_fills_up_meanwhile_is_told),
        TEST(as_many_links_as_can_be_is_told_with_a_way_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
