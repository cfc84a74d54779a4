/* SPDX-License-Identifier: MIT */
/* Low memory: the lowest live slot is freed, once in an operation. */
#include "program/low_memory.h"

size_t low_bytes;

static bool count_call(void *context, th_heap *from, size_t bytes) {
    (void)from;
    (void)bytes;
    (*(unsigned *)context)++;
    return false;
}

/* A copy made inside the callback is not itself inside one: it asks its own. */
static void expect_copy_asks(th_heap *from) {
    th_heap copy;
    unsigned calls = 0;
    memset(&copy, 0, sizeof copy);
    if (th_heap_copy(from, &copy, arenas[1 - arena] + START) != TH_OK) {
        differ(NAME_LOW_MEMORY, "copy", 1, 0);
    }
    copy.config.low_memory = count_call;
    copy.config.low_memory_context = &calls;
    (void)th_heap_alloc(&copy, 4 * (size_t)DWORDS, 0);
    forget(&copy);
    expect(NAME_LOW_MEMORY, "copy asks", 1, calls);
}

bool low_memory(void *context, th_heap *from, size_t bytes) {
    (void)context;
    if (attacking) {
        return false;
    }
    low_calls++;
    expect(NAME_LOCK, "in low memory", 0, (uint64_t)lock_depth);
    expect(NAME_LOW_MEMORY, "bytes", low_bytes, bytes);
    if (low_calls > 1 || low_victim < 0) {
        return false;
    }
    if (th_heap_alloc(from, 4 * (size_t)DWORDS, 0) != NULL) {
        differ(NAME_LOW_MEMORY, "inner", 0, 1);
    }
    if (low_victim % 4 == 3) {
        expect_copy_asks(from);
    }
    (void)th_heap_free(from, slot[low_victim]);
    slot[low_victim] = NULL;
    return true;
}
