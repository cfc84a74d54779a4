/* SPDX-License-Identifier: MIT */
/* No misuse: after th_heap_clean_up the region is the caller's again, all of it.
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
    misuse_start(argc, argv, 4);
    unsigned char *payload = th_heap_alloc(&heap, 10, 0x1001);
    (void)th_heap_alloc(&heap, 20, 0x4001);
    payload[0] = 'A';
    (void)th_heap_free(&heap, payload);
    th_heap_clean_up(&heap);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof memory.region; i++) {
        sum += memory.region[i] == 'A';
        memory.region[i] = 1;
        sum += memory.region[i];
    }
    if (sum < sizeof memory.region) {
        exit(1);
    }
    return 0;
}
