/* SPDX-License-Identifier: MIT */
#include "tagheap/allocator.h"

#include <string.h>

#include "alloc/moving.h"
#include "base/align.h"
#include "base/compiler.h"
#include "base/no_fault.h"

static bool is_possible(size_t bytes) {
    return bytes > 0 && bytes <= PTRDIFF_MAX;
}

/* count * size, or 0, which nothing can be allocated for, if that overflows. */
static size_t multiply(size_t count, size_t size) {
    size_t product;
    return th_mul_overflows(count, size, &product) ? 0 : product;
}

void *th_allocator_alloc_aligned(th_allocator allocator, size_t bytes, size_t alignment) {
    if (!is_possible(bytes) || !th_is_power_of_two(alignment) || allocator.table == NULL) {
        return NULL;
    }
    return allocator.table->alloc(allocator.self, bytes, alignment);
}

void *th_allocator_alloc(th_allocator allocator, size_t bytes) {
    return th_allocator_alloc_aligned(allocator, bytes, TH_ALLOCATOR_ALIGNMENT);
}

void *th_allocator_alloc_zeroed(th_allocator allocator, size_t bytes) {
    void *block = th_allocator_alloc(allocator, bytes);
    return block != NULL ? memset(block, 0, bytes) : NULL;
}

void *th_allocator_alloc_array(th_allocator allocator, size_t count, size_t size) {
    return th_allocator_alloc(allocator, multiply(count, size));
}

void *th_allocator_alloc_array_zeroed(th_allocator allocator, size_t count, size_t size) {
    return th_allocator_alloc_zeroed(allocator, multiply(count, size));
}

void *th_allocator_duplicate(th_allocator allocator, const void *source, size_t bytes) {
    void *block = source != NULL ? th_allocator_alloc(allocator, bytes) : NULL;
    return block != NULL ? memcpy(block, source, bytes) : NULL;
}

char *th_allocator_duplicate_string(th_allocator allocator, const char *string, size_t length_max) {
    size_t length = 0;
    if (string == NULL) {
        return NULL;
    }
    while (length < length_max && string[length] != '\0') {
        length++;
    }
    char *copy = th_allocator_alloc_aligned(allocator, length + 1, 1);
    if (copy != NULL) {
        memcpy(copy, string, length);
        copy[length] = '\0';
    }
    return copy;
}

bool th_allocator_alloc_batch(th_allocator allocator, size_t bytes, size_t alignment,
                              void *blocks[], size_t count) {
    if (blocks == NULL) {
        return count == 0;
    }
    for (size_t i = 0; i < count; i++) {
        blocks[i] = th_allocator_alloc_aligned(allocator, bytes, alignment);
        if (blocks[i] == NULL) {
            th_allocator_free_batch(allocator, blocks, i);
            memset(blocks + i, 0, (count - i) * sizeof *blocks);
            return false;
        }
    }
    return true;
}

void th_allocator_free_batch(th_allocator allocator, void *blocks[], size_t count) {
    for (size_t i = count; i-- > 0;) {
        th_allocator_free(allocator, blocks[i]);
        blocks[i] = NULL;
    }
}

bool th_allocator_resize_in_place(th_allocator allocator, void *pointer, size_t bytes) {
    return pointer != NULL && is_possible(bytes) && allocator.table != NULL &&
           allocator.table->resize_in_place != NULL &&
           allocator.table->resize_in_place(allocator.self, pointer, bytes);
}

void *th_move_by_copy(th_allocator allocator, void *pointer, size_t kept, size_t bytes,
                      size_t alignment) {
    void *block = allocator.table->alloc(allocator.self, bytes, alignment);
    if (block != NULL) {
        memcpy(block, pointer, kept < bytes ? kept : bytes);
        allocator.table->free(allocator.self, pointer);
    }
    return block;
}

void *th_realloc_impossible(void *self, void *pointer, size_t kept, size_t bytes,
                            size_t alignment) {
    (void)self;
    (void)pointer;
    (void)kept;
    (void)bytes;
    (void)alignment;
    return NULL;
}

void *th_allocator_realloc(th_allocator allocator, void *pointer, size_t kept, size_t bytes,
                           size_t alignment, bool *moved) {
    uintptr_t old_address = (uintptr_t)pointer;
    void *block;
    if (moved != NULL) {
        *moved = false;
    }
    if (pointer == NULL) {
        return th_allocator_alloc_aligned(allocator, bytes, alignment);
    }
    if (bytes == 0) {
        th_allocator_free(allocator, pointer);
        return NULL;
    }
    if (!is_possible(bytes) || !th_is_power_of_two(alignment) || allocator.table == NULL) {
        return NULL;
    }
    if (th_allocator_resize_in_place(allocator, pointer, bytes)) {
        return pointer;
    }
    if (allocator.table->realloc != NULL) {
        block = allocator.table->realloc(allocator.self, pointer, kept, bytes, alignment);
    } else {
        block = th_move_by_copy(allocator, pointer, kept, bytes, alignment);
    }
    if (moved != NULL && block != NULL) {
        *moved = (uintptr_t)block != old_address;
    }
    return block;
}

void *th_allocator_realloc_array(th_allocator allocator, void *pointer, size_t count,
                                 size_t new_count, size_t size) {
    size_t kept, bytes;
    if (th_mul_overflows(count, size, &kept) || th_mul_overflows(new_count, size, &bytes)) {
        return NULL;
    }
    return th_allocator_realloc(allocator, pointer, kept, bytes, TH_ALLOCATOR_ALIGNMENT, NULL);
}

void th_allocator_free(th_allocator allocator, void *pointer) {
    if (pointer != NULL && allocator.table != NULL) {
        allocator.table->free(allocator.self, pointer);
    }
}

th_status th_allocator_reset(th_allocator allocator) {
    if (allocator.table == NULL) {
        return TH_ERR_NULL;
    }
    return allocator.table->reset != NULL ? allocator.table->reset(allocator.self)
                                          : TH_ERR_UNSUPPORTED;
}

bool th_allocator_owns(th_allocator allocator, const void *pointer) {
    return pointer != NULL && allocator.table != NULL && allocator.table->owns != NULL &&
           allocator.table->owns(allocator.self, pointer);
}

size_t th_allocator_usable_size(th_allocator allocator, const void *pointer) {
    if (pointer == NULL || allocator.table == NULL || allocator.table->usable_size == NULL) {
        return 0;
    }
    return allocator.table->usable_size(allocator.self, pointer);
}

th_status th_allocator_check(th_allocator allocator, th_fault *fault) {
    th_no_fault(fault);
    if (allocator.table == NULL) {
        return TH_ERR_NULL;
    }
    return allocator.table->check != NULL ? allocator.table->check(allocator.self, fault) : TH_OK;
}
