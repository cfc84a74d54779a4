/* SPDX-License-Identifier: MIT */
/* A write so far off that it lands in another live block: nothing can tell it from that owner's.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     nothing
 * memcheck: nothing
 * msan:     nothing
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_alloc(&heap, 40, 0x1002);
    payload[40 + 24] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
