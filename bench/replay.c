/* SPDX-License-Identifier: MIT */
/* replay-X: the requests of a recorded program (bench_asked.script), n times, each time from an
 * empty allocator to an empty one. Blocks that the recorder found to be long-lived go to the other
 * side of a heap that has two. An operation is one call. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "sources.h"
#include "tagheap/heap.h"
#include "trace.h"

typedef struct step {
    uint32_t slot;
    uint32_t bytes;
    size_t alignment;
    uint8_t kind; /* lab_op_kind */
    bool high;
} step;

typedef struct held {
    void *block;
    size_t bytes;
} held;

typedef struct replay {
    const bench_source *source;
    void *self;
    size_t rounds;
    step *steps;
    size_t count;
    held *slots;
} replay;

static void hold(const replay *r, held *h, void *block, size_t bytes) {
    if (block == NULL) {
        bench_refuse("an allocation failed", r->source->name);
    }
    *(volatile unsigned char *)block = 1;
    *h = (held){block, bytes};
}

static void take(const replay *r, const step *s) {
    const bench_source *source = r->source;
    held *h = &r->slots[s->slot];
    switch (s->kind) {
    case LAB_OP_FREE:
        source->free(r->self, h->block);
        break;
    case LAB_OP_RESIZE:
        hold(r, h, source->resize(r->self, h->block, h->bytes, s->bytes), s->bytes);
        break;
    default:
        hold(r, h, source->place(r->self, s->bytes, s->alignment, s->high), s->bytes);
        break;
    }
}

static void play(void *context) {
    const replay *r = context;
    for (size_t round = 0; round < r->rounds; round++) {
        for (size_t i = 0; i < r->count; i++) {
            take(r, &r->steps[i]);
        }
    }
}

static step *make_steps(const lab_script *script) {
    step *steps = bench_memory(script->count * sizeof *steps);
    for (size_t i = 0; i < script->count; i++) {
        const lab_op *op = &script->ops[i];
        steps[i] = (step){.slot = op->slot,
                          .bytes = (uint32_t)lab_size_bytes(op->size),
                          .alignment = op->kind == LAB_OP_ALIGNED ? lab_align_bytes(op->align) : 0,
                          .kind = op->kind,
                          .high = op->tag >= TH_TAG_TAIL_MIN};
    }
    return steps;
}

void bench_replay(const bench_source *source, size_t n) {
    bench_trace trace;
    if (bench_asked.script == NULL) {
        bench_fail("which script? --script FILE", "replay");
    }
    bench_trace_read(&trace, bench_asked.script);
    replay r = {.source = source, .rounds = n, .count = trace.requests.count};
    size_t slots_bytes = trace.requests.config.slots * sizeof *r.slots;
    r.steps = make_steps(&trace.requests);
    r.slots = bench_memory(slots_bytes);
    memset(r.slots, 0, slots_bytes);
    r.self = source->start((bench_need){trace.blocks_peak, trace.bytes_most, trace.bytes_peak});
    if (r.self == NULL) {
        bench_fail("the library of this allocator is not there", source->name);
    }
    bench_measure(play, &r);
    bench_note_operations(n * r.count);
    source->end(r.self);
    free(r.steps);
    free(r.slots);
    bench_trace_clean_up(&trace);
}
