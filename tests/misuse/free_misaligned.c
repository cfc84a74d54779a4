/* SPDX-License-Identifier: MIT */
/* A pointer is freed at which no payload can begin.
 *
 * guards:   tagheap: misaligned pointer: byte 25 expected 0x00000018 found 0x00000019
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
    (void)th_heap_free(&heap, payload + 1); /* guilty */
    return 0;
}
