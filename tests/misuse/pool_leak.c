/* SPDX-License-Identifier: MIT */
/* An object of a pool is never freed. No tool counts the objects; th_pool_get_stats does.
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
    misuse_start_pool(argc, argv, 40);
    void *object = th_pool_alloc(&pool);
    if (object == NULL || th_pool_get_stats(&pool).live != 1) {
        exit(1);
    }
    object = NULL; /* guilty */
    return 0;
}
