/* SPDX-License-Identifier: MIT */
/* The tagged heap under one tag, as an allocator. */
#include "tagheap/heap_allocator.h"

#include "alloc/thunks.h"

static void *alloc(void *self, size_t bytes, size_t alignment) {
    const th_tagged_allocator *adapter = self;
    return th_heap_alloc_aligned(adapter->heap, bytes, alignment, adapter->tag);
}

/* A heap that has ended has no guards either that could tell of pointers to its old blocks. */
static bool is_started(const th_tagged_allocator *adapter) {
    return adapter->heap->base != NULL;
}

static void free_block(void *self, void *pointer) {
    const th_tagged_allocator *adapter = self;
    if (is_started(adapter)) {
        (void)th_heap_free(adapter->heap, pointer);
    }
}

/* The heap keeps what a shorter block has no use for until it is trimmed. */
static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    const th_tagged_allocator *adapter = self;
    size_t usable = is_started(adapter) ? th_heap_usable_size(adapter->heap, pointer) : 0;
    if (bytes > usable || th_heap_realloc(adapter->heap, pointer, bytes) != pointer) {
        return false;
    }
    if (bytes < usable / 2) {
        (void)th_heap_trim(adapter->heap, pointer);
    }
    return true;
}

static void say_nothing(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
}

/* Has resize_in_place, which has been asked before, reported why not? A pointer that is none, or a
 * heap that may not be changed; where there is no room it has not tried to. */
static bool was_reported(const th_heap *heap, const void *pointer, size_t bytes) {
    th_heap_lock(heap);
    th_heap quiet = *heap;
    quiet.config.lock = (th_lock){0};
    quiet.config.guarding.on_fault = say_nothing;
    size_t usable = th_heap_usable_size(&quiet, pointer);
    th_heap_unlock(heap);
    return usable == 0 || (quiet.busy != 0 && bytes <= usable);
}

/* A block of the heap remembers its own alignment and size. */
static void *move(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    const th_tagged_allocator *adapter = self;
    (void)kept;
    (void)alignment;
    if (!is_started(adapter) || was_reported(adapter->heap, pointer, bytes)) {
        return NULL;
    }
    return th_heap_realloc(adapter->heap, pointer, bytes);
}

static th_status reset(void *self) {
    const th_tagged_allocator *adapter = self;
    if (!is_started(adapter)) {
        return TH_ERR_NULL;
    }
    (void)th_heap_free_tags(adapter->heap, adapter->tag, adapter->tag);
    return TH_OK;
}

static bool owns(const void *self, const void *pointer) {
    const th_tagged_allocator *adapter = self;
    th_heap_block block;
    return th_heap_find(adapter->heap, pointer, &block) && block.tag == adapter->tag;
}

static size_t usable_size(const void *self, const void *pointer) {
    const th_tagged_allocator *adapter = self;
    return is_started(adapter) ? th_heap_usable_size(adapter->heap, pointer) : 0;
}

static th_status check(const void *self, th_fault *fault) {
    const th_tagged_allocator *adapter = self;
    return th_heap_check(adapter->heap, fault);
}

th_allocator th_heap_allocator(th_tagged_allocator *adapter, th_heap *heap, uint32_t tag) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = move,
                                             .reset = reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = check};
    *adapter = (th_tagged_allocator){.heap = heap, .tag = tag};
    return th_allocator_of(&table, heap != NULL ? adapter : NULL);
}
