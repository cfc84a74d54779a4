/* SPDX-License-Identifier: MIT */
/* A plug-in for test_plugin.py: first fit in units of 16 bytes, whose lengths stand in a table
 * beside the memory. It is right, or, compiled with -DMISTAKE=NAME, has one of the mistakes below.
 */
#include <stdlib.h>
#include <string.h>

#include "subjects/subject.h"

enum mistake {
    NONE,
    SIZE_IN_16_BITS,
    SIZE_IN_AN_INT,
    SIZE_IN_32_BITS,
    SIZE_IN_33_BITS,
    UNITS_IN_32_BITS,
    ROUNDED_UP_IN_32_BITS,
    ALIGNMENT_IN_32_BITS,
    ARRAY_IN_32_BITS,
    ARRAY_WRAPS,
    RESIZED_IN_32_BITS,
    USABLE_IS_A_UNIT_MORE,
    USABLE_IS_A_PAGE,
    USABLE_CANNOT_BE_HAD,
    USABLE_IS_NOT_KEPT,
    ONE_BLOCK_TAKES_ALL,
    A_UNIT_IS_LOST
};

#ifndef MISTAKE
#define MISTAKE NONE
#endif

#define IS(mistake) (MISTAKE == (mistake))

enum { UNIT = 16, PAGE = 4096, UNITS_MAX = 1 << 15, LOSES_ONE_IN = 8 };

typedef struct units {
    th_allocator backing;
    unsigned char *memory;
    size_t count;
    unsigned frees;
    size_t length[UNITS_MAX]; /* of the block that begins there, in units; 0: none does */
    bool used[UNITS_MAX];
} units;

/* In units; 0: no block is so large. */
static size_t length_of(size_t bytes) {
    bytes = IS(SIZE_IN_16_BITS) ? (uint16_t)bytes : bytes;
    bytes = IS(SIZE_IN_AN_INT) ? (size_t)abs((int)bytes) : bytes;
    bytes = IS(SIZE_IN_32_BITS) ? (uint32_t)bytes : bytes;
    bytes = IS(SIZE_IN_33_BITS) ? bytes & 0x1FFFFFFFF : bytes;
    size_t length = bytes / UNIT + (bytes % UNIT != 0);
    length = IS(UNITS_IN_32_BITS) ? (uint32_t)length : length;
    return IS(ROUNDED_UP_IN_32_BITS) ? (uint32_t)(bytes + UNIT - 1) / UNIT : length;
}

static bool is_free(const units *u, size_t from, size_t length) {
    for (size_t i = from; i < from + length; i++) {
        if (u->used[i]) {
            return false;
        }
    }
    return true;
}

static void take(units *u, size_t from, size_t length) {
    memset(u->used + from, 1, length);
    u->length[from] = length;
}

static void *units_alloc(void *self, size_t bytes, size_t alignment) {
    units *u = self;
    size_t length = length_of(bytes);
    alignment = IS(ALIGNMENT_IN_32_BITS) ? (uint32_t)alignment : alignment;
    alignment = alignment < UNIT ? UNIT : alignment;
    for (size_t i = 0; length != 0 && length <= u->count && i <= u->count - length; i++) {
        if (((uintptr_t)(u->memory + i * UNIT) & (alignment - 1)) == 0 && is_free(u, i, length)) {
            if (IS(USABLE_IS_NOT_KEPT) && i > 0) {
                u->memory[i * UNIT - 1] = 0;
            }
            take(u, i, IS(ONE_BLOCK_TAKES_ALL) && i == 0 ? u->count : length);
            return u->memory + i * UNIT;
        }
    }
    return NULL;
}

static size_t index_of(const units *u, const void *pointer) {
    return (size_t)((const unsigned char *)pointer - u->memory) / UNIT;
}

static void units_free(void *self, void *pointer) {
    units *u = self;
    size_t i = index_of(u, pointer);
    bool loses = IS(A_UNIT_IS_LOST) && ++u->frees % LOSES_ONE_IN == 0;
    memset(u->used + i, 0, u->length[i] - loses);
    u->length[i] = 0;
}

static bool units_resize(void *self, void *pointer, size_t bytes) {
    units *u = self;
    size_t i = index_of(u, pointer);
    size_t old = u->length[i];
    size_t length = length_of(IS(RESIZED_IN_32_BITS) ? (uint32_t)bytes : bytes);
    bool refuses = IS(USABLE_CANNOT_BE_HAD) && bytes > old * UNIT / 2;
    if (refuses || length == 0 || length > u->count - i ||
        (length > old && !is_free(u, i + old, length - old))) {
        return false;
    }
    memset(u->used + i, 0, old);
    take(u, i, length);
    return true;
}

static size_t units_usable(const void *self, const void *pointer) {
    const units *u = self;
    size_t length = u->length[index_of(u, pointer)];
    size_t bytes = (length + IS(USABLE_IS_A_UNIT_MORE)) * UNIT;
    return IS(USABLE_IS_A_PAGE) && bytes < PAGE ? PAGE : bytes;
}

static void *units_array(void *self, size_t count, size_t size) {
    size_t bytes = count * size;
    if (IS(ARRAY_IN_32_BITS)) {
        bytes = (uint32_t)bytes;
    }
    if (size == 0 || (!IS(ARRAY_WRAPS) && count > PTRDIFF_MAX / size) || bytes > PTRDIFF_MAX) {
        return NULL;
    }
    void *block = bytes != 0 ? units_alloc(self, bytes, TH_ALLOCATOR_ALIGNMENT) : NULL;
    return block != NULL ? memset(block, 0, bytes) : NULL;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = units_alloc,
                                             .free = units_free,
                                             .resize_in_place = units_resize,
                                             .usable_size = units_usable};
    units *u = calloc(1, sizeof *u);
    if (u == NULL) {
        return false;
    }
    u->backing = setup->backing;
    u->count = setup->bytes / UNIT < UNITS_MAX ? setup->bytes / UNIT : UNITS_MAX;
    u->memory = th_allocator_alloc_aligned(u->backing, u->count * UNIT, PAGE);
    if (u->memory == NULL) {
        free(u);
        return false; /* the budget is too small */
    }
    *instance = (lab_instance){
        .state = u, .allocator = {&table, u}, .holds = u->count * UNIT, .holds_extra = UNIT};
    return true;
}

static void destroy(void *state) {
    units *u = state;
    th_allocator_free(u->backing, u->memory);
    free(u);
}

const lab_subject lab_subject_export = {.version = LAB_SUBJECT_VERSION,
                                        .name = "units",
                                        .purpose = "first fit, for tests",
                                        .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_WRITABLE,
                                        .create = create,
                                        .destroy = destroy,
                                        .alloc_array = units_array};
