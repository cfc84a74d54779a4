/* SPDX-License-Identifier: MIT */
/* What the system itself refuses: address space, file descriptors, file sizes. Each in a child with
 * a limit of its own: every call fails by its status, nothing is lost, and all goes on when the
 * limit is lifted. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "death.h"
#include "limit_fixture.h"
#include "suite.h"
#include "tagheap/buffer.h"
#include "tagheap/file_map.h"
#include "tagheap/heap.h"
#include "tagheap/large.h"
#include "tagheap/reserve.h"
#include "tagheap/resource_pool.h"
#include "tagheap/scope.h"

/* LeakSanitizer's malloc ends the program where the system has no memory for its own tables. */
#if defined(__has_feature)
#if __has_feature(leak_sanitizer)
#define MALLOC_MAY_END 1
#endif
#endif
#ifndef MALLOC_MAY_END
#define MALLOC_MAY_END 0
#endif

static uint64_t address_space(void) {
    long pages[2] = {0, 0};
    char text[64] = {0};
    int file = open("/proc/self/statm", O_RDONLY);
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0) {
            pages[0] = strtol(text, NULL, 10);
        }
        (void)close(file);
    }
    return (uint64_t)pages[0] * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Address space is not limited where a tool looks: its own memory is there, too. */

/* ---- memory ------------------------------------------------------------------------------- */

#define MANY_BYTES ((size_t)64 << 20)

static bool memory_runs_out(void *context) {
    (void)context;
    th_large large;
    const th_large_config config = {.guarding = {.level = 1}};
    HOLDS(th_large_init(&large, &config) == TH_OK);
    HOLDS(limit(RLIMIT_AS, address_space() + MANY_BYTES));
    void *blocks[64];
    size_t count = 0;
    while (count < 64 && (blocks[count] = th_large_alloc(&large, (size_t)4 << 20)) != NULL) {
        count++;
    }
    HOLDS(count > 0 && count < 17);
    HOLDS(th_large_check(&large, NULL) == TH_OK);
    HOLDS(th_large_get_stats(&large).live == count);
    th_large_free(&large, blocks[--count]); /* what was given back can be had again */
    blocks[count] = th_large_alloc(&large, (size_t)4 << 20);
    HOLDS(blocks[count++] != NULL);
    HOLDS(limit(RLIMIT_AS, UNLIMITED));
    blocks[count] = th_large_alloc(&large, MANY_BYTES);
    HOLDS(blocks[count++] != NULL);
    for (size_t i = 0; i < count; i++) {
        th_large_free(&large, blocks[i]);
    }
    HOLDS(th_large_get_stats(&large).live == 0);
    th_large_clean_up(&large);
    return true;
}

static void address_space_can_be_exhausted(void) {
    CHECK(tools_take_pages() || holds_in_child(memory_runs_out, NULL));
}

/* A buffer over malloc, and a policy whose reserve lives on in the emergency. */
static bool a_buffer_runs_out(void *context) {
    (void)context;
    th_buffer buffer;
    const th_buffer_config config = {.backing = th_system_allocator()};
    HOLDS(th_buffer_init(&buffer, &config) == TH_OK);
    HOLDS(th_buffer_resize(&buffer, 1000) == TH_OK);
    memset(th_buffer_data(&buffer), 7, 1000);
    HOLDS(limit(RLIMIT_AS, address_space() + MANY_BYTES));
    HOLDS(th_buffer_resize(&buffer, 2 * MANY_BYTES) == TH_ERR_EXHAUSTED);
    HOLDS(th_buffer_size(&buffer) == 1000 && ((char *)th_buffer_data(&buffer))[999] == 7);
    HOLDS(limit(RLIMIT_AS, UNLIMITED));
    HOLDS(th_buffer_resize(&buffer, 2 * MANY_BYTES) == TH_OK);
    HOLDS(((char *)th_buffer_data(&buffer))[999] == 7);
    th_buffer_clean_up(&buffer);
    return true;
}

static bool a_reserve_helps(void *context) {
    (void)context;
    th_reserve reserve;
    const th_reserve_config config = {.backing = th_system_allocator(), .bytes = (size_t)16 << 20};
    HOLDS(limit(RLIMIT_AS, address_space() + MANY_BYTES));
    HOLDS(th_reserve_init(&reserve, &config) == TH_OK);
    th_allocator a = th_reserve_allocator(&reserve);
    void **last = NULL; /* each block holds the address of the one before */
    while (th_reserve_get_stats(&reserve).openings == 0) {
        void **block = th_allocator_alloc(a, (size_t)4 << 20);
        HOLDS(block != NULL); /* the one that opens it is met by it */
        *block = (void *)last;
        last = block;
    }
    HOLDS(th_reserve_refill(&reserve) == TH_ERR_EXHAUSTED);
    HOLDS(limit(RLIMIT_AS, UNLIMITED));
    HOLDS(th_reserve_refill(&reserve) == TH_OK);
    while (last != NULL) {
        void **before = *last;
        th_allocator_free(a, (void *)last);
        last = before;
    }
    th_reserve_clean_up(&reserve);
    return true;
}

static void what_is_built_on_malloc_says_so(void) {
    CHECK(tools_take_pages() || holds_in_child(a_buffer_runs_out, NULL));
    CHECK(tools_take_pages() || MALLOC_MAY_END || holds_in_child(a_reserve_helps, NULL));
}

/* ---- descriptors -------------------------------------------------------------------------- */

static th_status open_zero(void *context, uintptr_t *resource) {
    int file = open("/dev/zero", O_RDONLY);
    (void)context;
    *resource = (uintptr_t)(intptr_t)file;
    return file >= 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

static void close_file(void *context, uintptr_t resource) {
    (void)context;
    (void)close((int)resource);
}

static bool descriptors_run_out(void *context) {
    (void)context;
    th_resource_pool pool;
    th_lease leases[64];
    const th_resource_pool_config config = {.create = open_zero,
                                            .destroy = close_file,
                                            .backing = th_system_allocator(),
                                            .resources_max = 64};
    size_t before = open_files();
    HOLDS(limit(RLIMIT_NOFILE, 20));
    HOLDS(th_resource_pool_init(&pool, &config) == TH_OK);
    size_t count = 0;
    while (th_resource_pool_take(&pool, &leases[count]) == TH_OK) {
        count++;
    }
    HOLDS(count > 0 && count <= 20);
    HOLDS(th_resource_pool_check(&pool, NULL) == TH_OK);
    HOLDS(th_resource_pool_get_stats(&pool).out == count);
    HOLDS(th_resource_pool_give_back(&pool, leases[0]) == TH_OK);
    HOLDS(th_resource_pool_take(&pool, &leases[0]) == TH_OK); /* the one that is kept */
    th_file_map map;
    HOLDS(th_file_map_open(&map, "/proc/self/exe", TH_FILE_MAP_READ) != TH_OK);
    HOLDS(limit(RLIMIT_NOFILE, 60));
    HOLDS(th_resource_pool_take(&pool, &leases[count]) == TH_OK);
    th_resource_pool_clean_up(&pool);
    HOLDS(open_files() == before); /* those that were out, too */
    return true;
}

static void descriptors_can_be_exhausted(void) {
    CHECK(holds_in_child(descriptors_run_out, NULL));
}

/* Two files, and the second one cannot be had: the first one is closed on the way out. */
static void close_in_scope(void *context) {
    (void)close(*(int *)context);
}

static bool open_both(int files[2]) {
    th_scope scope;
    const th_scope_config config = {.backing = th_system_allocator()};
    bool opened = th_scope_init(&scope, &config) == TH_OK;
    for (int i = 0; opened && i < 2; i++) {
        files[i] = open("/dev/zero", O_RDONLY);
        if (files[i] < 0) {
            (void)th_scope_fail(&scope, TH_ERR_EXHAUSTED);
            opened = false;
        } else {
            opened = th_scope_defer_on_error(&scope, close_in_scope, &files[i], NULL) == TH_OK;
        }
    }
    th_scope_clean_up(&scope);
    return opened;
}

static bool files_are_closed(void *context) {
    int files[2];
    (void)context;
    size_t before = open_files();
    int lowest = open("/dev/zero", O_RDONLY);
    (void)close(lowest);
    HOLDS(limit(RLIMIT_NOFILE, (uint64_t)lowest + 1)); /* one more, not two */
    HOLDS(!open_both(files));
    HOLDS(open_files() == before);
    HOLDS(limit(RLIMIT_NOFILE, 60));
    HOLDS(open_both(files));
    HOLDS(open_files() == before + 2);
    return true;
}

static void an_error_path_closes_files(void) {
    CHECK(holds_in_child(files_are_closed, NULL));
}

/* ---- file sizes --------------------------------------------------------------------------- */

static char path[] = "/tmp/tagheap-system-limits-XXXXXX";

static bool files_stay_small(void *context) {
    th_file_map map;
    size_t before = open_files();
    (void)context;
    HOLDS(signal(SIGXFSZ, SIG_IGN) != SIG_ERR); /* which would end the process */
    HOLDS(limit(RLIMIT_FSIZE, 4096));
    HOLDS(th_file_map_open_new(&map, path, (size_t)1 << 20) != TH_OK);
    HOLDS(open_files() == before);
    HOLDS(limit(RLIMIT_FSIZE, UNLIMITED));
    HOLDS(th_file_map_open_new(&map, path, (size_t)1 << 20) == TH_OK);
    th_file_map_close(&map);
    HOLDS(open_files() == before);
    return true;
}

static void file_sizes_can_be_limited(void) {
    int file = mkstemp(path);
    CHECK(file >= 0);
    (void)close(file);
    (void)unlink(path);
    bool holds = holds_in_child(files_stay_small, NULL);
    (void)unlink(path);
    CHECK(holds);
}

/* ---- device memory ------------------------------------------------------------------------ */

/* Memory that somebody else sees, too: a range mapped twice, as a driver maps a device's. A heap in
 * the one place, and its blocks as they are seen in the other. */
static void a_heap_lies_in_shared_memory(void) {
    enum { BYTES = 65536 };
    FILE *file = tmpfile();
    CHECK(file != NULL && ftruncate(fileno(file), BYTES) == 0);
    unsigned char *ours = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    const unsigned char *device = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fileno(file), 0);
    CHECK(ours != MAP_FAILED && device != MAP_FAILED);
    static th_heap heap;
    CHECK_EQ(th_heap_init(&heap, ours, BYTES, NULL), TH_OK);
    for (unsigned i = 0; i < 50; i++) {
        unsigned char *block = th_heap_alloc_aligned(&heap, 200, 64, 1 + i % 3);
        CHECK(block != NULL);
        memset(block, (int)i, 200);
        const unsigned char *seen = device + (block - ours);
        CHECK(seen[0] == i && seen[199] == i);
        if (i % 4 == 3) {
            CHECK(th_heap_free(&heap, block) > 0);
        }
    }
    CHECK_EQ(th_heap_check(&heap, NULL), TH_OK);
    th_heap_clean_up(&heap);
    CHECK(munmap(ours, BYTES) == 0 && munmap((void *)(uintptr_t)device, BYTES) == 0);
    (void)fclose(file);
}

TH_SUITE("system_limits", TEST(address_space_can_be_exhausted),
         TEST(what_is_built_on_malloc_says_so), TEST(descriptors_can_be_exhausted),
         TEST(an_error_path_closes_files), TEST(file_sizes_can_be_limited),
         TEST(a_heap_lies_in_shared_memory))
