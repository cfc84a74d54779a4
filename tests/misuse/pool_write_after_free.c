/* SPDX-License-Identifier: MIT */
/* A freed object of a pool is written.
 *
 * guards:   tagheap: write after free: block 0 tag 0x0000 byte 20 expected 0x000000fd found
 *           0x00000041
 * level 2:  same
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

#include "tagheap/pool.h"

static th_pool pool;

int main(int argc, char **argv) {
    const th_pool_config config = {.object_bytes = 40,
                                   .memory = memory.region,
                                   .memory_bytes = sizeof memory.region,
                                   .guarding = {.level = misuse_level(argc, argv)}};
    if (th_pool_init(&pool, &config) != TH_OK) {
        exit(2);
    }
    unsigned char *object = th_pool_alloc(&pool);
    th_pool_free(&pool, object);
    object[20] = 'A'; /* guilty */
    (void)th_pool_alloc(&pool);
    return 0;
}
