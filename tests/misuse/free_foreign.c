/* SPDX-License-Identifier: MIT */
/* A pointer is freed that is not of this heap.
 *
 * guards:   tagheap: foreign pointer: expected 0x00000000 found 0x00000400
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    (void)th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_free(&heap, memory.outside); /* guilty */
    return 0;
}
