/* SPDX-License-Identifier: MIT */
/* A block is written to where it lay before compaction moved it.
 *
 * guards:   tagheap: write after free: block 16 tag 0x7fff byte 96 expected 0xfdfdfdfd found
 *           0xfdfdfd41
 * level 2:  same
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    void *hole = th_heap_alloc(&heap, 40, 0x1001);
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1002);
    (void)th_heap_free(&heap, hole);
    (void)th_heap_compact(&heap, NULL, NULL);
    payload[8] = 'A'; /* guilty */
    (void)th_heap_alloc(&heap, 40, 0x1003);
    return 0;
}
