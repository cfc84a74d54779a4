/* SPDX-License-Identifier: MIT */
/* A pointer is given to a slab allocator that it never gave out.
 *
 * guards:   tagheap: foreign pointer: expected 0x00000000 found 0x20000000
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_slab(argc, argv, 40);
    (void)th_slab_alloc(&slab);
    th_slab_free(&slab, MISUSE_ELSEWHERE); /* guilty */
    return 0;
}
