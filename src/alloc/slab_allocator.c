/* SPDX-License-Identifier: MIT */
/* The slab allocator behind the common interface. */
#include "tagheap/slab.h"

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_slab *slab = self;
    return alignment <= slab->alignment ? th_slab_alloc_bytes(slab, bytes) : NULL;
}

static void free_object(void *self, void *pointer) {
    th_slab_free(self, pointer);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_slab_resize(self, pointer, bytes);
}

/* What could not be done in place cannot be done. */
static void *resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    (void)self;
    (void)pointer;
    (void)kept;
    (void)bytes;
    (void)alignment;
    return NULL;
}

static void reset(void *self) {
    th_slab_reset(self);
}

static bool owns(const void *self, const void *pointer) {
    return th_slab_owns(self, pointer);
}

static size_t usable_size(const void *self, const void *pointer) {
    const th_slab *slab = self;
    return th_slab_requested_size(slab, pointer) > 0 ? slab->config.object_bytes : 0;
}

static th_status check(const void *self, th_fault *fault) {
    return th_slab_check(self, fault);
}

th_allocator th_slab_allocator(th_slab *slab) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_object,
                                             .resize_in_place = resize_in_place,
                                             .resize = resize,
                                             .reset = reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = check};
    return (th_allocator){.table = &table, .self = slab};
}
