/* SPDX-License-Identifier: MIT */
/* A large block is freed twice: nothing is known of it any more, so it is foreign.
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
    misuse_start_large_elsewhere(argc, argv);
    void *block = th_large_alloc(&large, 5000);
    th_large_free(&large, block);
    th_large_free(&large, block); /* guilty */
    return 0;
}
