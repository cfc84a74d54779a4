/* SPDX-License-Identifier: MIT */
/* The scripts: the same calls for every source that has them.
 *
 *   churn-X    n times a block of 16 to `most` bytes in place of another one, `live` at a time, at
 *              random (churn.h), after `warm` times as many for each live block
 *   sides-X    the same; half of the blocks go to the other side of a heap that has two
 *   comb-X     `live` blocks of 16 bytes, of which every other one is freed; then, n times, a block
 *              of 128 bytes, which fits into none of the holes, is made and freed
 *   replay-X   a recorded program: replay.c
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
#include "mutate/random.h"
#include "sources.h"

enum { MIXED_SHARE = 80, MIXED_LEAST = 16, PHASE_BLOCKS = 64 };
enum { COMB_TOOTH = 16, COMB_REQUEST = 128, WARM_USUAL = 4 };

typedef struct play {
    const bench_source *source;
    void *self;
    size_t n;
    size_t block_bytes;
    size_t slot_count;
    void **slots;
    size_t *sizes;
    size_t live_bytes; /* what memory is asked for at the end; 0: that is of no interest */
    bench_churn churn;
} play;

static void *written(const play *p, void *block, size_t bytes) {
    if (block == NULL) {
        bench_refuse("an allocation failed", p->source->name);
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
        uint64_t random = lab_random_step(&state);
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

/* ---- the random mix -------------------------------------------------------------------------- */

static void churn_by(play *p, bool (*mix)(bench_churn *c)) {
    if (!mix(&p->churn)) {
        bench_refuse("an allocation failed", p->source->name);
    }
}

static void churn(void *context) {
    play *p = context;
    churn_by(p, p->source->churn);
}

static void sides(void *context) {
    play *p = context;
    churn_by(p, p->source->sides);
}

/* Fills the slots, and plays the script for a while: what it costs settles. */
static void warm_up(play *p, void (*work)(void *context)) {
    size_t per_block = bench_asked.warm == SIZE_MAX ? WARM_USUAL : bench_asked.warm;
    p->churn = (bench_churn){.self = p->self,
                             .slots = p->slots,
                             .live = p->slot_count,
                             .sizes = p->block_bytes - BENCH_CHURN_LEAST + 1,
                             .n = per_block * p->slot_count,
                             .state = 1};
    for (size_t i = 0; i < p->slot_count; i++) {
        uint64_t random = bench_churn_random(&p->churn);
        uint32_t bytes = BENCH_CHURN_LEAST + (uint32_t)(random >> 40) % (uint32_t)p->churn.sizes;
        bool high = work == sides && (random >> 32 & 1) != 0;
        p->slots[i] = p->source->place(p->self, bytes, 0, high);
        if (!bench_churn_write(p->slots[i], bytes)) {
            bench_refuse("an allocation failed", p->source->name);
        }
    }
    work(p);
    p->churn.n = p->n;
}

static size_t churned_bytes(const play *p) {
    size_t sum = 0;
    for (size_t i = 0; i < p->slot_count; i++) {
        uint32_t bytes;
        memcpy(&bytes, p->slots[i], sizeof bytes);
        sum += bytes;
    }
    return sum;
}

static void grow_comb(play *p) {
    for (size_t i = 0; i < p->slot_count; i++) {
        make(p, p->self, i, COMB_TOOTH);
    }
    for (size_t i = 0; i < p->slot_count; i += 2) {
        unmake(p, i);
    }
}

static void comb(void *context) {
    play *p = context;
    for (size_t i = 0; i < p->n; i++) {
        p->source->free(p->self, written(p, p->source->alloc(p->self, COMB_REQUEST), 1));
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* How many blocks at a time. */
enum { BLOCKS_ALL, BLOCKS_SHARE, BLOCKS_PHASE, BLOCKS_LIVE };

static const struct script {
    const char *name;
    unsigned flag;
    void (*work)(void *context);
    int count;
    size_t bytes; /* of a block, at most; 0: bench_asked.most */
} scripts[] = {{"blocks", BENCH_BLOCKS, blocks, BLOCKS_ALL, BENCH_BLOCK_BYTES},
               {"big", BENCH_BIG, blocks, BLOCKS_ALL, BENCH_BIG_BYTES},
               {"mixed", BENCH_MIXED, mixed, BLOCKS_SHARE, BENCH_MIXED_MAX},
               {"wide", BENCH_BIG, mixed, BLOCKS_SHARE, BENCH_BIG_BYTES},
               {"phase", BENCH_PHASES, phases, BLOCKS_PHASE, BENCH_BLOCK_BYTES},
               {"grow", BENCH_GROW, grow, BLOCKS_PHASE, BENCH_BLOCK_BYTES},
               {"churn", BENCH_CHURNS, churn, BLOCKS_LIVE, 0},
               {"sides", BENCH_CHURNS, sides, BLOCKS_LIVE, 0},
               {"comb", BENCH_CHURNS, comb, BLOCKS_LIVE, COMB_REQUEST},
               {"replay", BENCH_CHURNS, NULL, 0, 0}};

#define SCRIPTS (sizeof scripts / sizeof scripts[0])

static void *zeroed(size_t bytes) {
    return memset(bench_memory(bytes), 0, bytes);
}

static size_t slots_of(const struct script *script, size_t n) {
    switch (script->count) {
    case BLOCKS_ALL:
        return n;
    case BLOCKS_SHARE:
        return (n + MIXED_SHARE - 1) / MIXED_SHARE;
    case BLOCKS_LIVE:
        return bench_asked.live;
    default:
        return PHASE_BLOCKS;
    }
}

static void prepare(play *p, const struct script *script) {
    if (script->work == churn || script->work == sides) {
        warm_up(p, script->work);
        p->live_bytes = churned_bytes(p);
    } else if (script->work == comb) {
        grow_comb(p);
    }
}

/* With the calls that it has of its own. */
static bench_source whole(const bench_source *source) {
    bench_source all = *source;
    if (all.own != NULL) {
        all.end = all.end != NULL ? all.end : all.own->clean_up;
        all.alloc = all.own->alloc;
        all.free = all.own->free;
    }
    return all;
}

static void run(const struct script *script, const bench_source *of, size_t n) {
    const bench_source all = whole(of);
    const bench_source *source = &all;
    play p = {.source = source, .n = n};
    p.block_bytes = script->bytes != 0 ? script->bytes : bench_asked.most;
    p.slot_count = slots_of(script, n);
    p.slots = zeroed(p.slot_count * sizeof *p.slots);
    p.sizes = zeroed(p.slot_count * sizeof *p.sizes);
    bench_mark_memory();
    p.self = source->start((bench_need){p.slot_count, p.block_bytes,
                                        p.slot_count * (MIXED_LEAST + p.block_bytes) / 2});
    if (p.self == NULL) {
        bench_fail("the library of this allocator is not there", source->name);
    }
    prepare(&p, script);
    bench_measure(script->work, &p);
    if (p.live_bytes > 0) {
        bench_note_memory(p.live_bytes);
    }
    if (script->count != BLOCKS_LIVE) {
        bench_measure(unmake_all, &p);
    }
    source->end(p.self);
    free(p.slots);
    free(p.sizes);
}

static const bench_source *const tables[] = {bench_sources, bench_peers, bench_plugins};

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
    if (found && script->work == NULL) {
        bench_replay(source, n);
    } else if (found) {
        run(script, source, n);
    }
    return found;
}

void bench_list_scripts(void) {
    (void)look_up(NULL, NULL, NULL);
}
