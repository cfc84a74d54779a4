/* SPDX-License-Identifier: MIT */
/* Objects that fill their place in a pool: the byte after one belongs to the next one, and there
 * is nothing between them that anybody could watch.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     nothing
 * memcheck: nothing
 * msan:     nothing
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_pool(argc, argv, 48);
    unsigned char *object = th_pool_alloc(&pool);
    (void)th_pool_alloc(&pool);
    object[48] = 'A'; /* guilty */
    th_pool_free(&pool, object);
    return 0;
}
