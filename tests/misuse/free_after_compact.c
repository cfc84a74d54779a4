/* SPDX-License-Identifier: MIT */
/* A block is freed where it lay before compaction moved it.
 *
 * guards:   tagheap: double free: block 16 tag 0x7fff byte 88 expected 0x00000058 found
 *           0x00000058
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    void *hole = th_heap_alloc(&heap, 40, 0x1001);
    void *payload = th_heap_alloc(&heap, 40, 0x1002);
    (void)th_heap_free(&heap, hole);
    (void)th_heap_compact(&heap, NULL, NULL);
    (void)th_heap_free(&heap, payload); /* guilty */
    return 0;
}
