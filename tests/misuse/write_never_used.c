/* SPDX-License-Identifier: MIT */
/* A write into free memory that no block has ever used: it holds no poison yet.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     nothing
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    payload[200] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
