/* SPDX-License-Identifier: MIT */
/* A block is read where it lay before compaction moved it.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     use-after-poison READ of size 1
 * memcheck: Invalid read of size 1
 * msan:     use-of-uninitialized-value
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    void *hole = th_heap_alloc(&heap, 40, 0x1001);
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1002);
    payload[8] = 'B';
    (void)th_heap_free(&heap, hole);
    (void)th_heap_compact(&heap, NULL, NULL);
    if (payload[8] == 'A') { /* guilty */
        exit(1);
    }
    return 0;
}
