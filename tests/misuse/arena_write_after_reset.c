/* SPDX-License-Identifier: MIT */
/* A block of an arena is written after the reset that freed it.
 *
 * guards:   tagheap: write after free: block 0 tag 0x0000 byte 8 expected 0x000000fd found
 *           0x00000042
 * level 2:  same
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
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
    payload[8] = 'A';
    (void)th_arena_reset(&arena);
    payload[8] = 'B'; /* guilty */
    (void)th_arena_alloc(&arena, 40);
    return 0;
}
