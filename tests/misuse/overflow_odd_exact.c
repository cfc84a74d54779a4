/* SPDX-License-Identifier: MIT */
/* As overflow_odd, but the request fills its block: the next header begins in the middle of the 8
 * bytes in which the payload ends.
 *
 * guards:   tagheap: header smashed: block 15 tag 0x1003 byte 80 expected 0xa428347e found
 *           0xa4283438
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
    unsigned char *payload = th_heap_alloc(&heap, 8, 0x1002);
    (void)th_heap_alloc(&heap, 8, 0x1003);
    payload[8] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
