/* SPDX-License-Identifier: MIT */
/* A block of a size class is freed under its old address, after a resize has moved it.
 *
 * guards:   tagheap: double free: block 0 tag 0x0000 byte 0 expected 0x00000000 found 0x00000000
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_classes(argc, argv);
    void *block = th_classes_alloc(&classes, 100);
    (void)th_classes_realloc(&classes, block, 1000);
    th_classes_free(&classes, block); /* guilty */
    return 0;
}
