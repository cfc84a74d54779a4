/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE

#include "synthesis/world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "program/sanitizer.h"
#include "runner/plain.h"

#if LAB_ASAN
#include <sanitizer/asan_interface.h>
#endif

enum {
    PAGE = 4096,
    REGION_AT = 2 * PAGE, /* its page; the index has the first one */
    CLOSED_AFTER = PAGE,
    EDGE_BYTE = 0xE7
};
#define EDGE_WORD (EDGE_BYTE * UINT64_C(0x0101010101010101))

static_assert(LAB_WORLD_BYTES_MAX + LAB_WORLD_EDGE <= PAGE, "the region lies at its page's end");

#define RESERVE_BYTES ((uint64_t)1 << 34)

const char *lab_synthesis_end_name(lab_synthesis_end end) {
    static const char *const names[LAB_ENDS] = {"harmless", "reported", "overlap", "outside",
                                                "contents", "crash",    "hang"};
    return names[end];
}

bool lab_world_contains(void) {
    return UINTPTR_MAX > UINT32_MAX;
}

lab_world *lab_world_new(bool reserve) {
    lab_world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        return NULL;
    }
    world->memory_bytes = REGION_AT + PAGE + CLOSED_AFTER;
#if UINTPTR_MAX > UINT32_MAX
    world->memory_bytes += reserve ? RESERVE_BYTES : 0;
#else
    (void)reserve;
#endif
    void *memory = mmap(NULL, world->memory_bytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        free(world);
        return NULL;
    }
    world->memory = memory;
    if (mprotect(world->memory, PAGE, PROT_READ | PROT_WRITE) != 0 ||
        mprotect(world->memory + REGION_AT, PAGE, PROT_READ | PROT_WRITE) != 0) {
        lab_world_destroy(world);
        return NULL;
    }
    return world;
}

void lab_world_destroy(lab_world *world) {
    if (world != NULL) {
        (void)munmap(world->memory, world->memory_bytes);
        free(world);
    }
}

/* ---- behind the back of every tool -------------------------------------------------------- */

static LAB_PLAIN void copy_plainly(volatile unsigned char *to, const volatile unsigned char *from,
                                   size_t count) {
    LAB_BLIND_BEGIN;
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
    LAB_BLIND_END;
}

static LAB_PLAIN bool equal_plainly(const volatile unsigned char *a, const unsigned char *b,
                                    size_t count) {
    bool equal = true;
    LAB_BLIND_BEGIN;
    for (size_t i = 0; i < count && equal; i++) {
        equal = a[i] == b[i];
    }
    LAB_BLIND_END;
    LAB_TRUST(&equal, sizeof equal);
    return equal;
}

static LAB_PLAIN void fill_plainly(volatile uint64_t *at, uint64_t word, size_t count) {
    LAB_BLIND_BEGIN;
    for (size_t i = 0; i < count; i++) {
        at[i] = word;
    }
    LAB_BLIND_END;
}

void lab_world_read(const lab_world *world, uint32_t from, void *bytes, uint32_t count) {
    memset(bytes, 0, count);
    if (from < world->bytes && count <= world->bytes - from) {
        copy_plainly(bytes, world->region + from, count);
        LAB_TRUST(bytes, count);
    }
}

void lab_world_write(lab_world *world, int64_t from, const void *bytes, uint32_t count) {
    const unsigned char *text = bytes;
    for (uint32_t i = 0; i < count; i++) {
        int64_t at = from + i;
        if (at >= 0 && at < world->bytes && !equal_plainly(world->region + at, &text[i], 1)) {
            copy_plainly(world->region + at, &text[i], 1);
            world->shadow[at] = text[i];
            world->attacks++;
        }
    }
}

void lab_world_open(lab_world *world) {
    LAB_TRUST(world->region, world->bytes);
#if LAB_ASAN
    __asan_unpoison_memory_region(world->region, world->bytes);
#endif
}

/* ---- the heap ----------------------------------------------------------------------------- */

static void on_fault(void *context, const th_fault *fault) {
    lab_world *world = context;
    world->fault = world->faults++ == 0 ? fault->kind : world->fault;
}

static void hook(void *context) {
    (void)context;
}

static uint32_t header_dwords(th_heap_layout layout, unsigned alignment_log2) {
    static const uint8_t dwords[][3] = {
        [TH_HEAP_LAYOUT_CLASSIC] = {6, 6, 8},
        [TH_HEAP_LAYOUT_LEAN] = {2, 2, 4},
        [TH_HEAP_LAYOUT_WIDE] = {7, 8, 8},
    };
    return dwords[layout][alignment_log2 - 2];
}

bool lab_world_start(lab_world *world, const lab_synthesis_script *script, int level,
                     th_heap_layout layout) {
    static const uint16_t sizes[] = {120, 240, LAB_WORLD_DWORDS_MAX};
    unsigned char *end = world->memory + REGION_AT + PAGE;
    world->bytes = 4u * sizes[script->size];
    world->region = end - world->bytes;
    world->index = world->memory;
    world->header = header_dwords(layout, script->alignment);
    world->level = level;
    world->layout = layout;
    memset(world->slots, 0, sizeof world->slots);
    memset(world->pockets, 0, sizeof world->pockets);
    for (unsigned i = 0; i < LAB_SYNTHESIS_SLOTS; i++) {
        world->slots[i].place = LAB_NOWHERE;
        world->pockets[i % LAB_SYNTHESIS_POCKETS].place = LAB_NOWHERE;
    }
    world->faults = 0;
    world->fault = TH_FAULT_NONE;
    world->harm = LAB_END_HARMLESS;
    world->attacks = 0;
    world->pattern = 0;
    /* An earlier heap has left nothing, not even a seed: the same script comes to the same end. */
    fill_plainly((void *)world->index, 0, PAGE / sizeof(uint64_t));
    fill_plainly((void *)(world->memory + REGION_AT), 0, PAGE / sizeof(uint64_t));
    fill_plainly((void *)(world->region - LAB_WORLD_EDGE), EDGE_WORD,
                 LAB_WORLD_EDGE / sizeof(uint64_t));
    size_t alignment = (size_t)1 << script->alignment;
    world->index_bytes = (uint32_t)th_heap_index_bytes(world->bytes, alignment);
    const th_heap_config config = {
        .alignment = alignment,
        .guarding = {.level = level, .on_fault = on_fault, .fault_context = world},
        .layout = layout,
        .lock = {.acquire = script->locked ? hook : NULL, .release = script->locked ? hook : NULL},
        .index = script->indexed ? TH_HEAP_INDEX_GIVEN : TH_HEAP_INDEX_NONE,
        .index_memory = script->indexed ? world->index : NULL,
        .index_bytes = script->indexed ? world->index_bytes : 0,
    };
    return level <= th_guard_max() && th_heap_has_layout(layout) &&
           th_heap_init(&world->heap, world->region, world->bytes, &config) == TH_OK;
}

/* ---- what is live ------------------------------------------------------------------------- */

static void harm(lab_world *world, lab_synthesis_end end) {
    world->harm = world->harm == LAB_END_HARMLESS ? end : world->harm;
}

void lab_world_given(lab_world *world, const unsigned char *at, uint32_t bytes, uint32_t slot) {
    uintptr_t from = (uintptr_t)at - (uintptr_t)world->region;
    if (from >= world->bytes || bytes > world->bytes - from) {
        harm(world, LAB_END_OUTSIDE);
        return;
    }
    for (uint32_t i = 0; i < LAB_SYNTHESIS_SLOTS; i++) {
        const lab_world_slot *other = &world->slots[i];
        uint32_t begin = lab_world_payload(world, other->place);
        if (i != slot && other->live && from < begin + other->bytes && begin < from + bytes) {
            harm(world, LAB_END_OVERLAP);
        }
    }
}

void lab_world_hold(lab_world *world, uint32_t slot, unsigned char *at, uint32_t bytes,
                    uint32_t tag) {
    lab_world_given(world, at, bytes, slot);
    if (world->harm != LAB_END_HARMLESS) {
        return;
    }
    uint32_t from = (uint32_t)(at - world->region);
    world->slots[slot] = (lab_world_slot){from / 4 - world->header, bytes, tag, true};
    world->pattern = (uint8_t)(world->pattern * 5 + 77);
    for (uint32_t i = 0; i < bytes; i++) {
        world->shadow[from + i] = (uint8_t)(world->pattern + i * 7);
    }
    copy_plainly(at, world->shadow + from, bytes);
}

void lab_world_compare(lab_world *world) {
    const uint64_t edge = EDGE_WORD;
    for (uint32_t i = 0; i < LAB_WORLD_EDGE; i += sizeof edge) {
        if (!equal_plainly(world->region - LAB_WORLD_EDGE + i, (const void *)&edge, sizeof edge)) {
            harm(world, LAB_END_OUTSIDE);
        }
    }
    for (uint32_t i = 0; i < LAB_SYNTHESIS_SLOTS; i++) {
        const lab_world_slot *slot = &world->slots[i];
        uint32_t from = lab_world_payload(world, slot->place);
        if (slot->live && !equal_plainly(world->region + from, world->shadow + from, slot->bytes)) {
            harm(world, LAB_END_CONTENTS);
        }
    }
}
