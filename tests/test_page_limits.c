/* SPDX-License-Identifier: MIT */
/* What the system refuses of pages, files and devices: address space, locked memory, descriptors,
 * sizes of files, mappings, a full file system. Each in a child with a limit of its own: every call
 * fails by its status, nothing is lost, and all goes on when the limit is lifted. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/atomic.h"
#include "base/track.h"
#include "death.h"
#include "limit_fixture.h"
#include "os/huge.h"
#include "suite.h"
#include "system_fixture.h"
#include "tagheap/device.h"
#include "tagheap/file_map.h"
#include "tagheap/heap.h"
#include "tagheap/huge_pages.h"
#include "tagheap/page_heap.h"
#include "tagheap/pages.h"

#define MIB ((size_t)1 << 20)

static char path[] = "/tmp/tagheap-page-limits-XXXXXX";
static size_t page;

/* The name of a file that does not exist. */
static void name_a_file(void) {
    (void)snprintf(path, sizeof path, "/tmp/tagheap-page-limits-XXXXXX");
    page = th_pages_size();
    int file = mkstemp(path);
    CHECK(file >= 0 && close(file) == 0 && unlink(path) == 0);
}

/* ---- address space ------------------------------------------------------------------------- */

/* Each way to get pages, of 4 MiB. */
static void *map_in_way(size_t way, size_t bytes) {
    switch (way) {
    case 0:
        return th_pages_map(bytes, 0);
    case 1:
        return th_pages_map(bytes, 16 * page);
    case 2:
        return th_pages_map_guarded(bytes);
    case 3:
        return th_pages_reserve(bytes, 0);
    default:
        return th_huge_pages_map(bytes, NULL);
    }
}

static th_status release_in_way(size_t way, void *pages, size_t bytes) {
    if (way == 2) {
        return th_pages_release_guarded(pages, bytes);
    }
    return way == 4 ? th_huge_pages_release(pages, bytes) : th_pages_release(pages, bytes);
}

static bool addresses_run_out(void *context) {
    enum { WAYS = 5, MOST = 64 };
    const size_t each = 4 * MIB;
    void *pages[MOST];
    (void)context;
    for (size_t way = 0; way < WAYS; way++) {
        long before = pages_in_use();
        HOLDS(limit(RLIMIT_AS, (uint64_t)before * page + 64 * MIB));
        size_t count = 0;
        while (count < MOST && (pages[count] = map_in_way(way, each)) != NULL) {
            count++;
        }
        HOLDS(count > 0 && count < 17);
        HOLDS(map_in_way(way, each) == NULL); /* and again */
        HOLDS(release_in_way(way, pages[--count], each) == TH_OK);
        pages[count] = map_in_way(way, each); /* what was given back can be had again */
        HOLDS(pages[count++] != NULL);
        HOLDS(limit(RLIMIT_AS, UNLIMITED));
        pages[count] = map_in_way(way, 64 * MIB);
        HOLDS(pages[count] != NULL);
        HOLDS(release_in_way(way, pages[count], 64 * MIB) == TH_OK);
        while (count > 0) {
            HOLDS(release_in_way(way, pages[--count], each) == TH_OK);
        }
        HOLDS(pages_in_use() == before);
    }
    return true;
}

static bool maps_run_out(void *context) {
    th_file_map map, other;
    (void)context;
    size_t files = open_files();
    HOLDS(th_file_map_open_new(&map, path, page) == TH_OK);
    th_file_map_close(&map);
    HOLDS(th_file_map_open_held(&map, path, TH_FILE_MAP_SHARED) == TH_OK);
    ((char *)map.start)[5] = 'x';
    const th_file_map as_it_was = map;
    long before = pages_in_use();
    HOLDS(limit(RLIMIT_AS, (uint64_t)before * page + 4 * MIB));
    HOLDS(th_file_map_resize(&map, 64 * MIB) == TH_ERR_EXHAUSTED);
    HOLDS(map.start == as_it_was.start && map.bytes == page && ((char *)map.start)[5] == 'x');
    uint64_t bytes = 0;
    HOLDS(th_file_map_file_bytes(&map, &bytes) == TH_OK && bytes == page);
    HOLDS(limit(RLIMIT_AS, UNLIMITED));
    HOLDS(th_file_map_resize(&map, 64 * MIB) == TH_OK);
    HOLDS(((char *)map.start)[5] == 'x');
    HOLDS(limit(RLIMIT_AS, (uint64_t)pages_in_use() * page + 4 * MIB));
    HOLDS(th_file_map_open(&other, path, TH_FILE_MAP_READ) == TH_ERR_EXHAUSTED);
    HOLDS(limit(RLIMIT_AS, UNLIMITED));
    HOLDS(th_file_map_open(&other, path, TH_FILE_MAP_READ) == TH_OK);
    th_file_map_close(&other);
    th_file_map_close(&map);
    HOLDS(open_files() == files);
    HOLDS(pages_in_use() == before - 1);
    return unlink(path) == 0;
}

static void address_space_is_limited(void) {
    name_a_file();
    CHECK(tools_take_pages() || holds_in_child(addresses_run_out, NULL));
    CHECK(tools_take_pages() || holds_in_child(maps_run_out, NULL));
    (void)unlink(path);
}

/* ---- memory to write to --------------------------------------------------------------------- */

static unsigned faults;

static void count_fault(void *context, const th_fault *fault) {
    (void)context, (void)fault;
    faults++;
}

/* What is read-only counts as little as what is reserved, until it is to be written to. */
static bool frozen_heaps_stay(void) {
    const th_heap_config config = {.guarding = {.level = 1, .on_fault = count_fault}};
    long before = pages_in_use();
    for (int round = 0; round < 2; round++) {
        th_page_heap *p = th_page_heap_create(16 * MIB, &config);
        HOLDS(p != NULL && th_heap_alloc(&p->heap, 100, 1) != NULL);
        HOLDS(th_page_heap_freeze(p) == TH_OK);
        HOLDS(limit(RLIMIT_DATA, MIB));
        HOLDS(th_page_heap_thaw(p) == TH_ERR_EXHAUSTED && faults == 0);
        HOLDS(th_heap_check(&p->heap, NULL) == TH_OK);
        HOLDS(th_heap_alloc(&p->heap, 100, 1) == NULL && faults == 1); /* it stays frozen */
        if (round == 0) {
            HOLDS(limit(RLIMIT_DATA, UNLIMITED));
            HOLDS(th_page_heap_thaw(p) == TH_OK && th_heap_alloc(&p->heap, 100, 1) != NULL);
        }
        th_page_heap_destroy(p);
        HOLDS(faults == 1 && limit(RLIMIT_DATA, UNLIMITED));
        faults = 0;
        HOLDS(pages_in_use() == before);
    }
    return true;
}

static bool data_runs_out(void *context) {
    (void)context;
    enum { RESERVING = 3, WAYS = 5 };
    const size_t each = 4 * MIB;
    th_file_map map;
    HOLDS(th_file_map_open_new(&map, path, each) == TH_OK);
    th_file_map_close(&map);
    long before = pages_in_use();
    HOLDS(limit(RLIMIT_DATA, MIB));
    for (size_t way = 0; way < WAYS; way++) {
        void *pages = map_in_way(way, each);
        HOLDS((pages != NULL) == (way == RESERVING));
        if (pages != NULL) {
            HOLDS(th_pages_commit(pages, each) == TH_ERR_EXHAUSTED);
            HOLDS(release_in_way(way, pages, each) == TH_OK);
        }
    }
    HOLDS(th_page_heap_create(each, NULL) == NULL);
    errno = 0;
    HOLDS(th_file_map_open(&map, path, TH_FILE_MAP_COPY) == TH_ERR_EXHAUSTED && errno == ENOMEM);
    HOLDS(th_file_map_open(&map, path, TH_FILE_MAP_SHARED) == TH_OK); /* which is the file's */
    th_file_map_close(&map);
    HOLDS(limit(RLIMIT_DATA, UNLIMITED) && pages_in_use() == before);
    HOLDS(unlink(path) == 0);
    return frozen_heaps_stay();
}

static void memory_to_write_to_is_limited(void) {
    name_a_file();
    CHECK(tools_take_pages() || holds_in_child(data_runs_out, NULL));
    (void)unlink(path);
}

/* ---- locked memory ------------------------------------------------------------------------- */

enum { NOBODY = 65534 };

/* Whoever may lock all he wants must become somebody else, which cannot be undone: the limit is
 * lifted as far as the hard one lets us. */
static bool locks_run_out(void *context) {
    (void)context;
    unsigned char *pages = th_pages_map(8 * page, 0);
    HOLDS(geteuid() != 0 || setuid(NOBODY) == 0);
    HOLDS(limit(RLIMIT_MEMLOCK, 2 * page));
    HOLDS(th_pages_lock(pages, 4 * page) == TH_ERR_EXHAUSTED);
    memset(pages, 1, 8 * page); /* which are what they were */
    HOLDS(th_pages_lock(pages, 2 * page) == TH_OK);
    HOLDS(th_pages_lock(pages, 2 * page) == TH_OK); /* which are locked, and count once */
    HOLDS(th_pages_lock(pages + 4 * page, page) == TH_ERR_EXHAUSTED);
    HOLDS(th_pages_unlock(pages, page) == TH_OK);
    HOLDS(th_pages_lock(pages + 4 * page, page) == TH_OK);
    HOLDS(limit(RLIMIT_MEMLOCK, 8 * page));
    HOLDS(th_pages_lock(pages, 8 * page) == TH_OK);
    HOLDS(th_pages_release(pages, 8 * page) == TH_OK);
    pages = th_pages_map(8 * page, 0); /* what was released is not locked any more */
    HOLDS(th_pages_lock(pages, 8 * page) == TH_OK);
    HOLDS(th_pages_release(pages, 8 * page) == TH_OK);
    return true;
}

static bool nothing_may_be_locked(void *context) {
    (void)context;
    unsigned char *pages = th_pages_map(page, 0);
    HOLDS(geteuid() != 0 || setuid(NOBODY) == 0);
    HOLDS(limit(RLIMIT_MEMLOCK, 0));
    HOLDS(th_pages_lock(pages, page) == TH_ERR_UNSUPPORTED);
    pages[0] = 7;
    HOLDS(th_pages_hide(pages, page) == TH_OK); /* which needs no right */
    return th_pages_release(pages, page) == TH_OK;
}

static void locked_memory_is_limited(void) {
    struct rlimit now;
    page = th_pages_size();
    CHECK_EQ(getrlimit(RLIMIT_MEMLOCK, &now), 0);
    if (tools_take_pages() || now.rlim_max < 8 * page) {
        printf("# skipped: a tool looks, or no eight pages may be locked here\n");
        return;
    }
    CHECK(holds_in_child(locks_run_out, NULL));
    CHECK(holds_in_child(nothing_may_be_locked, NULL));
}

/* ---- descriptors --------------------------------------------------------------------------- */

static bool files_run_out(void *context) {
    enum { MOST = 30 };
    th_file_map maps[MOST], held;
    th_device device;
    size_t count = 0;
    (void)context;
    char none[sizeof path + 5];
    (void)snprintf(none, sizeof none, "%s-none", path);
    size_t before = open_files();
    HOLDS(th_file_map_open_new(&held, path, page) == TH_OK);
    HOLDS(limit(RLIMIT_NOFILE, 20));
    while (count < MOST && th_file_map_open_held(&maps[count], path, TH_FILE_MAP_READ) == TH_OK) {
        count++;
    }
    HOLDS(errno == EMFILE && count > 0 && count <= 20);
    HOLDS(th_file_map_open(&maps[count], path, TH_FILE_MAP_READ) == TH_ERR_EXHAUSTED);
    HOLDS(th_device_open(&device, path, 0, 8, TH_DEVICE_READ) == TH_ERR_EXHAUSTED);
    HOLDS(th_file_map_open_new(&maps[count], none, 1) == TH_ERR_EXHAUSTED);
    /* Valgrind makes it, and then says that there is no number for it. */
    HOLDS(access(none, F_OK) != 0 || (TH_TRACK_VALGRIND && unlink(none) == 0));
    HOLDS(th_file_map_refresh(&maps[0]) == TH_OK); /* which has its own already */
    th_file_map_close(&maps[--count]);
    HOLDS(th_device_open(&device, path, 0, 8, TH_DEVICE_READ) == TH_OK); /* and gives it back */
    HOLDS(th_file_map_open_held(&maps[count], path, TH_FILE_MAP_READ) == TH_OK);
    count++;
    HOLDS(limit(RLIMIT_NOFILE, 60));
    HOLDS(th_file_map_open_held(&maps[count], path, TH_FILE_MAP_READ) == TH_OK);
    count++;
    while (count > 0) {
        th_file_map_close(&maps[--count]);
    }
    th_device_close(&device);
    th_file_map_close(&held);
    HOLDS(open_files() == before);
    return unlink(path) == 0;
}

/* The size of huge pages is read from a file. */
static bool huge_pages_cannot_be_asked_for(void *context) {
    size_t known;
    const bool *is_mapped = context;
    long before = pages_in_use();
    HOLDS(th_huge_ask_size(&known) && limit(RLIMIT_NOFILE, 0));
    HOLDS(th_huge_pages_size() == 0 && th_huge_pages_round(1) == page);
    th_huge_pages_kind kind = TH_HUGE_PAGES_POOL;
    void *pages = *is_mapped ? th_huge_pages_map(1, &kind) : NULL;
    HOLDS(!*is_mapped || (pages != NULL && kind == TH_HUGE_PAGES_NONE));
    HOLDS(limit(RLIMIT_NOFILE, 60));
    HOLDS(th_huge_pages_size() == (*is_mapped ? 0 : known));
    HOLDS(!*is_mapped || th_huge_pages_release(pages, 1) == TH_OK);
    HOLDS(limit(RLIMIT_NOFILE, 0));
    HOLDS(th_huge_pages_size() == (*is_mapped ? 0 : known));
    HOLDS(limit(RLIMIT_NOFILE, 60));
    return tools_take_pages() || pages_in_use() == before;
}

#if TH_ATOMIC && TH_ATOMIC_STEPS

/* Another thread has its answer between a question that had none and what is made of that. */
static void ask_in_between(const volatile void *word, size_t bytes) {
    static unsigned steps;
    (void)word;
    (void)bytes;
    if (++steps == 2) {
        th_atomic_step = NULL;
        (void)limit(RLIMIT_NOFILE, 60);
        (void)th_huge_pages_size();
    }
}

static bool the_first_answer_is_everybodys(void *context) {
    size_t known;
    (void)context;
    long before = pages_in_use();
    HOLDS(th_huge_ask_size(&known) && limit(RLIMIT_NOFILE, 0));
    th_atomic_step = ask_in_between;
    void *pages = th_huge_pages_map(1, NULL);
    HOLDS(th_atomic_step == NULL && pages != NULL && th_huge_pages_size() == known);
    HOLDS((long)(th_huge_pages_round(1) / page) == pages_in_use() - before || tools_take_pages());
    HOLDS(th_huge_pages_release(pages, 1) == TH_OK);
    return tools_take_pages() || pages_in_use() == before;
}

#else

static bool the_first_answer_is_everybodys(void *context) {
    return context == NULL;
}

#endif

static void descriptors_are_limited(void) {
    name_a_file();
    CHECK(holds_in_child(files_run_out, NULL));
    bool is_mapped = true;
    CHECK(holds_in_child(huge_pages_cannot_be_asked_for, &is_mapped));
    is_mapped = false;
    CHECK(holds_in_child(huge_pages_cannot_be_asked_for, &is_mapped));
    CHECK(holds_in_child(the_first_answer_is_everybodys, NULL));
}

/* ---- sizes of files ------------------------------------------------------------------------ */

static bool files_stay_small(void *context) {
    th_file_map map;
    (void)context;
    size_t before = open_files();
    HOLDS(signal(SIGXFSZ, SIG_IGN) != SIG_ERR); /* which would end the process */
    HOLDS(th_file_map_open_new(&map, path, page) == TH_OK);
    th_file_map_close(&map);
    HOLDS(th_file_map_open_held(&map, path, TH_FILE_MAP_SHARED) == TH_OK);
    memset(map.start, 7, page);
    HOLDS(limit(RLIMIT_FSIZE, 2 * page));
    errno = 0;
    HOLDS(th_file_map_resize(&map, 3 * page) == TH_ERR_EXHAUSTED && errno == EFBIG);
    uint64_t bytes = 0;
    HOLDS(th_file_map_file_bytes(&map, &bytes) == TH_OK && bytes == page);
    HOLDS(map.bytes == page && ((char *)map.start)[page - 1] == 7);
    HOLDS(th_file_map_resize(&map, 2 * page) == TH_OK);
    HOLDS(limit(RLIMIT_FSIZE, UNLIMITED));
    HOLDS(th_file_map_resize(&map, 3 * page) == TH_OK);
    HOLDS(((char *)map.start)[page - 1] == 7 && ((char *)map.start)[3 * page - 1] == 0);
    th_file_map_close(&map);
    HOLDS(open_files() == before);
    return unlink(path) == 0;
}

static void sizes_of_files_are_limited(void) {
    name_a_file();
    CHECK(holds_in_child(files_stay_small, NULL));
    (void)unlink(path);
}

/* ---- mappings ------------------------------------------------------------------------------ */

enum { MAPPINGS_MAX = 200000 }; /* a system that has room for more is not tried */

/* Guarded pages, until the system has no room for one more mapping. */
static bool mappings_run_out(void *context) {
    (void)context;
    void **list = NULL; /* each holds the address of the one before */
    size_t count = 0;
    th_file_map map;
    HOLDS(th_file_map_open_new(&map, path, page) == TH_OK);
    th_file_map_close(&map);
    HOLDS(th_file_map_open_held(&map, path, TH_FILE_MAP_SHARED) == TH_OK);
    long before = pages_in_use();
    while (count < MAPPINGS_MAX) {
        void **pages = th_pages_map_guarded(page);
        if (pages == NULL) {
            break;
        }
        *pages = (void *)list;
        list = pages;
        count++;
    }
    if (count < MAPPINGS_MAX) {
        th_file_map other;
        th_device device;
        void **last = list;
        HOLDS(th_pages_map_guarded(page) == NULL); /* and again: the half of one is not left */
        list = *last;
        HOLDS(th_pages_release_guarded((void *)last, page) == TH_OK);
        last = th_pages_map_guarded(page); /* in its place */
        HOLDS(last != NULL);
        *last = (void *)list;
        list = last;
        th_status status = th_file_map_open(&other, path, TH_FILE_MAP_READ);
        HOLDS(status == TH_OK || status == TH_ERR_EXHAUSTED);
        if (status == TH_OK) {
            th_file_map_close(&other);
        }
        status = th_device_open(&device, path, 0, 8, TH_DEVICE_READ);
        HOLDS(status == TH_OK || status == TH_ERR_EXHAUSTED);
        if (status == TH_OK) {
            th_device_close(&device);
        }
    } else {
        printf("# this system has room for %d mappings: none of its refusals is seen\n",
               MAPPINGS_MAX);
    }
    while (list != NULL) {
        void **pages = list;
        list = *pages;
        HOLDS(th_pages_release_guarded((void *)pages, page) == TH_OK);
    }
    HOLDS(th_pages_return_kept() == 0);
    HOLDS(th_file_map_resize(&map, 3 * page) == TH_OK);
    HOLDS(pages_in_use() == before + 2);
    th_file_map_close(&map);
    return unlink(path) == 0;
}

static void mappings_are_limited(void) {
    if (tools_take_pages()) {
        printf("# skipped: a tool has mappings of its own\n");
        return;
    }
    name_a_file();
    CHECK(holds_in_child(mappings_run_out, NULL));
}

/* ---- a full file system -------------------------------------------------------------------- */

static bool write_line(const char *name, const char *line) {
    int file = open(name, O_WRONLY | O_CLOEXEC);
    size_t length = strlen(line);
    return file >= 0 && write(file, line, length) == (ssize_t)length && close(file) == 0;
}

/* A name space for file systems of our own. Who is not root becomes it in one for users, too. */
static bool go_apart(void) {
    char uids[32], gids[32];
    (void)snprintf(uids, sizeof uids, "0 %ld 1", (long)geteuid());
    (void)snprintf(gids, sizeof gids, "0 %ld 1", (long)getegid());
    return unshare(CLONE_NEWNS) == 0 ||
           (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
            write_line("/proc/self/setgroups", "deny") && write_line("/proc/self/uid_map", uids) &&
            write_line("/proc/self/gid_map", gids));
}

/* A file system of our own, of so many pages in memory. False: this process may not have one. */
static bool mount_small(const char *at, size_t pages) {
    char options[64];
    (void)snprintf(options, sizeof options, "size=%zu", pages * page);
    return go_apart() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tagheap", at, "tmpfs", 0, options) == 0;
}

enum { DISK_PAGES = 64 };

static bool fill_the_disk(const char *folder) {
    char first[64], second[64];
    th_file_map map, other;
    (void)snprintf(first, sizeof first, "%s/first", folder);
    (void)snprintf(second, sizeof second, "%s/second", folder);
    size_t before = open_files();
    errno = 0;
    HOLDS(th_file_map_open_new(&map, first, (DISK_PAGES + 1) * page) == TH_ERR_EXHAUSTED);
    HOLDS(errno == ENOSPC && access(first, F_OK) != 0 && open_files() == before);
    HOLDS(th_file_map_open_new(&map, first, DISK_PAGES / 2 * page) == TH_OK);
    th_file_map_close(&map);
    HOLDS(th_file_map_open_held(&map, first, TH_FILE_MAP_SHARED) == TH_OK);
    memset(map.start, 7, map.bytes);
    errno = 0;
    HOLDS(th_file_map_resize(&map, DISK_PAGES * 2 * page) == TH_ERR_EXHAUSTED && errno == ENOSPC);
    uint64_t bytes = 0;
    HOLDS(th_file_map_file_bytes(&map, &bytes) == TH_OK && bytes == DISK_PAGES / 2 * page);
    HOLDS(map.bytes == bytes && ((char *)map.start)[map.bytes - 1] == 7);
    HOLDS(th_file_map_open_new(&other, second, DISK_PAGES * page) == TH_ERR_EXHAUSTED);
    HOLDS(access(second, F_OK) != 0); /* and its space is there again */
    HOLDS(th_file_map_open_new(&other, second, DISK_PAGES / 4 * page) == TH_OK);
    /* A heap in a file whose space is all there writes to all of it, on a disk that is full. */
    static th_heap heap;
    HOLDS(th_heap_init(&heap, map.start, map.bytes, NULL) == TH_OK);
    HOLDS(th_file_map_resize(&map, (DISK_PAGES / 2 + DISK_PAGES) * page) == TH_ERR_EXHAUSTED);
    void *block;
    while ((block = th_heap_alloc(&heap, 1000, 1)) != NULL) {
        memset(block, 1, 1000);
    }
    HOLDS(th_heap_check(&heap, NULL) == TH_OK);
    th_heap_clean_up(&heap);
    th_file_map_close(&other);
    HOLDS(unlink(second) == 0); /* the limit is lifted */
    HOLDS(th_file_map_resize(&map, (DISK_PAGES - 4) * page) == TH_OK);
    ((char *)map.start)[map.bytes - 1] = 1;
    th_file_map_close(&map);
    HOLDS(open_files() == before && unlink(first) == 0);
    return true;
}

/* A file with holes on a disk that is full: to write to a hole is SIGBUS, which the resize to the
 * same size tells before. */
static bool a_hole_is_told(const char *folder) {
    char name[64];
    th_file_map map;
    (void)snprintf(name, sizeof name, "%s/holes", folder);
    int file = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    HOLDS(file >= 0 && ftruncate(file, (off_t)(2 * DISK_PAGES * page)) == 0);
    HOLDS(th_file_map_open_held(&map, name, TH_FILE_MAP_SHARED) == TH_OK);
    HOLDS(map.bytes == 2 * DISK_PAGES * page); /* that is no more than numbers */
    HOLDS(th_file_map_resize(&map, map.bytes) == TH_ERR_EXHAUSTED);
    HOLDS(map.bytes == 2 * DISK_PAGES * page);
    HOLDS(th_file_map_resize(&map, DISK_PAGES / 2 * page) == TH_OK);
    HOLDS(th_file_map_resize(&map, DISK_PAGES / 2 * page) == TH_OK);
    memset(map.start, 1, map.bytes);
    th_file_map_close(&map);
    HOLDS(close(file) == 0 && unlink(name) == 0);
    return true;
}

static bool play_on_a_small_disk(void *folder) {
    return mount_small(folder, DISK_PAGES) && fill_the_disk(folder) && a_hole_is_told(folder);
}

static bool may_mount(void *folder) {
    return mount_small(folder, DISK_PAGES);
}

static void a_full_disk(char *folder) {
    page = th_pages_size();
    if (tools_take_pages() || !holds_in_child(may_mount, folder)) {
        printf("# skipped: this process may not mount a file system of its own\n");
        return;
    }
    CHECK(holds_in_child(play_on_a_small_disk, folder));
}

static void disks_are_limited(void) {
    char folder[] = "/tmp/tagheap-page-limits-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    a_full_disk(folder);
    CHECK_EQ(rmdir(folder), 0);
}

static void shared_memory_is_limited(void) {
    char folder[] = "/dev/shm";
    a_full_disk(folder);
}

TH_SUITE("page_limits", TEST(address_space_is_limited), TEST(memory_to_write_to_is_limited),
         TEST(locked_memory_is_limited), TEST(descriptors_are_limited),
         TEST(sizes_of_files_are_limited), TEST(mappings_are_limited), TEST(disks_are_limited),
         TEST(shared_memory_is_limited))
