/* SPDX-License-Identifier: MIT */
/* The heap is called from inside its own move callback.
 *
 * guards:   tagheap: re-entry from callback: expected 0x00000000 found 0x00000001
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

static bool free_it(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)to;
    (void)bytes;
    (void)th_heap_free(&heap, from); /* guilty */
    return true;
}

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    void *hole = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_alloc(&heap, 40, 0x1002);
    (void)th_heap_free(&heap, hole);
    (void)th_heap_compact(&heap, free_it, NULL);
    return 0;
}
