/* SPDX-License-Identifier: MIT */
/* A block is read after all blocks of its tag were freed.
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
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_alloc(&heap, 40, 0x1002);
    payload[8] = 'B';
    (void)th_heap_free_tags(&heap, 0x1001, 0x1001);
    if (payload[8] == 'A') { /* guilty */
        exit(1);
    }
    return 0;
}
