/* SPDX-License-Identifier: MIT */
/* One byte after the requested size is read. Guards see no reads.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     use-after-poison READ of size 1
 * memcheck: Invalid read of size 1
 * msan:     use-of-uninitialized-value
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 8);
    const unsigned char *payload = th_heap_alloc(&heap, 10, 0x1001);
    if (payload[10] == 'A') { /* guilty */
        exit(1);
    }
    return 0;
}
