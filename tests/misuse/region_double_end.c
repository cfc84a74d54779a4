/* SPDX-License-Identifier: MIT */
/* A region is ended twice.
 *
 * guards:   tagheap: double free: expected 0x00000001 found 0x00000003
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

#include "tagheap/bump.h"
#include "tagheap/region.h"

int main(int argc, char **argv) {
    th_bump bump;
    if (th_bump_init(&bump, memory.region, sizeof memory.region, NULL) != TH_OK) {
        exit(2);
    }
    const th_arena_config config = {.backing = th_bump_allocator(&bump),
                                    .chunk_bytes = 256,
                                    .guarding = {.level = misuse_level(argc, argv)}};
    th_region root;
    if (th_region_init(&root, &config) != TH_OK) {
        exit(2);
    }
    th_region *phase = th_region_create(&root);
    (void)th_region_destroy(phase);
    (void)th_region_destroy(phase); /* guilty */
    return 0;
}
