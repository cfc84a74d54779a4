/* SPDX-License-Identifier: MIT */
/* At alignment 16 the 8 bytes below a payload only fill up its header.
 *
 * guards:   tagheap: header smashed: block 0 tag 0x1001 byte 20 expected 0x8a25dc68 found
 *           0x3ba7312e
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 16);
    unsigned char *payload = th_heap_alloc(&heap, 16, 0x1001);
    payload[-1] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
