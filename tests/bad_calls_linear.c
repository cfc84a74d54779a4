/* SPDX-License-Identifier: MIT */
#include "bad_calls.h"

#include "tagheap/arena.h"
#include "tagheap/bump.h"
#include "tagheap/frame.h"
#include "tagheap/hybrid.h"
#include "tagheap/region.h"

#define MEMORY_BYTES ((size_t)4096)

#define ODD 3 /* a caller's buffer may begin anywhere */

static _Alignas(64) unsigned char memory[MEMORY_BYTES];

static void must(th_status status) {
    CHECK_EQ(status, TH_OK);
}

/* ---- a bump heap: over any buffer, and as it is declared ----------------------------------- */

TH_BUMP_STATIC(constrained, MEMORY_BYTES);

static th_bump buffer;

static void *buffer_start(const th_guarding *guarding, th_allocator from) {
    const th_bump_config config = {.guarding = *guarding};
    (void)from;
    must(th_bump_init(&buffer, memory + ODD, MEMORY_BYTES - ODD, &config));
    return &buffer;
}

/* A declared one has no memory any more after its end: it gets what it began with again. */
static void *constrained_start(const th_guarding *guarding, th_allocator from) {
    static th_bump declared;
    (void)guarding;
    (void)from;
    if (declared.span.base == NULL) {
        declared = constrained;
    }
    constrained = declared;
    return &constrained;
}

const bad_calls bad_buffer = {buffer_start, &lab_allocator_bump};

const bad_calls bad_bump = {constrained_start, &lab_allocator_bump};

/* ---- an arena ------------------------------------------------------------------------------ */

static th_arena arena;

static void *arena_start(const th_guarding *guarding, th_allocator from) {
    const th_arena_config config = {.backing = from, .chunk_bytes = 512, .guarding = *guarding};
    must(th_arena_init(&arena, &config));
    return &arena;
}

const bad_calls bad_arena = {arena_start, &lab_allocator_arena};

/* ---- a region ------------------------------------------------------------------------------ */

static th_region region;

static void *region_start(const th_guarding *guarding, th_allocator from) {
    const th_arena_config config = {.backing = from, .chunk_bytes = 512, .guarding = *guarding};
    must(th_region_init(&region, &config));
    return &region;
}

const bad_calls bad_region = {region_start, &lab_allocator_region};

/* ---- a frame arena ------------------------------------------------------------------------- */

static th_frame frame;

static void *frame_start(const th_guarding *guarding, th_allocator from) {
    const th_frame_config config = {
        .backing = from, .frame_bytes = MEMORY_BYTES, .guarding = *guarding};
    must(th_frame_init(&frame, &config));
    return &frame;
}

const bad_calls bad_frame = {frame_start, &lab_allocator_frame};

/* ---- a hybrid buffer: its one block is all of it -------------------------------------------- */

static th_hybrid hybrid;

static void *hybrid_start(const th_guarding *guarding, th_allocator from) {
    const th_hybrid_config config = {.backing = from, .guarding = *guarding};
    must(th_hybrid_init(&hybrid, memory, 64, &config));
    return &hybrid;
}

static void hybrid_clean_up(void *self) {
    th_hybrid_clean_up(self);
}

static void *hybrid_alloc(void *self, size_t bytes, size_t alignment) {
    (void)alignment;
    return th_hybrid_resize(self, bytes) == TH_OK ? th_hybrid_data(self) : NULL;
}

static bool hybrid_resize(void *self, void *block, size_t bytes) {
    (void)block;
    return th_hybrid_resize(self, bytes) == TH_OK || th_hybrid_reserve(self, bytes) == TH_OK;
}

static size_t hybrid_live(const void *self) {
    return th_hybrid_size(self);
}

static th_status hybrid_check(const void *self, th_fault *fault) {
    return th_hybrid_check(self, fault);
}

static const lab_allocator hybrid_calls = {.clean_up = hybrid_clean_up,
                                           .alloc_aligned = hybrid_alloc,
                                           .resize = hybrid_resize,
                                           .live = hybrid_live,
                                           .check = hybrid_check};

const bad_calls bad_hybrid = {hybrid_start, &hybrid_calls};
