/* SPDX-License-Identifier: MIT */
/* One byte after the newest block of an arena is written.
 *
 * guards:   tagheap: canary smashed: block 0 tag 0x0000 byte 10 expected 0x00000004 found
 *           0x00000041
 * level 2:  same
 * level 1:  same
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
    unsigned char *payload = th_arena_alloc(&arena, 10);
    payload[10] = 'A'; /* guilty */
    (void)th_arena_alloc(&arena, 10);
    return 0;
}
