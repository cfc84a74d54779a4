/* SPDX-License-Identifier: MIT */
/* A pointer into a block is freed.
 *
 * guards:   tagheap: not a block: block 0 tag 0x1001 byte 32 expected 0x00000018 found
 *           0x00000020
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_free(&heap, payload + 8); /* guilty */
    return 0;
}
