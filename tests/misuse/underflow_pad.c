/* SPDX-License-Identifier: MIT */
/* At alignment 16 the 8 bytes below a payload only fill up its header: no guard covers them.
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
    misuse_start(argc, argv, 16);
    unsigned char *payload = th_heap_alloc(&heap, 16, 0x1001);
    payload[-1] = 'A'; /* guilty */
    (void)th_heap_free(&heap, payload);
    return 0;
}
