/* SPDX-License-Identifier: MIT */
/* File maps, and a tagged heap that lives in one. What another process does with a file is done by
 * a child, where every map that it makes lies beside those that it has inherited, so at another
 * address. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64 /* for files that are larger than memory */

#include "tagheap/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/track.h"
#include "death.h"
#include "heap_fixture.h"
#include "tagheap/pages.h"

enum { FOLDER_BYTES = 64, PATH_BYTES = 96 };

static char folder[FOLDER_BYTES];
static char path[PATH_BYTES];

/* A folder of its own, and the name of a file in it that does not exist. */
static void start(void) {
    (void)snprintf(folder, sizeof folder, "/tmp/test_file_map-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/file", folder);
}

static void stop(void) {
    (void)unlink(path);
    CHECK_EQ(rmdir(folder), 0);
}

static void write_file(const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK_EQ(fwrite(bytes, 1, count, file), count);
    CHECK_EQ(fclose(file), 0);
}

static bool file_holds(const void *bytes, size_t count) {
    unsigned char found[64];
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && count < sizeof found);
    size_t length = fread(found, 1, sizeof found, file);
    CHECK_EQ(fclose(file), 0);
    return length == count && memcmp(found, bytes, count) == 0;
}

static th_file_map open_map(th_file_map_mode mode) {
    th_file_map map;
    CHECK_EQ(th_file_map_open(&map, path, mode), TH_OK);
    return map;
}

/* ---- a file as memory ------------------------------------------------------------------------ */

static void a_file_is_read_where_it_lies(void) {
    start();
    write_file("read me", 7);
    th_file_map map = open_map(TH_FILE_MAP_READ);
    CHECK_EQ(map.bytes, 7);
    CHECK_EQ(memcmp(map.start, "read me", 7), 0);
    CHECK_EQ((uintptr_t)map.start % th_pages_size(), 0);
    CHECK(may_access(map.start, false));
    CHECK(!may_access(map.start, true));
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(memcmp(map.start, "read me", 7), 0); /* as long as it is mapped */
    CHECK_EQ(th_file_map_flush(&map), TH_OK);
    unsigned char *start_before = map.start;
    th_file_map_close(&map);
    CHECK(map.start == NULL && map.bytes == 0);
    CHECK(!may_access(start_before, false));
    th_file_map_close(&map);
    th_file_map_close(NULL);
    stop();
}

static void a_large_file_is_whole(void) {
    start();
    size_t bytes = 5 * th_pages_size() + 3;
    unsigned char *contents = malloc(bytes);
    CHECK(contents != NULL);
    fill(contents, bytes, 9);
    write_file(contents, bytes);
    free(contents);
    th_file_map map = open_map(TH_FILE_MAP_READ);
    CHECK_EQ(map.bytes, bytes);
    CHECK(filled(map.start, bytes, 9));
    th_file_map_close(&map);
    stop();
}

static void an_empty_file_is_no_memory(void) {
    start();
    write_file("", 0);
    for (th_file_map_mode mode = TH_FILE_MAP_READ; mode < TH_FILE_MAP_MODES; mode++) {
        th_file_map map = open_map(mode);
        CHECK(map.start == NULL);
        CHECK_EQ(map.bytes, 0);
        CHECK_EQ(th_file_map_flush(&map), TH_OK);
        th_file_map_close(&map);
    }
    stop();
}

static void a_copy_never_reaches_the_file(void) {
    start();
    write_file("original", 8);
    th_file_map copy = open_map(TH_FILE_MAP_COPY);
    th_file_map other = open_map(TH_FILE_MAP_COPY);
    memcpy(copy.start, "scribble", 8);
    CHECK_EQ(th_file_map_flush(&copy), TH_OK);
    CHECK_EQ(memcmp(other.start, "original", 8), 0);
    th_file_map_close(&copy);
    th_file_map_close(&other);
    CHECK(file_holds("original", 8));
    stop();
}

static void a_shared_map_is_the_file(void) {
    start();
    th_file_map map;
    CHECK_EQ(th_file_map_open_new(&map, path, 20), TH_OK);
    static const unsigned char zeros[20];
    CHECK_EQ(map.bytes, 20);
    CHECK_EQ(memcmp(map.start, zeros, 20), 0);
    th_file_map other = open_map(TH_FILE_MAP_SHARED);
    CHECK(other.start != map.start);
    memcpy(map.start, "twenty bytes, all of", 20);
    CHECK_EQ(memcmp(other.start, "twenty bytes, all of", 20), 0);
    CHECK_EQ(th_file_map_flush(&map), TH_OK);
    th_file_map_close(&map);
    ((char *)other.start)[0] = 'T';
    th_file_map_close(&other);
    CHECK(file_holds("Twenty bytes, all of", 20));
    struct stat about = {0}; /* MSan does not see that stat writes it */
    CHECK_EQ(stat(path, &about), 0);
    CHECK_EQ(about.st_mode & 0777, 0600);
    stop();
}

/* The number of the next descriptor. */
static int next_descriptor(void) {
    int file = open("/dev/null", O_RDONLY);
    CHECK(file >= 0);
    CHECK_EQ(close(file), 0);
    return file;
}

static void no_descriptor_is_held(void) {
    start();
    int next = next_descriptor();
    th_file_map map;
    CHECK_EQ(th_file_map_open_new(&map, path, 20), TH_OK);
    CHECK_EQ(next_descriptor(), next);
    th_file_map_close(&map);
    map = open_map(TH_FILE_MAP_SHARED);
    CHECK_EQ(next_descriptor(), next);
    th_file_map_close(&map);
    CHECK_EQ(th_file_map_open(&map, "/dev/null", TH_FILE_MAP_READ), TH_ERR_CONFIG);
    CHECK_EQ(next_descriptor(), next);
    stop();
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void expect_open_refused(const char *name, th_file_map_mode mode, th_status expected,
                                int reason) {
    th_file_map map = {.start = folder, .bytes = 5};
    errno = 0;
    CHECK_EQ(th_file_map_open(&map, name, mode), expected);
    CHECK_EQ(errno, reason);
    CHECK(map.start == (void *)folder && map.bytes == 5);
}

static void what_is_no_file_is_refused(void) {
    start();
    expect_open_refused(path, TH_FILE_MAP_READ, TH_ERR_EXHAUSTED, ENOENT);
    expect_open_refused(path, TH_FILE_MAP_SHARED, TH_ERR_EXHAUSTED, ENOENT);
    expect_open_refused("", TH_FILE_MAP_READ, TH_ERR_EXHAUSTED, ENOENT);
    expect_open_refused(folder, TH_FILE_MAP_READ, TH_ERR_CONFIG, 0);
    expect_open_refused(folder, TH_FILE_MAP_SHARED, TH_ERR_CONFIG, EISDIR);
    expect_open_refused("/dev/null", TH_FILE_MAP_COPY, TH_ERR_CONFIG, 0);
    CHECK_EQ(mkfifo(path, 0600), 0);
    expect_open_refused(path, TH_FILE_MAP_READ, TH_ERR_CONFIG, 0); /* and nobody waits */
    CHECK_EQ(unlink(path), 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
    expect_open_refused(path, TH_FILE_MAP_READ, TH_ERR_CONFIG, ENXIO);
    CHECK_EQ(close(listener), 0);
    CHECK_EQ(unlink(path), 0);
    write_file("a file", 6);
    char below[PATH_BYTES + 8];
    (void)snprintf(below, sizeof below, "%s/below", path);
    expect_open_refused(below, TH_FILE_MAP_READ, TH_ERR_EXHAUSTED, ENOTDIR);
    expect_open_refused(NULL, TH_FILE_MAP_READ, TH_ERR_NULL, 0);
    expect_open_refused(path, TH_FILE_MAP_MODES, TH_ERR_CONFIG, 0);
    expect_open_refused(path, (th_file_map_mode)-1, TH_ERR_CONFIG, 0);
    CHECK_EQ(th_file_map_open(NULL, path, TH_FILE_MAP_READ), TH_ERR_NULL);
    stop();
}

/* A file that may be read and written, but not be mapped like that. */
static void a_map_that_the_system_refuses(void) {
    char name[FOLDER_BYTES];
    int file = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK(file >= 0);
    CHECK_EQ(ftruncate(file, 100), 0);
    CHECK_EQ(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    expect_open_refused(name, TH_FILE_MAP_SHARED, TH_ERR_EXHAUSTED, EPERM);
    th_file_map map;
    CHECK_EQ(th_file_map_open(&map, name, TH_FILE_MAP_COPY), TH_OK);
    CHECK_EQ(map.bytes, 100);
    th_file_map_close(&map);
    CHECK_EQ(close(file), 0);
}

/* A file without contents that is as long as that. */
static int make_sparse(off_t bytes) {
    int file = memfd_create("sparse", 0);
    CHECK(file >= 0);
    CHECK_EQ(ftruncate(file, bytes), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return file;
}

/* Sizes of files are wider than addresses, or as wide; what is cut off must not be forgotten. */
static void a_file_is_mapped_whole_or_not_at_all(void) {
    const uint64_t bytes = (UINT64_C(1) << 32) + 100;
    int file = make_sparse((off_t)bytes);
    for (th_file_map_mode mode = TH_FILE_MAP_READ; mode < TH_FILE_MAP_MODES; mode++) {
        if (bytes > PTRDIFF_MAX) {
            expect_open_refused(path, mode, TH_ERR_TOO_LARGE, 0);
        } else if (!TH_TRACK_ANY) { /* which have no addresses for so much */
            th_file_map map = open_map(mode);
            CHECK_EQ(map.bytes, bytes);
            CHECK_EQ(((unsigned char *)map.start)[map.bytes - 1], 0);
            th_file_map_close(&map);
        }
    }
    CHECK_EQ(close(file), 0);
    off_t last = (off_t)(PTRDIFF_MAX - th_pages_size() + 1); /* whole pages have addresses */
    file = make_sparse(last);
    th_file_map largest;
    th_status status = th_file_map_open(&largest, path, TH_FILE_MAP_READ);
    CHECK(status == TH_ERR_EXHAUSTED || (status == TH_OK && largest.bytes == (size_t)last));
    if (status == TH_OK) {
        th_file_map_close(&largest);
    }
    CHECK_EQ(ftruncate(file, last + 1), 0);
    expect_open_refused(path, TH_FILE_MAP_READ, TH_ERR_TOO_LARGE, 0);
    CHECK_EQ(ftruncate(file, PTRDIFF_MAX), 0);
    expect_open_refused(path, TH_FILE_MAP_READ, TH_ERR_TOO_LARGE, 0);
    CHECK_EQ(close(file), 0);
}

/* Instrumented builds have an fstat of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void a_file_that_tells_nothing_is_refused(void) {}

#else

static bool refuses_fstat;

int fstat(int file, struct stat *about) {
    if (refuses_fstat) {
        errno = EOVERFLOW;
        return -1;
    }
    return fstatat(file, "", about, AT_EMPTY_PATH);
}

static void a_file_that_tells_nothing_is_refused(void) {
    start();
    write_file("a file", 6);
    refuses_fstat = true;
    expect_open_refused(path, TH_FILE_MAP_READ, TH_ERR_EXHAUSTED, EOVERFLOW);
    CHECK_EQ(unlink(path), 0);
    th_file_map map = {.start = folder, .bytes = 5};
    errno = 0;
    th_status status = th_file_map_open_new(&map, path, 100);
    int reason = errno;
    refuses_fstat = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(reason, EOVERFLOW);
    CHECK(map.start == (void *)folder && map.bytes == 5);
    CHECK(access(path, F_OK) != 0);
    stop();
}

#endif

static void expect_create_refused(const char *name, size_t bytes, th_status expected, int reason) {
    th_file_map map = {.start = folder, .bytes = 5};
    errno = 0;
    CHECK_EQ(th_file_map_open_new(&map, name, bytes), expected);
    CHECK_EQ(errno, reason);
    CHECK(map.start == (void *)folder && map.bytes == 5);
}

static void files_that_cannot_be_made(void) {
    start();
    char nowhere[PATH_BYTES + 8];
    (void)snprintf(nowhere, sizeof nowhere, "%s/none/file", folder);
    expect_create_refused(nowhere, 100, TH_ERR_EXHAUSTED, ENOENT);
    expect_create_refused(path, 0, TH_ERR_TOO_SMALL, 0);
    expect_create_refused(path, (size_t)PTRDIFF_MAX - th_pages_size() + 2, TH_ERR_TOO_LARGE, 0);
    expect_create_refused(path, (size_t)PTRDIFF_MAX + 1, TH_ERR_TOO_LARGE, 0);
    expect_create_refused(path, SIZE_MAX, TH_ERR_TOO_LARGE, 0);
    expect_create_refused(NULL, 100, TH_ERR_NULL, 0);
    CHECK_EQ(th_file_map_open_new(NULL, path, 100), TH_ERR_NULL);
    CHECK(access(path, F_OK) != 0);
    write_file("precious", 8);
    expect_create_refused(path, 100, TH_ERR_EXHAUSTED, EEXIST);
    CHECK(file_holds("precious", 8));
    stop();
}

/* A file may be no larger than that. */
static void a_file_that_does_not_fit_is_not_left_behind(void) {
    start();
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {.rlim_cur = 1 << 16, .rlim_max = limit.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    th_file_map map = {.start = folder, .bytes = 5};
    th_status status = th_file_map_open_new(&map, path, (1 << 16) + 1);
    int reason = errno;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, before);
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(reason, EFBIG);
    CHECK(map.start == (void *)folder && map.bytes == 5);
    CHECK(access(path, F_OK) != 0);
    stop();
}

static void a_flush_in_vain_is_told(void) {
    unsigned char *pages = th_pages_map(2, 0);
    const th_file_map no_page = {.start = pages + 1, .bytes = 1}; /* the system wants a page */
    CHECK_EQ(th_file_map_flush(&no_page), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_file_map_flush(NULL), TH_ERR_NULL);
    CHECK_EQ(th_pages_release(pages, 2), TH_OK);
}

/* ---- a heap in a file ------------------------------------------------------------------------ */

enum { REGION_BYTES = 8000 };

/* What stands in the file. */
typedef struct image {
    th_heap heap; /* as it was detached */
    _Alignas(16) unsigned char region[REGION_BYTES];
} image;

static th_heap attach(const th_file_map *map) {
    image *file = map->start;
    CHECK_EQ(map->bytes, sizeof *file);
    th_heap heap = file->heap;
    heap.config = (th_heap_config){0}; /* its hooks were another process's */
    CHECK_EQ(th_heap_attach(&heap, file->region), TH_OK);
    validate_heap(&heap, 16);
    return heap;
}

static void save(th_heap *heap, th_file_map *map) {
    image *file = map->start;
    th_heap_detach(heap);
    memcpy(&file->heap, heap, sizeof *heap);
    CHECK_EQ(th_file_map_flush(map), TH_OK);
    th_file_map_close(map);
}

/* What another process does: it finds the blocks at other addresses, and leaves work behind. */
static bool go_on(void *first_start) {
    th_file_map map;
    if (th_file_map_open(&map, path, TH_FILE_MAP_SHARED) != TH_OK || map.start == first_start) {
        return false;
    }
    th_heap heap = attach(&map);
    bool good = filled(block_tagged(&heap, 1).payload, 99, 1) &&
                filled(block_tagged(&heap, 0x4001).payload, 700, 2) &&
                th_heap_free(&heap, block_tagged(&heap, 1).payload) > 0 &&
                th_heap_compact(&heap, NULL, NULL).blocks_moved == 1;
    unsigned char *added = th_heap_alloc(&heap, 300, 3);
    if (added != NULL) {
        fill(added, 300, 3);
    }
    save(&heap, &map);
    return good && added != NULL;
}

static void a_heap_in_a_file_is_opened_elsewhere(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        start();
        th_file_map map;
        th_heap heap;
        const th_heap_config config = {.alignment = 16, .guarding.level = level};
        CHECK_EQ(th_file_map_open_new(&map, path, sizeof(image)), TH_OK);
        void *first_start = map.start;
        image *file = map.start;
        CHECK_EQ(th_heap_init(&heap, file->region, REGION_BYTES, &config), TH_OK);
        fill(th_heap_alloc(&heap, 99, 1), 99, 1);
        fill(th_heap_alloc(&heap, 40, 2), 40, 4);
        fill(th_heap_alloc_aligned(&heap, 700, 64, 0x4001), 700, 2);
        th_file_map keeps_the_place = open_map(TH_FILE_MAP_READ);
        th_heap_detach(&heap);
        memcpy(&file->heap, &heap, sizeof heap);
        CHECK(holds_in_child(go_on, first_start)); /* with our map in its way */
        th_file_map_close(&map);
        map = open_map(TH_FILE_MAP_SHARED);
        heap = attach(&map);
        CHECK(filled(block_tagged(&heap, 2).payload, 40, 4));
        CHECK(filled(block_tagged(&heap, 3).payload, 300, 3));
        CHECK(filled(block_tagged(&heap, 0x4001).payload, 700, 2));
        CHECK_EQ(th_heap_free_tags(&heap, 1, 1), 0);
        CHECK_EQ(th_heap_free_tags(&heap, 0, TH_TAG_TAIL_MAX), 3);
        th_heap_clean_up(&heap);
        th_file_map_close(&map);
        th_file_map_close(&keeps_the_place);
        stop();
    }
}

/* A file that is no heap any more is refused, and the file is as it was. */
static void a_damaged_file_is_refused(void) {
    start();
    th_file_map map;
    th_heap heap;
    CHECK_EQ(th_file_map_open_new(&map, path, sizeof(image)), TH_OK);
    image *file = map.start;
    CHECK_EQ(th_heap_init(&heap, file->region, REGION_BYTES, NULL), TH_OK);
    CHECK(th_heap_alloc(&heap, 100, 1) != NULL);
    save(&heap, &map);
    map = open_map(TH_FILE_MAP_COPY);
    file = map.start;
    file->region[4] ^= 1; /* a link */
    th_heap copy = file->heap;
    copy.config = (th_heap_config){0};
    CHECK_EQ(th_heap_attach(&copy, file->region), TH_ERR_CORRUPT);
    th_file_map_close(&map);
    map = open_map(TH_FILE_MAP_SHARED);
    file = map.start;
    copy = file->heap;
    copy.config = (th_heap_config){0};
    CHECK_EQ(th_heap_attach(&copy, file->region), TH_OK);
    th_heap_clean_up(&copy);
    th_file_map_close(&map);
    stop();
}

TH_SUITE("file_map", TEST(a_file_is_read_where_it_lies), TEST(a_large_file_is_whole),
         TEST(an_empty_file_is_no_memory), TEST(a_copy_never_reaches_the_file),
         TEST(a_shared_map_is_the_file), TEST(no_descriptor_is_held),
         TEST(what_is_no_file_is_refused), TEST(a_map_that_the_system_refuses),
         TEST(a_file_is_mapped_whole_or_not_at_all), TEST(a_file_that_tells_nothing_is_refused),
         TEST(files_that_cannot_be_made), TEST(a_file_that_does_not_fit_is_not_left_behind),
         TEST(a_flush_in_vain_is_told), TEST(a_heap_in_a_file_is_opened_elsewhere),
         TEST(a_damaged_file_is_refused))
