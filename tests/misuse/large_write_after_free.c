/* SPDX-License-Identifier: MIT */
/* A large block is written after it was freed: its pages are not there any more.
 *
 * guards:   SIGSEGV
 * level 2:  same
 * level 1:  same
 * asan:     SEGV on unknown address
 * memcheck: Invalid write of size 1
 * msan:     SEGV on unknown address
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_large(argc, argv);
    unsigned char *block = th_large_alloc(&large, 5000);
    th_large_free(&large, block);
    block[20] = 'A'; /* guilty */
    return 0;
}
