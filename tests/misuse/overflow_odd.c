/* SPDX-License-Identifier: MIT */
/* At alignment 4 a payload may begin in the middle of 8 bytes, and end there: what the guards and
 * the tools report is still exact.
 *
 * guards:   tagheap: canary smashed: block 7 tag 0x1002 byte 57 expected 0x0000003b found
 *           0x00000041
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    (void)th_heap_alloc(&heap, 4, 0x1001);
    unsigned char *payload = th_heap_alloc(&heap, 5, 0x1002);
    payload[5] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
