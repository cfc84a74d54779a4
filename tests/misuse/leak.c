/* SPDX-License-Identifier: MIT */
/* A block that is never freed. No tool counts what lies inside a region; th_heap_get_stats does.
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
    void *payload = th_heap_alloc(&heap, 40, 0x1001);
    th_heap_stats stats = th_heap_get_stats(&heap);
    if (payload == NULL || stats.head_blocks != 1) {
        exit(1);
    }
    payload = NULL; /* guilty */
    return 0;
}
