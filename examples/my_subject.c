/* SPDX-License-Identifier: MIT */
/* A whole plug-in for heaplab, explained in docs/your-allocator.md: cells of one size. */
#include "subjects/subject.h"
#include <stdlib.h>

enum { CELL = 64, CELLS = 128 };

typedef struct cells {
    th_allocator backing;
    unsigned char *memory;
    unsigned char used[CELLS];
} cells;

static void *cells_alloc(void *self, size_t bytes, size_t alignment) {
    cells *c = self;
    for (size_t i = 0; bytes <= CELL && alignment <= CELL && i < CELLS; i++) {
        if (!c->used[i]) {
            c->used[i] = 1;
            return c->memory + i * CELL;
        }
    }
    return NULL;
}

static void cells_free(void *self, void *pointer) {
    ((cells *)self)->used[((uintptr_t)pointer - (uintptr_t)((cells *)self)->memory) / CELL] = 0;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = cells_alloc, .free = cells_free};
    cells *c = calloc(1, sizeof *c);
    if (c != NULL) {
        c->backing = setup->backing;
        c->memory = th_allocator_alloc_aligned(setup->backing, CELL * CELLS, CELL);
    }
    if (c == NULL || c->memory == NULL) {
        free(c);
        return false; /* the budget is too small */
    }
    *instance = (lab_instance){.state = c,
                               .allocator = {&table, c},
                               .bytes_max = CELL,
                               .alignment_max = CELL,
                               .blocks_guaranteed = CELLS};
    return true;
}

static void destroy(void *state) {
    cells *c = state;
    th_allocator_free(c->backing, c->memory);
    free(c);
}

const lab_subject lab_subject_export = {.version = LAB_SUBJECT_VERSION,
                                        .name = "cells",
                                        .purpose = "an example",
                                        .flags = LAB_SUBJECT_FREES,
                                        .create = create,
                                        .destroy = destroy};
