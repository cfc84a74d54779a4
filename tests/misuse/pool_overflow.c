/* SPDX-License-Identifier: MIT */
/* One byte after an object of a pool is written: 45 bytes take 48.
 *
 * guards:   tagheap: canary smashed: block 0 tag 0x0000 byte 45 expected 0x00000007 found
 *           0x00000041
 * level 2:  same
 * level 1:  same
 * asan:     unknown-crash WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_pool(argc, argv, 45);
    unsigned char *object = th_pool_alloc(&pool);
    (void)th_pool_alloc(&pool);
    object[45] = 'A'; /* guilty */
    th_pool_free(&pool, object);
    return 0;
}
