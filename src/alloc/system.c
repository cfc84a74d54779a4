/* SPDX-License-Identifier: MIT */
/* The system's malloc, as an allocator. */
#define _POSIX_C_SOURCE 200112L

#include <stdalign.h>
#include <stdlib.h>

#include "alloc/moving.h"

/* Is malloc's own alignment enough? It need only suit objects that fit into the block. */
static bool is_natural(size_t bytes, size_t alignment) {
    return alignment <= alignof(max_align_t) && alignment <= bytes;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    void *block = NULL;
    (void)self;
    if (is_natural(bytes, alignment)) {
        return malloc(bytes);
    }
    if (alignment > PTRDIFF_MAX - bytes) {
        return NULL; /* wherever malloc looks for it, it would go round the address space */
    }
    if (alignment < sizeof(void *)) {
        alignment = sizeof(void *);
    }
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

static void free_block(void *self, void *pointer) {
    (void)self;
    free(pointer);
}

/* realloc keeps no alignment beyond malloc's. */
static void *move(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    (void)self;
    if (is_natural(bytes, alignment)) {
        return realloc(pointer, bytes);
    }
    return th_move_by_copy(th_system_allocator(), pointer, kept, bytes, alignment);
}

th_allocator th_system_allocator(void) {
    static const th_allocator_table table = {.alloc = alloc, .free = free_block, .realloc = move};
    return (th_allocator){.table = &table, .self = NULL};
}
