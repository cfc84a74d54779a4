/* SPDX-License-Identifier: MIT */
/* Which blocks nobody can reach any more when a program ends: what Valgrind's memcheck calls
 * definitely, indirectly and possibly lost, and still reachable, found from outside.
 *
 * A block is reachable if a word that holds its address lies in a writable segment of a loaded
 * file, in other writable memory, on a stack, in a register, or in a reachable block. It is
 * possibly lost if only addresses inside of it are found. Of what is neither, what no other lost
 * block points to is definitely lost, the rest indirectly. */
#ifndef LAB_TRACK_LEAKS_H
#define LAB_TRACK_LEAKS_H

#include "track/image.h"

/* Clears what a fresh block holds of earlier ones, from byte `from` on: stale addresses would be
 * found there. */
void lab_leaks_wipe(void *block, size_t from);

/* For each site what is left of it, in memory of the allocator's, which never takes any back. NULL:
 * no memory, or the system does not tell where memory is. Nothing of this thread's stack below the
 * address counts. */
lab_track_leak *lab_leaks_find(const th_tracker *tracker, th_allocator memory, uintptr_t stack);

#endif
