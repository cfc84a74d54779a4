/* SPDX-License-Identifier: MIT */
/* A freed object of a pool is written where its link to the next free one stands.
 *
 * guards:   tagheap: chain broken: block 0 tag 0x0000 byte 0 expected 0x00000000 found 0x20000000
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 8
 * memcheck: Invalid write of size 8
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_pool(argc, argv, 40);
    void **object = th_pool_alloc(&pool);
    th_pool_free(&pool, object);
    *object = MISUSE_ELSEWHERE; /* guilty */
    (void)th_pool_alloc(&pool);
    return 0;
}
