/* SPDX-License-Identifier: MIT */
/* A freed block of a size class is written.
 *
 * guards:   tagheap: write after free: block 0 tag 0x0000 byte 20 expected 0x000000fd found
 *           0x00000041
 * level 2:  same
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_classes(argc, argv);
    unsigned char *block = th_classes_alloc(&classes, 100);
    (void)th_classes_alloc(&classes, 100);
    th_classes_free(&classes, block);
    block[20] = 'A'; /* guilty */
    (void)th_classes_alloc(&classes, 100);
    return 0;
}
