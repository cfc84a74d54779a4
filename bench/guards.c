/* SPDX-License-Identifier: MIT */
/* What the tagged heap's guard levels cost: n calls on a heap with 16 or 128 slots, of which one at
 * random gets a block of 16 to 127 bytes, HEAD or TAIL, or loses the one it has. So half the slots
 * are in use. In a build without guards all levels are level 0. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tagheap/heap.h"

enum { REGION_DWORDS = 8192, SLOTS_MAX = 128, LEAST = 16, MOST = 127 };

typedef struct guarded {
    th_heap heap;
    size_t n;
    size_t slot_count;
    void *slots[SLOTS_MAX];
} guarded;

static void come_and_go(void *context) {
    guarded *g = context;
    uint64_t state = 1;
    for (size_t i = 0; i < g->n; i++) {
        uint64_t random = bench_random(&state);
        void **slot = &g->slots[(random & UINT32_MAX) % g->slot_count];
        if (*slot != NULL) {
            (void)th_heap_free(&g->heap, *slot);
            *slot = NULL;
            continue;
        }
        size_t bytes = LEAST + (size_t)(random >> 32) % (MOST - LEAST + 1);
        *slot = th_heap_alloc(&g->heap, bytes, random >> 63 != 0 ? 0x4001 : 0x1001);
        if (*slot == NULL) {
            abort();
        }
        memset(*slot, 1, bytes);
    }
}

static void run(size_t n, size_t slots, int level) {
    const th_heap_config config = {.guard = level};
    guarded *g = bench_memory(sizeof *g);
    void *region = bench_memory(REGION_DWORDS * sizeof(uint32_t));
    memset(g, 0, sizeof *g);
    g->n = n;
    g->slot_count = slots;
    if (th_heap_init(&g->heap, region, REGION_DWORDS * sizeof(uint32_t), &config) != TH_OK) {
        abort();
    }
    bench_measure(come_and_go, g);
    th_heap_clean_up(&g->heap);
    free(region);
    free(g);
}

#define CASE(level, slots)                                                                         \
    static void run_##level##_##slots(size_t n) {                                                  \
        run(n, slots, level);                                                                      \
    }

CASE(0, 16)
CASE(1, 16)
CASE(2, 16)
CASE(3, 16)
CASE(0, 128)
CASE(1, 128)
CASE(2, 128)
CASE(3, 128)

const bench_case bench_guards[] = {
    {"guard0-16", run_0_16},   {"guard1-16", run_1_16},   {"guard2-16", run_2_16},
    {"guard3-16", run_3_16},   {"guard0-128", run_0_128}, {"guard1-128", run_1_128},
    {"guard2-128", run_2_128}, {"guard3-128", run_3_128}, {NULL, NULL}};
