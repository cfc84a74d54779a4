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
static th_bump *bump;

static void buffer_start(const th_guarding *guarding, th_allocator from) {
    const th_bump_config config = {.guarding = *guarding};
    (void)from;
    bump = &buffer;
    must(th_bump_init(bump, memory + ODD, MEMORY_BYTES - ODD, &config));
}

/* A declared one has no memory any more after its end: it gets what it began with again. */
static void constrained_start(const th_guarding *guarding, th_allocator from) {
    static th_bump declared;
    (void)guarding;
    (void)from;
    if (declared.span.base == NULL) {
        declared = constrained;
    }
    constrained = declared;
    bump = &constrained;
}

static void bump_clean_up(void) {
    th_bump_clean_up(bump);
}

static void *bump_alloc(size_t bytes, size_t alignment) {
    return th_bump_alloc_aligned(bump, bytes, alignment);
}

static bool bump_resize(void *block, size_t bytes) {
    return th_bump_resize_in_place(bump, block, bytes);
}

static void bump_free(void *block) {
    th_bump_free(bump, block);
}

static size_t bump_live(void) {
    return th_bump_get_stats(bump).used_bytes;
}

static th_status bump_check(th_fault *fault) {
    return th_bump_check(bump, fault);
}

static th_allocator bump_interface(void) {
    return th_bump_allocator(bump);
}

const bad_calls bad_buffer = {.start = buffer_start,
                              .clean_up = bump_clean_up,
                              .alloc = bump_alloc,
                              .resize = bump_resize,
                              .free = bump_free,
                              .live = bump_live,
                              .check = bump_check,
                              .interface = bump_interface};

const bad_calls bad_bump = {.start = constrained_start,
                            .clean_up = bump_clean_up,
                            .alloc = bump_alloc,
                            .resize = bump_resize,
                            .free = bump_free,
                            .live = bump_live,
                            .check = bump_check,
                            .interface = bump_interface};

/* ---- an arena ------------------------------------------------------------------------------ */

static th_arena arena;

static void arena_start(const th_guarding *guarding, th_allocator from) {
    const th_arena_config config = {.backing = from, .chunk_bytes = 512, .guarding = *guarding};
    must(th_arena_init(&arena, &config));
}

static void arena_clean_up(void) {
    th_arena_clean_up(&arena);
}

static void *arena_alloc(size_t bytes, size_t alignment) {
    return th_arena_alloc_aligned(&arena, bytes, alignment);
}

static bool arena_resize(void *block, size_t bytes) {
    return th_arena_resize_in_place(&arena, block, bytes);
}

static void arena_free(void *block) {
    th_arena_free(&arena, block);
}

static size_t arena_live(void) {
    return th_arena_get_stats(&arena).used_bytes;
}

static th_status arena_check(th_fault *fault) {
    return th_arena_check(&arena, fault);
}

static th_allocator arena_interface(void) {
    return th_arena_allocator(&arena);
}

const bad_calls bad_arena = {.start = arena_start,
                             .clean_up = arena_clean_up,
                             .alloc = arena_alloc,
                             .resize = arena_resize,
                             .free = arena_free,
                             .live = arena_live,
                             .check = arena_check,
                             .interface = arena_interface};

/* ---- a region ------------------------------------------------------------------------------ */

static th_region region;

static void region_start(const th_guarding *guarding, th_allocator from) {
    const th_arena_config config = {.backing = from, .chunk_bytes = 512, .guarding = *guarding};
    must(th_region_init(&region, &config));
}

static void region_clean_up(void) {
    must(th_region_destroy(&region));
}

static void *region_alloc(size_t bytes, size_t alignment) {
    return th_region_alloc_aligned(&region, bytes, alignment);
}

static size_t region_live(void) {
    return th_region_get_stats(&region).used_bytes;
}

static th_status region_check(th_fault *fault) {
    return th_region_check(&region, fault);
}

static th_allocator region_interface(void) {
    return th_region_allocator(&region);
}

const bad_calls bad_region = {.start = region_start,
                              .clean_up = region_clean_up,
                              .alloc = region_alloc,
                              .live = region_live,
                              .check = region_check,
                              .interface = region_interface};

/* ---- a frame arena ------------------------------------------------------------------------- */

static th_frame frame;

static void frame_start(const th_guarding *guarding, th_allocator from) {
    const th_frame_config config = {
        .backing = from, .frame_bytes = MEMORY_BYTES, .guarding = *guarding};
    must(th_frame_init(&frame, &config));
}

static void frame_clean_up(void) {
    th_frame_clean_up(&frame);
}

static void *frame_alloc(size_t bytes, size_t alignment) {
    return th_frame_alloc_aligned(&frame, bytes, alignment);
}

static bool frame_resize(void *block, size_t bytes) {
    return th_frame_resize_in_place(&frame, block, bytes);
}

static size_t frame_live(void) {
    return th_frame_get_stats(&frame).used_bytes;
}

static th_status frame_check(th_fault *fault) {
    return th_frame_check(&frame, fault);
}

static th_allocator frame_interface(void) {
    return th_frame_allocator(&frame);
}

const bad_calls bad_frame = {.start = frame_start,
                             .clean_up = frame_clean_up,
                             .alloc = frame_alloc,
                             .resize = frame_resize,
                             .live = frame_live,
                             .check = frame_check,
                             .interface = frame_interface};

/* ---- a hybrid buffer: its one block is all of it -------------------------------------------- */

static th_hybrid hybrid;

static void hybrid_start(const th_guarding *guarding, th_allocator from) {
    const th_hybrid_config config = {.backing = from, .guarding = *guarding};
    must(th_hybrid_init(&hybrid, memory, 64, &config));
}

static void hybrid_clean_up(void) {
    th_hybrid_clean_up(&hybrid);
}

static void *hybrid_alloc(size_t bytes, size_t alignment) {
    (void)alignment;
    return th_hybrid_resize(&hybrid, bytes) == TH_OK ? th_hybrid_data(&hybrid) : NULL;
}

static bool hybrid_resize(void *block, size_t bytes) {
    (void)block;
    return th_hybrid_resize(&hybrid, bytes) == TH_OK || th_hybrid_reserve(&hybrid, bytes) == TH_OK;
}

static size_t hybrid_live(void) {
    return th_hybrid_size(&hybrid);
}

static th_status hybrid_check(th_fault *fault) {
    return th_hybrid_check(&hybrid, fault);
}

const bad_calls bad_hybrid = {.start = hybrid_start,
                              .clean_up = hybrid_clean_up,
                              .alloc = hybrid_alloc,
                              .resize = hybrid_resize,
                              .live = hybrid_live,
                              .check = hybrid_check};
