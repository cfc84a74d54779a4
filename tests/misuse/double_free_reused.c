/* SPDX-License-Identifier: MIT */
/* Between the two frees the same memory was handed out again: the second one frees another owner's
 * block, and nothing can tell.
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
    (void)th_heap_free(&heap, payload);
    (void)th_heap_alloc(&heap, 40, 0x1002);
    (void)th_heap_free(&heap, payload); /* guilty */
    return 0;
}
