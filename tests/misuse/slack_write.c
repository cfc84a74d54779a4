/* SPDX-License-Identifier: MIT */
/* What was given up by a resize still belongs to the block, but to nobody.
 *
 * guards:   tagheap: canary smashed: block 0 tag 0x1001 byte 44 expected 0x00000036 found
 *           0x00000041
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    payload = th_heap_realloc(&heap, payload, 8);
    payload[20] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
