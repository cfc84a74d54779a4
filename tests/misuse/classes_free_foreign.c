/* SPDX-License-Identifier: MIT */
/* A pointer is given to an allocator of size classes that it never gave out.
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
    misuse_start_classes(argc, argv);
    (void)th_classes_alloc(&classes, 100);
    th_classes_free(&classes, MISUSE_ELSEWHERE); /* guilty */
    return 0;
}
