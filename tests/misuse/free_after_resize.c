/* SPDX-License-Identifier: MIT */
/* A block is freed where it lay before a resize moved it.
 *
 * guards:   tagheap: double free: block 0 tag 0x7fff byte 24 expected 0x00000018 found
 *           0x00000018
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    void *payload = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_alloc(&heap, 40, 0x1002);
    (void)th_heap_realloc(&heap, payload, 80);
    (void)th_heap_free(&heap, payload); /* guilty */
    return 0;
}
