/* SPDX-License-Identifier: MIT */
/* One byte after a block of 100 bytes is written, in the class of 112.
 *
 * guards:   tagheap: canary smashed: block 0 tag 0x0000 byte 100 expected 0x00000062 found
 *           0x00000041
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_classes(argc, argv);
    unsigned char *block = th_classes_alloc(&classes, 100);
    (void)th_classes_alloc(&classes, 100);
    block[100] = 'A'; /* guilty */
    th_classes_free(&classes, block);
    return 0;
}
