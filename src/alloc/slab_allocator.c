/* SPDX-License-Identifier: MIT */
/* The slab allocator behind the common interface. */
#include "alloc/moving.h"
#include "alloc/thunks.h"
#include "tagheap/slab.h"

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_slab *slab = self;
    return alignment <= slab->alignment ? th_slab_alloc_bytes(slab, bytes) : NULL;
}

TH_THUNKS(slab);
TH_THUNK_RESIZE_IN_PLACE(slab);

static size_t usable_size(const void *self, const void *pointer) {
    const th_slab *slab = self;
    return th_slab_requested_size(slab, pointer) > 0 ? slab->config.object_bytes : 0;
}

th_allocator th_slab_allocator(th_slab *slab) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .resize_in_place = th_slab_thunk_resize_in_place,
                                             .realloc = th_realloc_impossible,
                                             .usable_size = usable_size,
                                             TH_THUNKS_OF(slab)};
    return th_allocator_of(&table, slab);
}
