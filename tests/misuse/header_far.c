/* SPDX-License-Identifier: MIT */
/* A header is smashed (its requested size, here), and the next call has to do with other blocks.
 *
 * guards:   tagheap: header smashed: block 10 tag 0x1002 byte 60 expected 0x661ae374 found
 *           0xc659df75
 * level 2:  nothing
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    unsigned char *payload = th_heap_alloc(&heap, 16, 0x1001);
    (void)th_heap_alloc(&heap, 16, 0x1002);
    void *other = th_heap_alloc(&heap, 10, 0x4001);
    payload[16 + 12] = 'A'; /* guilty */
    (void)th_heap_free(&heap, other);
    return 0;
}
