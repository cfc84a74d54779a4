/* SPDX-License-Identifier: MIT */
/* memset by a pointer that the compiler must read at each call: a volatile object may hold any
 * function, and what that does with the memory nobody can know. */
#include "tagheap/wipe.h"

#include <string.h>

static void *(*volatile const set)(void *, int, size_t) = memset;

void th_memory_wipe(void *memory, size_t bytes) {
    if (memory != NULL) {
        (void)set(memory, 0, bytes);
    }
}
