/* SPDX-License-Identifier: MIT */
/* An arena is rolled back to a mark that an earlier rollback has made stale.
 *
 * guards:   tagheap: double free: expected 0x00000000 found 0x00000028
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
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
    th_arena_mark first = th_arena_take_mark(&arena);
    (void)th_arena_alloc(&arena, 40);
    th_arena_mark second = th_arena_take_mark(&arena);
    (void)th_arena_rollback(&arena, &first);
    (void)th_arena_rollback(&arena, &second); /* guilty */
    return 0;
}
