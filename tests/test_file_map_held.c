/* SPDX-License-Identifier: MIT */
/* File maps that hold their file: it grows, it is cut off underneath, it cannot grow. Who changes
 * it is another descriptor, as another process would be. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "death.h"
#include "heap_fixture.h"
#include "system_fixture.h"
#include "tagheap/file_map.h"
#include "tagheap/pages.h"

static char path[] = "/tmp/test_file_map_held-XXXXXX";
static int other; /* another descriptor of the file */
static size_t page;

static th_file_map start(size_t bytes, th_file_map_mode mode) {
    th_file_map map;
    (void)snprintf(path, sizeof path, "/tmp/test_file_map_held-XXXXXX");
    page = th_pages_size();
    other = mkstemp(path);
    CHECK(other >= 0);
    unsigned char *contents = malloc(bytes + 1);
    CHECK(contents != NULL);
    fill(contents, bytes, 1);
    CHECK_EQ(pwrite(other, contents, bytes, 0), bytes);
    free(contents);
    CHECK_EQ(th_file_map_open_held(&map, path, mode), TH_OK);
    CHECK_EQ(map.bytes, bytes);
    return map;
}

static void stop(th_file_map *map) {
    th_file_map_close(map);
    CHECK(map->start == NULL && map->bytes == 0 && map->held == 0);
    CHECK_EQ(close(other), 0);
    CHECK_EQ(unlink(path), 0);
}

static uint64_t file_bytes(const th_file_map *map) {
    uint64_t bytes = UINT64_MAX;
    CHECK_EQ(th_file_map_file_bytes(map, &bytes), TH_OK);
    return bytes;
}

static size_t file_size(void) {
    struct stat about;
    memset(&about, 0, sizeof about);
    CHECK_EQ(fstat(other, &about), 0);
    return (size_t)about.st_size;
}

/* The next descriptor that would be given out. */
static int next_descriptor(void) {
    int file = dup(0);
    CHECK(file >= 0 && close(file) == 0);
    return file;
}

/* ---- a file that grows ---------------------------------------------------------------------- */

static void what_others_append_is_seen_after_a_refresh(void) {
    for (th_file_map_mode mode = TH_FILE_MAP_READ; mode < TH_FILE_MAP_MODES; mode++) {
        th_file_map map = start(100, mode);
        CHECK_EQ(file_bytes(&map), 100);
        CHECK_EQ(th_file_map_refresh(&map), TH_OK);
        CHECK_EQ(map.bytes, 100);
        CHECK_EQ(pwrite(other, "more", 4, (off_t)(5 * page)), 4);
        CHECK_EQ(file_bytes(&map), 5 * page + 4);
        CHECK_EQ(map.bytes, 100);
        if (mode == TH_FILE_MAP_COPY) {
            ((unsigned char *)map.start)[3] = 0xEE;
        }
        CHECK_EQ(th_file_map_refresh(&map), TH_OK);
        CHECK_EQ(map.bytes, 5 * page + 4);
        const unsigned char *seen = map.start;
        CHECK_EQ(memcmp(seen + 5 * page, "more", 4), 0);
        if (mode == TH_FILE_MAP_COPY) {
            CHECK_EQ(seen[3], 0xEE); /* its own change is still there, and nobody else's */
            unsigned char byte = 0;
            CHECK_EQ(pread(other, &byte, 1, 3), 1);
            CHECK(byte != 0xEE);
        } else {
            CHECK(filled(seen, 100, 1));
        }
        CHECK_EQ(may_access(map.start, true), mode != TH_FILE_MAP_READ);
        stop(&map);
    }
}

static void an_empty_file_comes_to_something(void) {
    th_file_map map = start(0, TH_FILE_MAP_SHARED);
    CHECK(map.start == NULL);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    CHECK(map.start == NULL);
    CHECK_EQ(pwrite(other, "first", 5, 0), 5);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    CHECK(map.bytes == 5 && memcmp(map.start, "first", 5) == 0);
    unsigned char *before = map.start;
    CHECK_EQ(ftruncate(other, 0), 0);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    CHECK(map.start == NULL && map.bytes == 0);
    CHECK_EQ(th_pages_commit(before, page), TH_ERR_EXHAUSTED); /* not mapped */
    CHECK_EQ(th_file_map_resize(&map, 7), TH_OK);
    CHECK(map.bytes == 7 && ((char *)map.start)[6] == 0);
    stop(&map);
}

static void it_grows_and_shrinks_its_file(void) {
    th_file_map map = start(100, TH_FILE_MAP_SHARED);
    const size_t sizes[] = {101, 3 * page, 3 * page + 1, 40 * page, 2 * page, page - 1, 1};
    size_t kept = 100;
    long without = pages_in_use() - 1;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t before = map.bytes;
        CHECK_EQ(th_file_map_resize(&map, sizes[i]), TH_OK);
        CHECK_EQ(map.bytes, sizes[i]);
        CHECK_EQ(file_size(), sizes[i]);
        kept = kept < sizes[i] ? kept : sizes[i];
        CHECK(filled(map.start, kept, 1));
        for (size_t at = before; at < sizes[i]; at++) {
            CHECK_EQ(((unsigned char *)map.start)[at], 0);
        }
        unsigned char *last = (unsigned char *)map.start + sizes[i] - 1;
        if (sizes[i] > kept) { /* what is written there is in the file */
            unsigned char found = 0;
            *last = 0x77;
            CHECK_EQ(pread(other, &found, 1, (off_t)(sizes[i] - 1)), 1);
            CHECK_EQ(found, 0x77);
            *last = 0;
        }
        CHECK(tools_take_pages() ||
              pages_in_use() - without == (long)(th_pages_round(sizes[i]) / page));
    }
    stop(&map);
}

/* The space of a file with holes is taken at once. */
static void holes_are_filled_at_the_same_size(void) {
    th_file_map map = start(1, TH_FILE_MAP_SHARED);
    struct stat about;
    memset(&about, 0, sizeof about);
    CHECK_EQ(ftruncate(other, (off_t)(64 * page)), 0);
    CHECK_EQ(th_file_map_resize(&map, 64 * page), TH_OK);
    CHECK_EQ(map.bytes, 64 * page);
    CHECK_EQ(fstat(other, &about), 0);
    CHECK((uint64_t)about.st_blocks * 512 >= 64 * page);
    stop(&map);
}

/* ---- a file that is cut off ----------------------------------------------------------------- */

static unsigned char *byte_to_read;

static bool is_ended_by_sigbus(void *context) {
    (void)context;
    (void)signal(SIGBUS, SIG_DFL);
    volatile unsigned char value = *(volatile unsigned char *)byte_to_read;
    (void)value;
    return true;
}

static void truncation_is_noticed_before_it_hurts(void) {
    for (th_file_map_mode mode = TH_FILE_MAP_READ; mode < TH_FILE_MAP_MODES; mode++) {
        th_file_map map = start(4 * page, mode);
        unsigned char *first = map.start, copy[8];
        size_t copied = 99;
        CHECK_EQ(ftruncate(other, (off_t)(page + 10)), 0);
        CHECK_EQ(file_bytes(&map), page + 10); /* asked, it says so */
        byte_to_read = first + 2 * page;
        CHECK(
            !holds_in_child(is_ended_by_sigbus, NULL)); /* what would happen to who does not ask */
        th_status expected = mode == TH_FILE_MAP_COPY ? TH_ERR_UNSUPPORTED : TH_ERR_TOO_SMALL;
        CHECK_EQ(th_file_map_read(&map, 2 * page, copy, sizeof copy, &copied), expected);
        CHECK_EQ(copied, 0);
        CHECK_EQ(th_file_map_read(&map, page + 6, copy, sizeof copy, &copied), expected);
        CHECK_EQ(copied, mode == TH_FILE_MAP_COPY ? 0 : 4);
        CHECK_EQ(th_file_map_refresh(&map), TH_OK);
        CHECK_EQ(map.bytes, page + 10);
        CHECK(filled(map.start, page + 10, 1));
        CHECK(!may_access((unsigned char *)map.start + 2 * page, false));
        stop(&map);
    }
}

static void reads_go_past_the_map(void) {
    th_file_map map = start(3 * page, TH_FILE_MAP_READ);
    unsigned char *copy = malloc(3 * page + 1), *whole = malloc(3 * page);
    size_t copied = 0;
    CHECK(copy != NULL && whole != NULL);
    memcpy(whole, map.start, 3 * page);
    memset(copy, 0xAA, 3 * page + 1);
    CHECK_EQ(th_file_map_read(&map, 5, copy, 3 * page - 5, &copied), TH_OK);
    CHECK_EQ(copied, 3 * page - 5);
    CHECK_EQ(memcmp(copy, whole + 5, 3 * page - 5), 0);
    CHECK_EQ(copy[3 * page - 5], 0xAA);
    CHECK_EQ(th_file_map_read(&map, 0, copy, 3 * page + 1, &copied), TH_ERR_TOO_SMALL);
    CHECK_EQ(copied, 3 * page);
    CHECK_EQ(copy[3 * page], 0xAA);
    CHECK_EQ(th_file_map_read(&map, 3 * page, copy, 0, NULL), TH_OK);
    CHECK_EQ(th_file_map_read(&map, 3 * page, copy, 1, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(pwrite(other, "x", 1, (off_t)(3 * page)), 1); /* which the map does not have */
    CHECK_EQ(th_file_map_read(&map, 3 * page, copy, 1, NULL), TH_OK);
    CHECK_EQ(copy[0], 'x');
    free(copy);
    free(whole);
    stop(&map);
}

/* ---- what is refused ------------------------------------------------------------------------ */

/* Whether somebody asks how many bytes were copied, or not. */
static void expect_nothing_read(const th_file_map *map, size_t from, void *to, size_t bytes,
                                th_status expected) {
    size_t copied = 99;
    CHECK_EQ(th_file_map_read(map, from, to, bytes, NULL), expected);
    CHECK_EQ(th_file_map_read(map, from, to, bytes, &copied), expected);
    CHECK_EQ(copied, 0);
}

static void what_holds_no_file_says_so(void) {
    th_file_map held = start(100, TH_FILE_MAP_SHARED), map;
    uint64_t bytes = 7;
    char byte;
    CHECK_EQ(th_file_map_open(&map, path, TH_FILE_MAP_SHARED), TH_OK);
    CHECK_EQ(th_file_map_file_bytes(&map, &bytes), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_file_map_refresh(&map), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_file_map_resize(&map, 200), TH_ERR_UNSUPPORTED);
    expect_nothing_read(&map, 0, &byte, 1, TH_ERR_UNSUPPORTED);
    CHECK_EQ(bytes, 7);
    CHECK_EQ(file_size(), 100);
    th_file_map_close(&map);
    CHECK_EQ(th_file_map_file_bytes(NULL, &bytes), TH_ERR_NULL);
    CHECK_EQ(th_file_map_file_bytes(&held, NULL), TH_ERR_NULL);
    CHECK_EQ(th_file_map_refresh(NULL), TH_ERR_NULL);
    CHECK_EQ(th_file_map_resize(NULL, 1), TH_ERR_NULL);
    expect_nothing_read(NULL, 0, &byte, 1, TH_ERR_NULL);
    expect_nothing_read(&held, 0, NULL, 1, TH_ERR_NULL);
    CHECK_EQ(th_file_map_open_held(NULL, path, TH_FILE_MAP_READ), TH_ERR_NULL);
    CHECK_EQ(th_file_map_open_held(&map, NULL, TH_FILE_MAP_READ), TH_ERR_NULL);
    CHECK_EQ(th_file_map_open_held(&map, "/tmp", TH_FILE_MAP_READ), TH_ERR_CONFIG);
    CHECK_EQ(th_file_map_open_held(&map, path, TH_FILE_MAP_MODES), TH_ERR_CONFIG);
    stop(&held);
}

static void sizes_that_cannot_be(void) {
    th_file_map map = start(100, TH_FILE_MAP_SHARED);
    unsigned char *before = map.start;
    char byte;
    CHECK_EQ(th_file_map_resize(&map, 0), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_file_map_resize(&map, SIZE_MAX), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_file_map_resize(&map, (size_t)PTRDIFF_MAX - page + 2), TH_ERR_TOO_LARGE);
    expect_nothing_read(&map, SIZE_MAX, &byte, 1, TH_ERR_TOO_LARGE);
    expect_nothing_read(&map, PTRDIFF_MAX, &byte, 1, TH_ERR_TOO_LARGE);
    expect_nothing_read(&map, 1, &byte, PTRDIFF_MAX, TH_ERR_TOO_LARGE);
    CHECK(map.start == before && map.bytes == 100 && filled(before, 100, 1));
    CHECK_EQ(file_size(), 100);
    stop(&map);
    map = start(100, TH_FILE_MAP_READ);
    CHECK_EQ(th_file_map_resize(&map, 200), TH_ERR_UNSUPPORTED);
    stop(&map);
    map = start(100, TH_FILE_MAP_COPY);
    CHECK_EQ(th_file_map_resize(&map, 200), TH_ERR_UNSUPPORTED);
    stop(&map);
}

/* A file without contents, as long as no memory is. */
static void a_file_may_become_too_large(void) {
    char name[64];
    th_file_map map;
    int file = memfd_create("sparse", 0);
    page = th_pages_size();
    CHECK(file >= 0 && ftruncate(file, 100) == 0);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    CHECK_EQ(th_file_map_open_held(&map, name, TH_FILE_MAP_SHARED), TH_OK);
    unsigned char *before = map.start;
    CHECK_EQ(ftruncate(file, (off_t)((size_t)PTRDIFF_MAX - page + 2)), 0);
    CHECK_EQ(file_bytes(&map), (size_t)PTRDIFF_MAX - page + 2);
    CHECK_EQ(th_file_map_refresh(&map), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_file_map_resize(&map, 200), TH_ERR_TOO_LARGE);
    CHECK(map.start == before && map.bytes == 100);
    CHECK_EQ(ftruncate(file, 200), 0);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    CHECK_EQ(map.bytes, 200);
    th_file_map_close(&map);
    CHECK_EQ(close(file), 0);
}

static void one_descriptor_is_held_until_close(void) {
    int next = next_descriptor();
    th_file_map map = start(100, TH_FILE_MAP_SHARED);
    int held = map.held - 1;
    CHECK(fcntl(held, F_GETFD) == FD_CLOEXEC);
    CHECK_EQ(th_file_map_resize(&map, 5 * page), TH_OK);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    stop(&map);
    CHECK_EQ(next_descriptor(), next);
    CHECK_EQ(fcntl(held, F_GETFD), -1);
}

/* The lowest descriptor is one like the others. */
static bool holds_the_lowest(void *context) {
    th_file_map map;
    uint64_t bytes = 0;
    (void)context;
    (void)close(0);
    bool good = th_file_map_open_held(&map, path, TH_FILE_MAP_SHARED) == TH_OK &&
                fcntl(0, F_GETFD) >= 0 && th_file_map_file_bytes(&map, &bytes) == TH_OK &&
                bytes == 100 && th_file_map_resize(&map, 200) == TH_OK;
    th_file_map_close(&map);
    return good && fcntl(0, F_GETFD) < 0;
}

static void the_lowest_descriptor_is_held(void) {
    th_file_map map = start(100, TH_FILE_MAP_SHARED);
    CHECK(holds_in_child(holds_the_lowest, NULL));
    CHECK_EQ(file_size(), 200);
    stop(&map);
}

/* Instrumented builds have system calls of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void every_refusal_leaves_map_and_file(void) {}
static void a_read_goes_on_where_it_was_cut_short(void) {}
static void signals_refuse_nothing(void) {}
static void a_copy_that_cannot_follow_stays(void) {}

#else

static bool refuses_fstat, refuses_mremap, refuses_fallocate, refuses_ftruncate, refuses_pread;
static bool refuses_mmap, half_fallocate;
static unsigned interruptions;               /* so many calls, from now on */
static off_t uninterrupted_most = INT64_MAX; /* bytes of space: more is interrupted, always */
static size_t pread_max = SIZE_MAX;
static int fallocate_refusal = ENOSPC;
static off_t space_taken; /* from the beginning of the file on, without a hole */

static int refuse(int reason) {
    errno = reason;
    return -1;
}

int fstat(int file, struct stat *about) {
    return refuses_fstat ? refuse(EIO) : fstatat(file, "", about, AT_EMPTY_PATH);
}

void *mremap(void *pages, size_t bytes, size_t bytes_new, int flags, ...) {
    if (refuses_mremap) {
        (void)refuse(ENOMEM);
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mremap, pages, bytes, bytes_new, flags, NULL);
}

void *mmap(void *pages, size_t bytes, int protection, int flags, int file, off_t offset) {
    if (refuses_mmap) {
        (void)refuse(ENOMEM);
        return MAP_FAILED;
    }
    return system_mmap(pages, bytes, protection, flags, file, offset);
}

static bool is_interrupted(void) {
    bool is = interruptions > 0;
    interruptions -= is;
    return is;
}

static int cut(int file, off_t bytes) {
    if (is_interrupted()) {
        return refuse(EINTR);
    }
    return refuses_ftruncate ? refuse(EPERM) : (int)syscall(SYS_ftruncate, file, (long)bytes);
}

/* A disk that is full after a part of it. */
static int allocate(int file, off_t from, off_t bytes) {
    if (bytes > uninterrupted_most || is_interrupted()) {
        static unsigned calls;
        return ++calls < 100 ? EINTR : EIO; /* rather than for ever */
    }
    if (half_fallocate) {
        CHECK_EQ(cut(file, from + bytes / 2), 0);
    }
    if (refuses_fallocate || half_fallocate) {
        return fallocate_refusal;
    }
    space_taken = from == space_taken ? from + bytes : -1;
    return fallocate(file, 0, from, bytes) == 0 ? 0 : errno;
}

static ssize_t read_at(int file, void *to, size_t bytes, off_t from) {
    if (refuses_pread || is_interrupted()) {
        return refuse(refuses_pread ? EIO : EINTR);
    }
    return (ssize_t)syscall(SYS_pread64, file, to, bytes < pread_max ? bytes : pread_max,
                            (long)from, 0L); /* 32 bits: the low half and the high one */
}

int ftruncate(int file, off_t bytes) {
    return cut(file, bytes);
}

int posix_fallocate(int file, off_t from, off_t bytes) {
    return allocate(file, from, bytes);
}

ssize_t pread(int file, void *to, size_t bytes, off_t from) {
    return read_at(file, to, bytes, from);
}

static void expect_as_it_was(const th_file_map *map, const void *before, size_t file_bytes_before) {
    CHECK(map->start == before && map->bytes == 100 && filled(before, 100, 1));
    CHECK_EQ(file_size(), file_bytes_before);
}

static void every_refusal_leaves_map_and_file(void) {
    th_file_map map = start(100, TH_FILE_MAP_SHARED);
    const void *before = map.start;
    bool *const refusals[] = {&refuses_mremap, &refuses_fallocate, &half_fallocate};
    static const int reasons[] = {ENOMEM, ENOSPC, ENOSPC};
    for (size_t i = 0; i < 3; i++) {
        *refusals[i] = true;
        errno = 0;
        th_status status = th_file_map_resize(&map, 9 * page);
        int reason = errno;
        *refusals[i] = false;
        CHECK_EQ(status, TH_ERR_EXHAUSTED);
        CHECK_EQ(reason, reasons[i]);
        expect_as_it_was(&map, before, 100);
    }
    refuses_fallocate = refuses_ftruncate = true; /* what cannot be undone hides no reason */
    errno = 0;
    th_status status = th_file_map_resize(&map, 9 * page);
    int reason = errno;
    refuses_fallocate = refuses_ftruncate = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(reason, ENOSPC);
    expect_as_it_was(&map, before, 100);
    refuses_ftruncate = true;
    status = th_file_map_resize(&map, 50);
    refuses_ftruncate = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    expect_as_it_was(&map, before, 100);
    refuses_fstat = true;
    uint64_t bytes = 7;
    th_status asked = th_file_map_file_bytes(&map, &bytes);
    th_status followed = th_file_map_refresh(&map);
    th_status grown = th_file_map_resize(&map, 200);
    refuses_fstat = false;
    CHECK(asked == TH_ERR_EXHAUSTED && followed == TH_ERR_EXHAUSTED && grown == TH_ERR_EXHAUSTED);
    CHECK_EQ(bytes, 7);
    expect_as_it_was(&map, before, 100);
    CHECK_EQ(ftruncate(other, (off_t)(3 * page)), 0);
    refuses_mremap = true;
    status = th_file_map_refresh(&map);
    refuses_mremap = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    expect_as_it_was(&map, before, 3 * page);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK); /* when the system has room again */
    CHECK(map.bytes == 3 * page && filled(map.start, 100, 1));
    refuses_mremap = true; /* what cannot be followed stays cut off */
    status = th_file_map_resize(&map, page);
    refuses_mremap = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(map.bytes, 3 * page);
    CHECK_EQ(file_size(), page);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    CHECK_EQ(map.bytes, page);
    stop(&map);
    map = start(0, TH_FILE_MAP_SHARED);
    refuses_mmap = true;
    status = th_file_map_resize(&map, page);
    refuses_mmap = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK(map.start == NULL && map.bytes == 0 && file_size() == 0);
    stop(&map);
}

static void a_read_goes_on_where_it_was_cut_short(void) {
    th_file_map map = start(100, TH_FILE_MAP_READ);
    unsigned char copy[100];
    size_t copied = 0;
    pread_max = 7;
    th_status status = th_file_map_read(&map, 0, copy, sizeof copy, &copied);
    pread_max = SIZE_MAX;
    CHECK_EQ(status, TH_OK);
    CHECK(copied == 100 && filled(copy, 100, 1));
    refuses_pread = true;
    status = th_file_map_read(&map, 0, copy, sizeof copy, &copied);
    refuses_pread = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(copied, 0);
    interruptions = 3;
    CHECK_EQ(th_file_map_read(&map, 0, copy, sizeof copy, &copied), TH_OK);
    CHECK(copied == 100 && filled(copy, 100, 1) && interruptions == 0);
    stop(&map);
}

/* A signal that comes while the system works is no reason to fail, nor one that always comes when
 * that takes long; nothing is lost of a reason that is one. */
static void signals_refuse_nothing(void) {
    th_file_map map = start(100, TH_FILE_MAP_SHARED);
    interruptions = 3;
    CHECK_EQ(th_file_map_resize(&map, 9 * page + 1), TH_OK);
    CHECK(interruptions == 0 && map.bytes == 9 * page + 1 && file_size() == 9 * page + 1);
    interruptions = 3;
    CHECK_EQ(th_file_map_resize(&map, 100), TH_OK);
    CHECK(interruptions == 0 && filled(map.start, 100, 1) && file_size() == 100);
    uninterrupted_most = (off_t)(2 * page - 1);
    space_taken = 0;
    errno = EDOM;
    th_status status = th_file_map_resize(&map, 9 * page + 1);
    CHECK_EQ(errno, EDOM); /* nobody's but a failure's */
    uninterrupted_most = INT64_MAX;
    CHECK_EQ(status, TH_OK);
    CHECK_EQ(space_taken, 9 * page + 1);
    CHECK(filled(map.start, 100, 1) && file_size() == 9 * page + 1);
    struct stat about;
    memset(&about, 0, sizeof about);
    CHECK(fstat(other, &about) == 0 && (uint64_t)about.st_blocks * 512 >= 9 * page + 1);
    interruptions = 1;
    refuses_fallocate = true;
    status = th_file_map_resize(&map, 10 * page);
    refuses_fallocate = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK(errno == ENOSPC && interruptions == 0 && file_size() == 9 * page + 1);
    refuses_fallocate = true;
    fallocate_refusal = EPERM; /* of a sealed file */
    status = th_file_map_resize(&map, 10 * page);
    CHECK_EQ(errno, EPERM);
    refuses_fallocate = false;
    fallocate_refusal = ENOSPC;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    stop(&map);
    char fresh[sizeof path + 4];
    (void)snprintf(fresh, sizeof fresh, "%s-new", path);
    interruptions = 2;
    CHECK_EQ(th_file_map_open_new(&map, fresh, 3 * page), TH_OK);
    CHECK(interruptions == 0 && map.bytes == 3 * page);
    th_file_map_close(&map);
    CHECK_EQ(unlink(fresh), 0);
}

/* What cannot be read leaves the copy as it was. */
static void a_copy_that_cannot_follow_stays(void) {
    th_file_map map = start(100, TH_FILE_MAP_COPY);
    const void *before = map.start;
    CHECK_EQ(pwrite(other, "added", 5, 100), 5);
    refuses_pread = true;
    th_status status = th_file_map_refresh(&map);
    refuses_pread = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    expect_as_it_was(&map, before, 105);
    CHECK_EQ(th_file_map_refresh(&map), TH_OK);
    CHECK(map.bytes == 105 && memcmp((char *)map.start + 100, "added", 5) == 0);
    stop(&map);
}

#endif

/* The page in which it ended is its own from the first write on, and does not show what was added;
 * what a copy shows is the whole file all the same. */
static void a_copy_sees_what_was_added_behind_what_it_wrote(void) {
    enum { ADDED_MOST = 3 * 65536 };
    static char added[ADDED_MOST];
    static const char written = 'Y';
    memset(added, 'b', sizeof added);
    for (unsigned is_written = 0; is_written < 2; is_written++) {
        for (size_t more = 10; more <= 2 * page; more += 2 * page - 10) {
            th_file_map map = start(page + 100, TH_FILE_MAP_COPY);
            unsigned char *own = (unsigned char *)map.start + page + 99;
            *own = is_written ? (unsigned char)written : *own;
            CHECK_EQ(pwrite(other, added, more, (off_t)(page + 100)), more);
            CHECK_EQ(th_file_map_refresh(&map), TH_OK);
            CHECK_EQ(map.bytes, page + 100 + more);
            const char *now = map.start;
            CHECK(memcmp(now + page + 100, added, more) == 0);
            CHECK(filled(map.start, page + 99, 1));
            CHECK(!is_written || now[page + 99] == written);
            CHECK_EQ(ftruncate(other, (off_t)(page + 50)),
                     0); /* and what was, is not shown again */
            CHECK_EQ(th_file_map_refresh(&map), TH_OK);
            CHECK_EQ(ftruncate(other, (off_t)(page + 150)), 0);
            CHECK_EQ(th_file_map_refresh(&map), TH_OK);
            now = map.start;
            for (size_t at = page + 50; at < page + 150; at++) {
                CHECK_EQ(now[at], 0);
            }
            stop(&map);
        }
    }
}

TH_SUITE("file_map_held", TEST(what_others_append_is_seen_after_a_refresh),
         TEST(an_empty_file_comes_to_something), TEST(it_grows_and_shrinks_its_file),
         TEST(holes_are_filled_at_the_same_size), TEST(truncation_is_noticed_before_it_hurts),
         TEST(reads_go_past_the_map), TEST(what_holds_no_file_says_so), TEST(sizes_that_cannot_be),
         TEST(a_file_may_become_too_large), TEST(one_descriptor_is_held_until_close),
         TEST(the_lowest_descriptor_is_held), TEST(every_refusal_leaves_map_and_file),
         TEST(a_read_goes_on_where_it_was_cut_short), TEST(signals_refuse_nothing),
         TEST(a_copy_that_cannot_follow_stays),
         TEST(a_copy_sees_what_was_added_behind_what_it_wrote))
