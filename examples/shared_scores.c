/* SPDX-License-Identifier: MIT */
/* Processes that know nothing of each other but a name keep scores in one heap, and one of them is
 * killed in the middle: the next one finds a heap that is whole.
 *
 * Three rules make memory that is shared of it:
 *   References are offsets (th_shared_ref), never pointers. So must be what lies in the blocks.
 *   A way in. Here it is a tag: the one block under ROOT_TAG is where the list begins.
 *   What is more than one call is done between lock and unlock, in an order that is right at each
 *   step: here a score is whole before the list leads to it. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"
#include "tagheap/shared_heap.h"
#include "tagheap/shared_memory.h"

enum { ROOT_TAG = 0x4001, SCORE_TAG = 0x1001, OBJECT_BYTES = 65536, PLAYERS = 4, GAMES = 50 };

typedef struct score {
    th_shared_ref next; /* 0: the last one */
    uint32_t player;
    uint32_t points;
} score;

typedef struct root {
    th_shared_ref first;
} root;

static char name[64];

static void attach(th_file_map *map, th_shared_heap *heap) {
    EXPECT(th_shared_memory_open(map, name, TH_FILE_MAP_SHARED) == TH_OK);
    th_status status = th_shared_heap_attach(heap, map->start, map->bytes, NULL);
    if (status != TH_OK) { /* says what is wrong */
        fprintf(stderr, "%s: %s\n", name, th_shared_heap_explain(map->start, map->bytes));
    }
    EXPECT(status == TH_OK);
}

static void add(th_shared_heap *heap, uint32_t player, uint32_t points) {
    EXPECT(th_shared_heap_lock(heap) == TH_OK); /* repairs, if somebody has died */
    root *begin = th_shared_heap_at(heap, th_shared_heap_find(heap, ROOT_TAG, 0));
    th_shared_ref ref = th_shared_heap_alloc(heap, sizeof(score), SCORE_TAG);
    EXPECT(ref != 0);
    score *made = th_shared_heap_at(heap, ref);
    *made = (score){.next = begin->first, .player = player, .points = points};
    begin->first = ref;
    th_shared_heap_unlock(heap);
}

/* A process of its own: it attaches, plays, and the last one is killed while it does. */
static void play(uint32_t player) {
    th_file_map map;
    th_shared_heap heap;
    attach(&map, &heap);
    for (uint32_t game = 0; game < GAMES; game++) {
        add(&heap, player, game * player);
        if (player == PLAYERS - 1 && game == GAMES / 2) {
            EXPECT(th_shared_heap_lock(&heap) == TH_OK);
            (void)kill(getpid(), SIGKILL); /* with the lock */
        }
    }
    th_shared_heap_clean_up(&heap);
    th_file_map_close(&map);
    _exit(0);
}

int main(void) {
    th_file_map map;
    th_shared_heap heap;
    (void)snprintf(name, sizeof name, "/shared_scores-%ld", (long)getpid());
    EXPECT(th_shared_memory_open_new(&map, name, OBJECT_BYTES, 0600) == TH_OK);
    EXPECT(th_shared_heap_init(&heap, map.start, map.bytes, NULL) == TH_OK);
    EXPECT(th_shared_heap_alloc_zeroed(&heap, sizeof(root), sizeof(uint32_t), ROOT_TAG, 0) != 0);
    for (uint32_t player = 0; player < PLAYERS; player++) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            play(player);
        }
    }
    unsigned killed = 0;
    for (int status; wait(&status) > 0;) {
        killed += WIFSIGNALED(status);
    }
    unsigned count = 0;
    const root *begin = th_shared_heap_at(&heap, th_shared_heap_find(&heap, ROOT_TAG, 0));
    for (th_shared_ref ref = begin->first; ref != 0; count++) {
        ref = ((const score *)th_shared_heap_at(&heap, ref))->next;
    }
    EXPECT(th_shared_heap_check(&heap, NULL) == TH_OK);
    EXPECT(killed == 1 && count == (PLAYERS - 1) * GAMES + GAMES / 2 + 1);
    printf("shared_scores: %u scores of %u processes, %u of which was killed\n", count,
           (unsigned)PLAYERS, killed);
    th_shared_heap_clean_up(&heap);
    th_file_map_close(&map);
    EXPECT(th_shared_memory_remove(name) == TH_OK);
    return 0;
}
