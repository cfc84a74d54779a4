/* SPDX-License-Identifier: MIT */
/* The byte below a payload is its header's last.
 *
 * guards:   tagheap: header smashed: block 0 tag 0x1001 byte 20 expected 0x03a7312e found
 *           0x41a7312e
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
    payload[-1] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
