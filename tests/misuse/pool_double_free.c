/* SPDX-License-Identifier: MIT */
/* An object of a pool is freed twice.
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
    misuse_start_pool(argc, argv, 40);
    void *object = th_pool_alloc(&pool);
    (void)th_pool_alloc(&pool);
    th_pool_free(&pool, object);
    th_pool_free(&pool, object); /* guilty */
    return 0;
}
