/* SPDX-License-Identifier: MIT */
/* The arena's part in allocators that are built on it. */
#ifndef TH_ALLOC_ARENA_H
#define TH_ALLOC_ARENA_H

#include "tagheap/arena.h"

/* th_allocator_table.resize for a block of the arena. */
void *th_arena_move(th_arena *arena, void *pointer, size_t kept, size_t bytes, size_t alignment);

#endif
