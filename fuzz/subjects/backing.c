/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200112L

#include "subjects/backing.h"

#include <stdlib.h>
#include <string.h>

#include "program/sanitizer.h"
#include "tagheap/pages.h"

#if MSAN
#include <sanitizer/msan_interface.h>
#endif
#if ASAN
#include <sanitizer/asan_interface.h>
#elif defined(TH_TRACK_VALGRIND) && TH_TRACK_VALGRIND
#include <valgrind/memcheck.h>
#define ASAN_POISON_MEMORY_REGION(at, bytes)   ((void)VALGRIND_MAKE_MEM_NOACCESS(at, bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)VALGRIND_MAKE_MEM_DEFINED(at, bytes))
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes)   ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define REGION_BYTES LAB_BACKING_REGION_BYTES
#define ORIGIN       ((size_t)64 << 10)
#define EDGE_BYTES   ((size_t)32)
#define EDGE_BYTE    0xE1

/* Which requests for large alignments can be met depends on where the region lies: at a multiple of
 * larger ones than are met, it is the same everywhere. */
#define REGION_ALIGNMENT (SIZE_MAX > UINT32_MAX ? (size_t)1 << 31 : (size_t)1 << 26)

static unsigned char *make_region(void) {
    unsigned char *region = th_pages_reserve(REGION_BYTES, REGION_ALIGNMENT);
    if (region != NULL && th_pages_commit(region, REGION_BYTES) != TH_OK) {
        (void)th_pages_release(region, REGION_BYTES);
        return NULL;
    }
#if MSAN
    __msan_poison(region, REGION_BYTES); /* to a subject these are not zeros */
#endif
    return region;
}

bool lab_backing_init(lab_backing *backing) {
    memset(backing, 0, sizeof *backing);
    backing->blocks = calloc(LAB_BACKING_BLOCKS_MAX, sizeof *backing->blocks);
    backing->region = backing->blocks != NULL ? make_region() : NULL;
    if (backing->region == NULL) {
        free(backing->blocks);
        backing->blocks = NULL;
        return false;
    }
    ASAN_POISON_MEMORY_REGION(backing->region, REGION_BYTES);
    return true;
}

void lab_backing_clean_up(lab_backing *backing) {
    if (backing->region != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(backing->region, REGION_BYTES);
        (void)th_pages_release(backing->region, REGION_BYTES);
    }
    free(backing->blocks);
    memset(backing, 0, sizeof *backing);
}

void lab_backing_start(lab_backing *backing, size_t budget, size_t skew) {
    lab_backing fresh = {.region = backing->region, .blocks = backing->blocks};
    for (size_t i = 0; i < backing->count; i++) {
        const lab_backing_block *left = &backing->blocks[i];
        ASAN_POISON_MEMORY_REGION(left->at, left->bytes);
    }
    fresh.start = ORIGIN + skew;
    fresh.budget = budget;
    *backing = fresh;
}

static unsigned char *end_of(const lab_backing_block *block) {
    return block->at + block->bytes;
}

/* The lowest address for the block before blocks[index], or NULL. */
static unsigned char *fit(const lab_backing *backing, size_t index, size_t bytes,
                          size_t alignment) {
    uintptr_t low = index == 0 ? (uintptr_t)backing->region + backing->start
                               : (uintptr_t)end_of(&backing->blocks[index - 1]) + 2 * EDGE_BYTES;
    uintptr_t high = index == backing->count
                         ? (uintptr_t)backing->region + REGION_BYTES - EDGE_BYTES
                         : (uintptr_t)backing->blocks[index].at - 2 * EDGE_BYTES;
    uintptr_t at = (low + alignment - 1) & ~(uintptr_t)(alignment - 1);
    return at < low || at > high || high - at < bytes ? NULL : (unsigned char *)at;
}

static void *refuse(lab_backing *backing) {
    backing->refused = true;
    return NULL;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    lab_backing *backing = self;
    uint64_t request = ++backing->requests;
    bool fail = backing->fail_at != 0 &&
                (backing->fail_forever ? request >= backing->fail_at : request == backing->fail_at);
    if (fail || backing->count == LAB_BACKING_BLOCKS_MAX ||
        bytes > backing->budget - backing->live) {
        return refuse(backing);
    }
    unsigned char *at = NULL;
    size_t index = 0;
    while (index <= backing->count && (at = fit(backing, index, bytes, alignment)) == NULL) {
        index++;
    }
    if (at == NULL) {
        return refuse(backing);
    }
    lab_backing_block *place = backing->blocks + index;
    memmove(place + 1, place, (backing->count - index) * sizeof *place);
    *place = (lab_backing_block){.at = at, .bytes = bytes, .alignment = alignment};
    backing->count++;
    backing->live += bytes;
    backing->peak = backing->live > backing->peak ? backing->live : backing->peak;
    ASAN_UNPOISON_MEMORY_REGION(at - EDGE_BYTES, bytes + 2 * EDGE_BYTES);
    memset(at - EDGE_BYTES, EDGE_BYTE, EDGE_BYTES);
    memset(at, 0xAB, bytes); /* neither zeroed, nor what a subject may take for its own */
    memset(at + bytes, EDGE_BYTE, EDGE_BYTES);
    ASAN_POISON_MEMORY_REGION(at - EDGE_BYTES, EDGE_BYTES);
    ASAN_POISON_MEMORY_REGION(at + bytes, EDGE_BYTES);
    return at;
}

static bool is_intact(const unsigned char *edge) {
    bool intact = true;
    for (size_t i = 0; i < EDGE_BYTES; i++) {
        intact = intact && edge[i] == EDGE_BYTE;
    }
    return intact;
}

static bool check_edges(lab_backing *backing, const lab_backing_block *block) {
    ASAN_UNPOISON_MEMORY_REGION(block->at - EDGE_BYTES, EDGE_BYTES);
    ASAN_UNPOISON_MEMORY_REGION(end_of(block), EDGE_BYTES);
    bool intact = is_intact(block->at - EDGE_BYTES) && is_intact(end_of(block));
    ASAN_POISON_MEMORY_REGION(block->at - EDGE_BYTES, EDGE_BYTES);
    ASAN_POISON_MEMORY_REGION(end_of(block), EDGE_BYTES);
    if (!intact && backing->damage == NULL) {
        backing->damage = "written outside";
        backing->damaged = *block;
    }
    return intact;
}

bool lab_backing_check(lab_backing *backing) {
    bool intact = true;
    for (size_t i = 0; i < backing->count; i++) {
        intact = check_edges(backing, &backing->blocks[i]) && intact;
    }
    return intact;
}

static void free_block(void *self, void *pointer) {
    lab_backing *backing = self;
    size_t index = 0;
    while (index < backing->count && backing->blocks[index].at != pointer) {
        index++;
    }
    if (index == backing->count) {
        if (backing->damage == NULL) {
            backing->damage = "returned what it never got";
            backing->damaged = (lab_backing_block){.at = pointer};
        }
        return;
    }
    lab_backing_block *place = backing->blocks + index;
    (void)check_edges(backing, place);
    ASAN_POISON_MEMORY_REGION(place->at - EDGE_BYTES, place->bytes + 2 * EDGE_BYTES);
    backing->live -= place->bytes;
    backing->count--;
    memmove(place, place + 1, (backing->count - index) * sizeof *place);
}

bool lab_backing_contains(const lab_backing *backing, const void *at, size_t bytes) {
    for (size_t i = 0; i < backing->count; i++) {
        const lab_backing_block *block = &backing->blocks[i];
        uintptr_t distance = (uintptr_t)at - (uintptr_t)block->at;
        if (distance < block->bytes && bytes <= block->bytes - distance) {
            return true;
        }
    }
    return false;
}

static bool owns(const void *self, const void *pointer) {
    return lab_backing_contains(self, pointer, 1);
}

th_allocator lab_backing_allocator(lab_backing *backing) {
    static const th_allocator_table table = {.alloc = alloc, .free = free_block, .owns = owns};
    return (th_allocator){.table = &table, .self = backing};
}
