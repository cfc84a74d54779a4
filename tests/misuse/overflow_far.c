/* SPDX-License-Identifier: MIT */
/* The calls after the overflow have to do with other blocks only: level 3 looks at all of them.
 *
 * guards:   tagheap: canary smashed: block 0 tag 0x1001 byte 34 expected 0x000000ec found
 *           0x00000041
 * level 2:  nothing
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    unsigned char *payload = th_heap_alloc(&heap, 10, 0x1001);
    void *other = th_heap_alloc(&heap, 10, 0x4001);
    payload[10] = 'A'; /* guilty */
    (void)th_heap_free(&heap, other);
    return 0;
}
