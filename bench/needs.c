/* SPDX-License-Identifier: MIT */
/* bench --needs SCRIPT: the smallest memory in which each policy meets all requests of a script,
 * beside what is needed to bound it. One line each, separated by tabs:
 *
 *   peak BYTES BLOCKS                         what is asked for at the most
 *   POLICY ALIGNMENT NEEDED LOW_M LOW_N HIGH_M HIGH_N
 *
 * NEEDED is 0 where the policy has no region that is so large.
 * M is the peak of what the blocks come to, headers and rounding included, in bytes, with a block
 * that is resized counted twice at that moment; N the largest of them in units of the alignment.
 * Low and high are the HEAD and TAIL sides; who has only one has 0 for the other. First fit needs
 * at most M (1 + log2 N) (Robson 1977, The Computer Journal 20(3)), on each side. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "fragmentation/fragmentation.h"
#include "tagheap/heap.h"
#include "trace.h"

enum { DWORDS_MAX = 1 << 28, STEP_DWORDS = 4, GROWTH = 16, SMALLEST_REST = 16 };

/* Before they are rounded up to the alignment. */
static const size_t header_bytes[] = {
    [TH_HEAP_LAYOUT_CLASSIC] = 24, [TH_HEAP_LAYOUT_LEAN] = 8, [TH_HEAP_LAYOUT_WIDE] = 28};

typedef struct policy {
    char name[32];
    lab_contestant contestant;
    uint8_t alignment;
    th_heap_layout layout;
} policy;

static bool is_heap(const policy *p) {
    return p->contestant >= LAB_CONTESTANT_TAGGED;
}

/* ---- the bound ------------------------------------------------------------------------------- */

typedef struct side {
    size_t now, peak, most;
} side;

typedef struct weights {
    const policy *policy;
    size_t *sizes; /* of the slots' blocks, all included */
    bool *high;
    side sides[2]; /* low, high */
} weights;

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/* All that a block takes. What lies in front of a specially aligned one is counted with it. */
static size_t weight(const policy *p, size_t bytes, size_t alignment) {
    size_t header = is_heap(p) ? round_up(header_bytes[p->layout], p->alignment) : 0;
    size_t extra = alignment > p->alignment ? alignment + header + SMALLEST_REST : 0;
    size_t all = header + round_up(bytes, p->alignment) + extra;
    if (p->contestant == LAB_CONTESTANT_BUDDY) {
        size_t power = p->alignment;
        while (power < all) {
            power *= 2;
        }
        return power;
    }
    return all;
}

static void add(side *s, size_t size, size_t gone) {
    s->now += size;
    s->peak = s->now > s->peak ? s->now : s->peak;
    s->most = size > s->most ? size : s->most;
    s->now -= gone;
}

static void weigh_op(weights *w, const lab_op *op) {
    size_t bytes = lab_size_bytes(op->size);
    size_t *size = &w->sizes[op->slot];
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_FREE:
        add(&w->sides[w->high[op->slot]], 0, *size);
        *size = 0;
        break;
    case LAB_OP_RESIZE:
        add(&w->sides[w->high[op->slot]], weight(w->policy, bytes, 0), *size);
        *size = weight(w->policy, bytes, 0);
        break;
    default:
        w->high[op->slot] =
            w->policy->contestant > LAB_CONTESTANT_TAGGED && op->tag >= TH_TAG_TAIL_MIN;
        *size =
            weight(w->policy, bytes, op->kind == LAB_OP_ALIGNED ? lab_align_bytes(op->align) : 0);
        add(&w->sides[w->high[op->slot]], *size, 0);
        break;
    }
}

static void weigh(const policy *p, const lab_script *requests, side out[2]) {
    size_t slots = requests->config.slots;
    weights w = {.policy = p,
                 .sizes = bench_memory(slots * sizeof *w.sizes),
                 .high = bench_memory(slots * sizeof *w.high)};
    for (size_t i = 0; i < requests->count; i++) {
        weigh_op(&w, &requests->ops[i]);
    }
    out[0] = w.sides[0];
    out[1] = w.sides[1];
    free(w.sizes);
    free(w.high);
}

/* ---- what is needed -------------------------------------------------------------------------- */

static bool suffices(const policy *p, lab_script *requests, uint32_t dwords) {
    lab_fragmentation f;
    requests->config.dwords = dwords;
    requests->config.alignment = p->alignment;
    return lab_fragmentation_measure(p->contestant, p->layout, requests, &f) && f.refused == 0;
}

/* To a step; 0: the policy has no region that is large enough. More memory does not always suffice
 * where less does, with policies that look for the largest or the best piece; then this is one of
 * the sizes from which on less does not. */
static uint32_t needed_dwords(const policy *p, lab_script *requests, size_t bytes_peak) {
    uint32_t low = (uint32_t)(bytes_peak / 4 / STEP_DWORDS * STEP_DWORDS);
    uint32_t high = low + STEP_DWORDS;
    while (!suffices(p, requests, high)) {
        if (high > DWORDS_MAX) {
            return 0;
        }
        low = high;
        high += high / GROWTH / STEP_DWORDS * STEP_DWORDS + STEP_DWORDS;
    }
    while (high - low > STEP_DWORDS) {
        uint32_t middle = low + (high - low) / 2 / STEP_DWORDS * STEP_DWORDS;
        *(suffices(p, requests, middle) ? &high : &low) = middle;
    }
    return high;
}

static void print_policy(bench_trace *trace, const policy *p) {
    side sides[2];
    weigh(p, &trace->requests, sides);
    (void)printf("%s\t%u\t%zu\t%zu\t%zu\t%zu\t%zu\n", p->name, p->alignment,
                 (size_t)needed_dwords(p, &trace->requests, trace->bytes_peak) * 4, sides[0].peak,
                 sides[0].most / p->alignment, sides[1].peak, sides[1].most / p->alignment);
}

static void print_heaps(bench_trace *trace, const char *name, th_heap_layout layout) {
    static const char *const ways[] = {[LAB_CONTESTANT_TAGGED] = "",
                                       [LAB_CONTESTANT_SIDES] = "-sides",
                                       [LAB_CONTESTANT_COMPACTING] = "-compacting"};
    static const uint8_t alignments[] = {4, 16};
    for (int way = LAB_CONTESTANT_TAGGED; way < LAB_CONTESTANTS; way++) {
        for (size_t i = 0; i < sizeof alignments; i++) {
            policy p = {"", (lab_contestant)way, alignments[i], layout};
            (void)snprintf(p.name, sizeof p.name, "%s%s", name, ways[way]);
            print_policy(trace, &p);
        }
    }
}

void bench_print_needs(const char *path) {
    static const policy plain[] = {{"first-fit", LAB_CONTESTANT_FIRST_FIT, 16, TH_HEAP_LAYOUT_AUTO},
                                   {"good-fit", LAB_CONTESTANT_GOOD_FIT, 16, TH_HEAP_LAYOUT_AUTO},
                                   {"best-fit", LAB_CONTESTANT_BEST_FIT, 16, TH_HEAP_LAYOUT_AUTO},
                                   {"worst-fit", LAB_CONTESTANT_WORST_FIT, 16, TH_HEAP_LAYOUT_AUTO},
                                   {"buddy", LAB_CONTESTANT_BUDDY, 16, TH_HEAP_LAYOUT_AUTO}};
    bench_trace trace;
    bench_trace_read(&trace, path);
    (void)printf("peak\t%zu\t%zu\n", trace.bytes_peak, trace.blocks_peak);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        print_policy(&trace, &plain[i]);
    }
    print_heaps(&trace, "classic", TH_HEAP_LAYOUT_CLASSIC);
    print_heaps(&trace, "lean", TH_HEAP_LAYOUT_LEAN);
    print_heaps(&trace, "wide", TH_HEAP_LAYOUT_WIDE);
    bench_trace_clean_up(&trace);
}
