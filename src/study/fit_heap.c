/* SPDX-License-Identifier: MIT */
/* The placement-policy heap: th_offsets over memory. All bytes of a block are open to the caller,
 * to the granule: what was asked for is not kept. It stands outside the library, and knows of it no
 * more than its headers say. */
#include "tagheap/fit_heap.h"

#include <string.h>

#include "alloc/thunks.h"
#include "base/align.h"
#include "base/track.h"

th_status th_fit_heap_init(th_fit_heap *heap, void *memory, size_t bytes, void *bookkeeping,
                           size_t bookkeeping_bytes, const th_offsets_config *config) {
    if (heap == NULL || memory == NULL) {
        return TH_ERR_NULL;
    }
    th_status status =
        th_offsets_init(&heap->offsets, bytes, bookkeeping, bookkeeping_bytes, config);
    if (status == TH_OK) {
        th_guarding *guarding = &heap->offsets.config.guarding;
        guarding->on_fault = guarding->on_fault != NULL ? guarding->on_fault : th_fault_abort;
        heap->memory = memory;
        th_track_close(memory, (size_t)heap->offsets.bytes);
    }
    return status;
}

void th_fit_heap_clean_up(th_fit_heap *heap) {
    if (heap != NULL && heap->memory != NULL) {
        th_track_release(heap->memory, (size_t)heap->offsets.bytes);
        th_offsets_clean_up(&heap->offsets);
        heap->memory = NULL;
    }
}

th_status th_fit_heap_reset(th_fit_heap *heap) {
    if (heap == NULL || heap->memory == NULL) {
        return TH_ERR_NULL;
    }
    th_track_close(heap->memory, (size_t)heap->offsets.bytes);
    return th_offsets_reset(&heap->offsets);
}

th_offsets_stats th_fit_heap_get_stats(const th_fit_heap *heap) {
    return th_offsets_get_stats(heap != NULL ? &heap->offsets : NULL);
}

th_status th_fit_heap_check(const th_fit_heap *heap, th_fault *fault) {
    return th_offsets_check(heap != NULL ? &heap->offsets : NULL, fault);
}

static void report(const th_fit_heap *heap, const th_fault *fault) {
    const th_guarding *guarding = &heap->offsets.config.guarding;
    guarding->on_fault(guarding->fault_context, fault);
}

/* The block that starts at `pointer`; generation 0 after a fault. */
static th_offsets_block look_up(const th_fit_heap *heap, const void *pointer) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->memory;
    th_offsets_block block = {0};
    if (heap->memory == NULL) {
        return block;
    }
    th_fault_kind kind = TH_FAULT_FOREIGN;
    if (distance < heap->offsets.bytes) {
        block = th_offsets_find(&heap->offsets, distance);
        kind = block.generation == 0 ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK;
    }
    if (block.generation == 0 || block.offset != distance) {
        const th_fault fault = {.kind = kind,
                                .block = block.generation != 0 ? block.node : TH_FAULT_NOWHERE,
                                .offset = distance,
                                .expected = (uint32_t)block.offset,
                                .found = (uint32_t)distance};
        report(heap, &fault);
        block.generation = 0;
    }
    return block;
}

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    th_fit_heap *heap = self;
    if (!th_is_aligned((uintptr_t)heap->memory, alignment)) {
        heap->offsets.failed_allocs++;
        return NULL;
    }
    th_offsets_block block = th_offsets_alloc_aligned(&heap->offsets, bytes, alignment);
    if (block.generation == 0) {
        return NULL;
    }
    unsigned char *at = heap->memory + block.offset;
    th_track_open(at, (size_t)th_offsets_size(&heap->offsets, block));
    return at;
}

static void table_free(void *self, void *pointer) {
    th_fit_heap *heap = self;
    th_offsets_block block = look_up(heap, pointer);
    if (block.generation != 0) {
        th_track_close(pointer, (size_t)th_offsets_size(&heap->offsets, block));
        (void)th_offsets_free(&heap->offsets, block);
    }
}

static bool table_resize(void *self, void *pointer, size_t bytes) {
    th_fit_heap *heap = self;
    th_offsets_block block = look_up(heap, pointer);
    if (block.generation == 0) {
        return false;
    }
    size_t old = (size_t)th_offsets_size(&heap->offsets, block);
    if (!th_offsets_resize_in_place(&heap->offsets, block, bytes)) {
        return false;
    }
    size_t now = (size_t)th_offsets_size(&heap->offsets, block);
    unsigned char *at = pointer;
    if (now > old) {
        th_track_open(at + old, now - old);
    } else {
        th_track_close(at + now, old - now);
    }
    return true;
}

/* resize_in_place, which is always asked first, has reported what is no block. */
static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_fit_heap *heap = self;
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->memory;
    th_offsets_block block = th_offsets_find(&heap->offsets, distance);
    if (block.generation == 0 || block.offset != distance) {
        return NULL;
    }
    void *moved = table_alloc(heap, bytes, alignment);
    if (moved != NULL) {
        memcpy(moved, pointer, kept < bytes ? kept : bytes);
        table_free(heap, pointer);
    }
    return moved;
}

static bool table_owns(const void *self, const void *pointer) {
    const th_fit_heap *heap = self;
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->memory;
    return distance < heap->offsets.bytes &&
           th_offsets_find(&heap->offsets, distance).generation != 0;
}

static size_t table_usable_size(const void *self, const void *pointer) {
    const th_fit_heap *heap = self;
    th_offsets_block block = look_up(heap, pointer);
    return block.generation != 0 ? (size_t)th_offsets_size(&heap->offsets, block) : 0;
}

TH_THUNK_RESET(fit_heap);
TH_THUNK_CHECK(fit_heap);

th_allocator th_fit_heap_allocator(th_fit_heap *heap) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .free = table_free,
                                             .resize_in_place = table_resize,
                                             .realloc = table_realloc,
                                             .reset = th_fit_heap_thunk_reset,
                                             .owns = table_owns,
                                             .usable_size = table_usable_size,
                                             .check = th_fit_heap_thunk_check};
    return th_allocator_of(&table, heap);
}
