/* SPDX-License-Identifier: MIT */
/* One byte after a large block is written, in its last page.
 *
 * guards:   tagheap: canary smashed: byte 5000 expected 0x0000004e found 0x00000041
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_large(argc, argv);
    unsigned char *block = th_large_alloc(&large, 5000);
    block[5000] = 'A'; /* guilty */
    th_large_free(&large, block);
    return 0;
}
