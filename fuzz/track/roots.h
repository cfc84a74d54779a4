/* SPDX-License-Identifier: MIT */
/* The memory of a process in which addresses of blocks may be found, without malloc's own. */
#ifndef LAB_TRACK_ROOTS_H
#define LAB_TRACK_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"

typedef struct lab_root {
    uintptr_t start;
    uintptr_t end;
    bool is_mallocs; /* malloc's own lists are in it: where chunks begin is no pointer of the
                        program's */
} lab_root;

typedef struct lab_roots {
    lab_root *list; /* sorted, apart from each other; in the allocator's memory */
    size_t count;
    lab_root *readable; /* all memory that can be read, likewise */
    size_t readable_count;
} lab_roots;

/* A block of the program's, as it is asked for. */
typedef struct lab_root_block {
    uintptr_t address;
    size_t bytes;
} lab_root_block;

/* blocks[0 .. count-1] are all of malloc's, by their addresses. False: no memory, or the system
 * does not tell. */
bool lab_roots_find(lab_roots *roots, const lab_root_block *blocks, size_t count,
                    th_allocator memory, uintptr_t stack);

/* Can all of it be read? */
bool lab_roots_is_readable(const lab_roots *roots, uintptr_t start, uintptr_t end);

#endif
