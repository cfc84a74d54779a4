/* SPDX-License-Identifier: MIT */
#include "subjects/ground.h"

/* Of mapped pages as much is asked for as a backing would give: more costs time only. */
#define MAPPED_BYTES_MIN     ((size_t)16 << 10)
#define MAPPED_BYTES_MAX     ((size_t)256 << 10)
#define MAPPED_ALIGNMENT_MAX ((size_t)64 << 10)

th_guarding lab_ground_guarding(const lab_setup *setup) {
    return (th_guarding){
        .level = setup->guard, .on_fault = setup->on_fault, .fault_context = setup->fault_context};
}

/* At the end of the memory there are 8 bytes for each gap that is recorded. */
void lab_ground_watch(const th_span *span, lab_watched *watched) {
    size_t room = (size_t)(span->end - span->at) - 8 * span->gaps;
    size_t written = (size_t)(span->dirty - span->base);
    size_t used = (size_t)(span->at - span->base);
    watched->at = span->at;
    watched->room = room;
    if (used > 0) {
        watched->canary_bytes = room < TH_SPAN_CANARY_BYTES ? room : TH_SPAN_CANARY_BYTES;
    }
    size_t kept = used + watched->canary_bytes;
    size_t end = written < used + room ? written : used + room;
    watched->poison_bytes = end > kept ? end - kept : 0;
}

void lab_ground_describe(lab_instance *instance, const lab_setup *setup, bool mapped) {
    if (!mapped) {
        instance->flags_missing |= LAB_SUBJECT_OWN_MEMORY;
        return;
    }
    size_t bytes = setup->bytes > MAPPED_BYTES_MIN ? setup->bytes : MAPPED_BYTES_MIN;
    instance->flags_missing |= LAB_SUBJECT_POISON; /* pages that went back cannot be looked at */
    instance->bytes_max = bytes < MAPPED_BYTES_MAX ? bytes : MAPPED_BYTES_MAX;
    instance->alignment_max = MAPPED_ALIGNMENT_MAX;
}

static bool start_heap(lab_ground *ground, const lab_setup *setup) {
    th_heap_config config = {.alignment = setup->alignment,
                             .guarding.level = setup->guard,
                             .guarding.on_fault = setup->on_fault,
                             .guarding.fault_context = setup->fault_context};
    ground->region = th_allocator_alloc_aligned(setup->backing, setup->bytes, setup->alignment);
    if (ground->region == NULL ||
        th_heap_init(&ground->heap, ground->region, setup->bytes, &config) != TH_OK) {
        th_allocator_free(setup->backing, ground->region);
        return false;
    }
    ground->allocator = th_heap_allocator(&ground->adapter, &ground->heap, 0x1234);
    ground->empty_guaranteed = th_heap_largest_free_bytes(&ground->heap);
    return true;
}

static bool start_buddy(lab_ground *ground, const lab_setup *setup) {
    th_buddy_config config = {.guarding = lab_ground_guarding(setup)};
    if (th_buddy_create(&ground->buddy, setup->backing, setup->bytes / 2, &config) != TH_OK) {
        return false;
    }
    th_buddy_stats stats = th_buddy_get_stats(&ground->buddy);
    ground->allocator = th_buddy_allocator(&ground->buddy);
    ground->empty_guaranteed = stats.largest_free_bytes;
    return true;
}

static bool start_arena(lab_ground *ground, const lab_setup *setup) {
    th_arena_config config = {.backing = setup->backing, .guarding = lab_ground_guarding(setup)};
    if (th_arena_init(&ground->arena, &config) != TH_OK) {
        return false;
    }
    ground->allocator = th_arena_allocator(&ground->arena);
    return true;
}

bool lab_ground_start(lab_ground *ground, lab_ground_kind kind, const lab_setup *setup) {
    *ground = (lab_ground){.allocator = setup->backing, .backing = setup->backing};
    bool started = true;
    if (kind == LAB_GROUND_HEAP) {
        started = start_heap(ground, setup);
    } else if (kind == LAB_GROUND_BUDDY) {
        started = start_buddy(ground, setup);
    } else if (kind == LAB_GROUND_ARENA) {
        started = start_arena(ground, setup);
    }
    ground->kind = started ? kind : LAB_GROUND_BACKING;
    return started;
}

th_status lab_ground_check(const lab_ground *ground, th_fault *fault) {
    th_allocator allocator = ground->allocator;
    return allocator.table != NULL ? th_allocator_check(allocator, fault) : TH_OK;
}

void lab_ground_end(lab_ground *ground) {
    if (ground->kind == LAB_GROUND_HEAP) {
        th_heap_clean_up(&ground->heap);
        th_allocator_free(ground->backing, ground->region);
    } else if (ground->kind == LAB_GROUND_BUDDY) {
        th_buddy_clean_up(&ground->buddy);
    } else if (ground->kind == LAB_GROUND_ARENA) {
        th_arena_clean_up(&ground->arena);
    }
    *ground = (lab_ground){.kind = LAB_GROUND_BACKING};
}
