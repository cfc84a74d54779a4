/* SPDX-License-Identifier: MIT */
/* A pointer is given to an allocator of large blocks that it never gave out.
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
    misuse_start_large(argc, argv);
    (void)th_large_alloc(&large, 5000);
    th_large_free(&large, MISUSE_ELSEWHERE); /* guilty */
    return 0;
}
