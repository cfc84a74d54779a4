/* SPDX-License-Identifier: MIT */
/* A request that fills its block: the byte after it is the next header.
 *
 * guards:   tagheap: header smashed: block 10 tag 0x1002 byte 60 expected 0xc659df34 found
 *           0xc659df75
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    unsigned char *payload = th_heap_alloc(&heap, 16, 0x1001);
    (void)th_heap_alloc(&heap, 16, 0x1002);
    payload[16] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
