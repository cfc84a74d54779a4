/* SPDX-License-Identifier: MIT */
/* A block is written to after it was freed, and before its memory is used again.
 *
 * guards:   tagheap: write after free: block 0 tag 0x7fff byte 32 expected 0xfdfdfdfd found
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
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_free(&heap, payload);
    payload[8] = 'A'; /* guilty */
    (void)th_heap_alloc(&heap, 20, 0x1002);
    return 0;
}
