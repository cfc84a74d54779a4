/* SPDX-License-Identifier: MIT */
/* A heap that is frozen between two phases is changed all the same.
 *
 * guards:   tagheap: change of a frozen heap: expected 0x00000000 found 0x00000001
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    void *settings = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_freeze(&heap);
    (void)th_heap_realloc(&heap, settings, 80); /* guilty */
    return 0;
}
