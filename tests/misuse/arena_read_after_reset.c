/* SPDX-License-Identifier: MIT */
/* A block of an arena is read after the reset that freed it.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     use-after-poison READ of size 1
 * memcheck: Invalid read of size 1
 * msan:     use-of-uninitialized-value
 */
#include "misuse.h"

#include "tagheap/arena.h"

static th_arena arena;

int main(int argc, char **argv) {
    const th_arena_config config = {.memory = memory.region,
                                    .memory_bytes = sizeof memory.region,
                                    .guarding = {.level = misuse_level(argc, argv)}};
    if (th_arena_init(&arena, &config) != TH_OK) {
        exit(2);
    }
    unsigned char *payload = th_arena_alloc(&arena, 40);
    payload[8] = 'B';
    (void)th_arena_reset(&arena);
    if (payload[8] == 'A') { /* guilty */
        exit(1);
    }
    return 0;
}
