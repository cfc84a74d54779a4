/* SPDX-License-Identifier: MIT */
/* What a new block holds is indeterminate.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     nothing
 * memcheck: Conditional jump or move depends on uninitialised value(s)
 * msan:     use-of-uninitialized-value
 */
#include "misuse.h"

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    const unsigned char *payload = th_heap_alloc(&heap, 40, 0x1001);
    if (payload[8] == 'A') { /* guilty */
        exit(1);
    }
    return 0;
}
