/* SPDX-License-Identifier: MIT */
/* The scripts: the same calls for every source that has them.
 *
 *   blocks-X   n blocks of 32 bytes, and then, in the same order, none
 *   big-X      the same with 256 KiB
 *   mixed-X    n times a block of 16 to 2,048 bytes in place of another one, n / 80 at a time
 *   wide-X     the same up to 256 KiB
 *   phase-X    n blocks of 32 bytes in phases of 64, each of which ends at once
 *   grow-X     one block grows to n times 32 bytes, 32 at a time
 *
 * Every byte is written, so that it is memory. What a source cannot free singly stays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "sources.h"

enum { MIXED_SHARE = 80, MIXED_LEAST = 16, PHASE_BLOCKS = 64 };

typedef struct play {
    const bench_source *source;
    void *self;
    size_t n;
    size_t block_bytes;
    size_t slot_count;
    void **slots;
    size_t *sizes;
    size_t live_bytes; /* what memory is asked for at the end; 0: that is of no interest */
} play;

static void *written(const play *p, void *block, size_t bytes) {
    if (block == NULL) {
        bench_fail("an allocation failed", p->source->name);
    }
    memset(block, 1, bytes);
    return block;
}

static void make(play *p, void *from, size_t slot, size_t bytes) {
    p->slots[slot] = written(p, p->source->alloc(from, bytes), bytes);
    p->sizes[slot] = bytes;
    p->live_bytes += bytes;
}

static void unmake(play *p, size_t slot) {
    if (p->slots[slot] != NULL && p->source->free != NULL) {
        p->source->free(p->self, p->slots[slot]);
        p->live_bytes -= p->sizes[slot];
    }
    p->slots[slot] = NULL;
}

static void unmake_all(void *context) {
    play *p = context;
    for (size_t i = 0; i < p->slot_count; i++) {
        unmake(p, i);
    }
}

static void blocks(void *context) {
    play *p = context;
    for (size_t i = 0; i < p->n; i++) {
        make(p, p->self, i, p->block_bytes);
    }
}

static void mixed(void *context) {
    play *p = context;
    uint64_t state = 1;
    for (size_t i = 0; i < p->n; i++) {
        uint64_t random = bench_random(&state);
        size_t slot = (size_t)(random & UINT32_MAX) % p->slot_count;
        size_t range = p->block_bytes - MIXED_LEAST + 1;
        unmake(p, slot);
        make(p, p->self, slot, MIXED_LEAST + (size_t)(random >> 32) % range);
    }
}

static void phases(void *context) {
    play *p = context;
    for (size_t done = 0; done < p->n; done += PHASE_BLOCKS) {
        void *phase = p->source->begin != NULL ? p->source->begin(p->self) : p->self;
        for (size_t i = 0; i < PHASE_BLOCKS; i++) {
            make(p, phase, i, p->block_bytes);
        }
        if (p->source->finish != NULL) {
            p->source->finish(p->self, phase);
        } else {
            unmake_all(p);
        }
    }
    memset(p->slots, 0, p->slot_count * sizeof *p->slots);
    p->live_bytes = 0;
}

static void grow(void *context) {
    play *p = context;
    unsigned char *block = NULL;
    for (size_t i = 0; i < p->n; i++) {
        block = p->source->grow(p->self, block, (i + 1) * p->block_bytes);
        (void)written(p, block + i * p->block_bytes, p->block_bytes);
    }
    p->live_bytes = p->n * p->block_bytes;
}

static const struct script {
    const char *name;
    unsigned flag;
    void (*work)(void *context);
    size_t share; /* n / share blocks at a time; 0: PHASE_BLOCKS */
    size_t bytes; /* of a block, at most */
} scripts[] = {{"blocks", BENCH_BLOCKS, blocks, 1, BENCH_BLOCK_BYTES},
               {"big", BENCH_BIG, blocks, 1, BENCH_BIG_BYTES},
               {"mixed", BENCH_MIXED, mixed, MIXED_SHARE, BENCH_MIXED_MAX},
               {"wide", BENCH_BIG, mixed, MIXED_SHARE, BENCH_BIG_BYTES},
               {"phase", BENCH_PHASES, phases, 0, BENCH_BLOCK_BYTES},
               {"grow", BENCH_GROW, grow, 0, BENCH_BLOCK_BYTES}};

#define SCRIPTS (sizeof scripts / sizeof scripts[0])

static void *zeroed(size_t bytes) {
    return memset(bench_memory(bytes), 0, bytes);
}

static void run(const struct script *script, const bench_source *source, size_t n) {
    play p = {.source = source, .n = n, .block_bytes = script->bytes};
    p.slot_count = script->share != 0 ? (n + script->share - 1) / script->share : PHASE_BLOCKS;
    p.slots = zeroed(p.slot_count * sizeof *p.slots);
    p.sizes = zeroed(p.slot_count * sizeof *p.sizes);
    bench_mark_memory();
    p.self = source->start((bench_need){p.slot_count, script->bytes});
    if (p.self == NULL) {
        bench_fail("the library of this allocator is not there", source->name);
    }
    bench_measure(script->work, &p);
    if (p.live_bytes > 0) {
        bench_note_memory(p.live_bytes);
    }
    bench_measure(unmake_all, &p);
    source->end(p.self);
    free(p.slots);
    free(p.sizes);
}

static const bench_source *const tables[] = {bench_sources, bench_peers};

/* What is known as SCRIPT-SOURCE by that name (NULL: prints all names). */
static bool look_up(const char *name, const struct script **script, const bench_source **source) {
    char known[64];
    for (size_t s = 0; s < SCRIPTS; s++) {
        for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
            for (const bench_source *at = tables[t]; at->name != NULL; at++) {
                (void)snprintf(known, sizeof known, "%s-%s", scripts[s].name, at->name);
                if ((at->scripts & scripts[s].flag) == 0) {
                    continue;
                }
                if (name == NULL) {
                    (void)puts(known);
                } else if (strcmp(name, known) == 0) {
                    *script = &scripts[s];
                    *source = at;
                    return true;
                }
            }
        }
    }
    return false;
}

bool bench_play(const char *name, size_t n) {
    const struct script *script;
    const bench_source *source;
    bool found = look_up(name, &script, &source);
    if (found) {
        run(script, source, n);
    }
    return found;
}

void bench_list_scripts(void) {
    (void)look_up(NULL, NULL, NULL);
}
