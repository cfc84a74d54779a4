/* SPDX-License-Identifier: MIT */
/* Heap against model: every block, every statistic, every live byte, the heap's own checker, and
 * what lies around its region. */
#include <assert.h>
#include <string.h>
#include <wchar.h>

#include "runner/content.h"
#include "runner/plain.h"
#include "runner/state.h"

#define EDGE_BYTE 0xE7 /* XORed with the arena's number: copied edges are noticed */

LAB_PLAIN_PART uint32_t site_of(const lab_runner *r, const lab_extent *extent) {
    return r->model.keeps ? extent->site : 0;
}

static bool report_block(lab_runner *r, const lab_extent *want, const th_heap_block *have,
                         bool last) {
    uint32_t next = last ? 0 : want->offset + r->model.header + want->size;
    const char *detail = want->offset != have->offset         ? "offset"
                         : want->size != have->size_dwords    ? "size"
                         : want->tag != have->tag             ? "tag"
                         : want->alignment != have->alignment ? "alignment"
                         : site_of(r, want) != have->site     ? "site"
                         : next != have->next_offset          ? "next"
                                                              : "requested";
    return lab_fail(r, LAB_PROPERTY_BLOCKS, detail,
                    "expected block %u size %u tag 0x%04x requested %u align %u site %u, found "
                    "block %u size %u tag 0x%04x requested %zu align %u site %u next %u",
                    want->offset, want->size, want->tag, want->requested, want->alignment,
                    site_of(r, want), have->offset, have->size_dwords, have->tag,
                    have->requested_bytes, have->alignment, have->site, have->next_offset);
}

LAB_PLAIN_PART bool is_block(const lab_runner *r, const lab_extent *want, const th_heap_block *have,
                             bool last) {
    uint32_t next = last ? 0 : want->offset + r->model.header + want->size;
    uint32_t difference = (want->offset ^ have->offset) | (want->size ^ have->size_dwords) |
                          (want->tag ^ have->tag) | (want->requested != have->requested_bytes) |
                          (want->alignment ^ have->alignment) | (site_of(r, want) ^ have->site) |
                          (next ^ have->next_offset);
    return difference == 0;
}

/* Of the extent's requested bytes, the first that is not as it was written; all, if none. Free
 * blocks have 0 requested bytes and site 0: they are checked like live ones, of nothing, because
 * whether the next block is free cannot be predicted. */
LAB_PLAIN_PART size_t intact_bytes(const lab_runner *r, const lab_extent *extent) {
    uint32_t slot = extent->site == 0 ? 0 : extent->site - 1;
    const unsigned char *payload = r->base + 4 * (size_t)(extent->offset + r->model.header);
    return lab_content_peek(payload, extent->requested, r->slots[slot].seed);
}

static bool report_contents(lab_runner *r, const lab_extent *extent, size_t intact) {
    return lab_fail(r, LAB_PROPERTY_CONTENTS, "bytes",
                    "slot s%u at block %u: byte %zu of %u is not what was written",
                    extent->site - 1, extent->offset, intact, extent->requested);
}

static LAB_PLAIN bool compare_all(lab_runner *r) {
    const lab_exact *model = &r->model;
    th_heap_block block;
    bool more = th_heap_first(&r->heap, &block);
    for (uint32_t i = 0; i < model->count; i++) {
        const lab_extent *extent = &model->extents[i];
        bool last = i + 1 == model->count;
        if (!more) {
            return lab_expect(r, LAB_PROPERTY_BLOCKS, "count", model->count, i);
        }
        if (!is_block(r, extent, &block, last)) {
            return report_block(r, extent, &block, last);
        }
        size_t intact = intact_bytes(r, extent);
        if (intact != extent->requested) {
            return report_contents(r, extent, intact);
        }
        more = th_heap_next(&r->heap, &block);
    }
    return lab_expect(r, LAB_PROPERTY_BLOCKS, "more", 0, more);
}

/* ---- what has not changed (snapshot.h) ------------------------------------------------------ */

/* A range of dwords, [from, to), empty if from >= to. */
typedef struct range {
    uint32_t from, to;
} range;

LAB_PLAIN_PART range part_of(range a, uint32_t from, uint32_t to) {
    return (range){a.from > from ? a.from : from, a.to < to ? a.to : to};
}

/* What may have changed: [low, high), and the header there. */
static range changed_dwords(const lab_exact *model) {
    bool any = model->changed_low < model->changed_high;
    uint32_t high = any ? model->changed_high + model->header : model->dwords;
    return (range){any ? model->changed_low : model->dwords,
                   high < model->dwords ? high : model->dwords};
}

/* Wide characters are dwords, and the tools that look into every memcmp leave wmemcmp alone. */
static_assert(sizeof(wchar_t) == 4, "wmemcmp compares dwords");
LAB_PLAIN_PART bool are_same(const unsigned char *a, const unsigned char *b, range at) {
    const void *x = a + 4 * (size_t)at.from;
    const void *y = b + 4 * (size_t)at.from;
    return at.from >= at.to || wmemcmp(x, y, at.to - at.from) == 0;
}

LAB_PLAIN_PART void copy_dwords(unsigned char *to, const unsigned char *from, range at) {
    lab_content_dword *x = (void *)(to + 4 * (size_t)at.from);
    const lab_content_dword *y = (const void *)(from + 4 * (size_t)at.from);
    uint32_t count = at.from < at.to ? at.to - at.from : 0;
    if (count % 2 != 0) {
        *x++ = *y++;
    }
    lab_content_word *to_words = (void *)x;
    const lab_content_word *words = (const void *)y;
    for (uint32_t i = 0; i < count / 2; i++) {
        to_words[i] = words[i];
    }
}

static unsigned char *kept_bytes(const lab_runner *r) {
    return r->snapshot.bytes + (r->base - r->arenas[r->arena]);
}

static LAB_PLAIN bool is_unchanged_outside(const lab_runner *r, range changed) {
    const lab_snapshot *s = &r->snapshot;
    const unsigned char *kept = kept_bytes(r);
    const range below = {0, changed.from};
    const range above = {changed.to, r->model.dwords};
    LAB_BLIND_BEGIN;
    bool same = are_same(r->base, kept, part_of(below, 0, s->low)) &&
                are_same(r->base, kept, part_of(above, 0, s->low)) &&
                are_same(r->base, kept, part_of(below, s->high, r->model.dwords)) &&
                are_same(r->base, kept, part_of(above, s->high, r->model.dwords));
    LAB_BLIND_END;
    LAB_TRUST(&same, sizeof same);
    return same;
}

/* Keeps what has changed. */
static LAB_PLAIN void keep(lab_runner *r, range changed) {
    const lab_heap_history *history = &r->history;
    const uint32_t last = r->model.dwords - r->model.header;
    uint32_t low = history->ever_low + r->model.header;
    lab_snapshot *s = &r->snapshot;
    s->high = history->ever_high < last ? history->ever_high : last;
    s->low = low < s->high ? low : s->high;
    s->layout = r->heap.layout;
    LAB_BLIND_BEGIN;
    copy_dwords(kept_bytes(r), r->base, part_of(changed, 0, s->low));
    copy_dwords(kept_bytes(r), r->base, part_of(changed, s->high, r->model.dwords));
    LAB_BLIND_END;
    lab_exact_forget_changes(&r->model);
}

/* What the walk depends on besides the region's bytes. */
static bool is_same_heap(const lab_runner *r) {
    return r->heap.base == r->base && r->heap.last == r->model.dwords - r->model.header &&
           r->heap.unit_dwords == r->model.unit && r->heap.layout == r->snapshot.layout;
}

/* Do the blocks agree from the first that begins in [from, to) to the last that does? There is a
 * block that begins at `from`. */
static LAB_PLAIN bool agree_between(const lab_runner *r, range at) {
    const lab_exact *model = &r->model;
    const lab_extent *last = &model->extents[model->count - 1];
    const lab_extent *extent = lab_exact_find(model, at.from);
    th_heap_block block;
    bool more;
    if (at.from == 0) {
        more = th_heap_first(&r->heap, &block);
    } else {
        block.offset = extent[-1].offset;
        block.next_offset = at.from;
        more = th_heap_next(&r->heap, &block);
    }
    while (more && is_block(r, extent, &block, extent == last) &&
           intact_bytes(r, extent) == extent->requested) {
        if (extent == last) {
            return !th_heap_next(&r->heap, &block);
        }
        extent++;
        if (extent->offset >= at.to) {
            return true;
        }
        more = th_heap_next(&r->heap, &block);
    }
    return false;
}

/* Is it certain that compare_all would find nothing? */
static bool agrees_by_snapshot(lab_runner *r) {
    range changed = changed_dwords(&r->model);
    bool agrees = is_same_heap(r) && is_unchanged_outside(r, changed) &&
                  (changed.from >= changed.to || agree_between(r, changed));
    if (agrees) {
        keep(r, changed);
    }
    return agrees;
}

bool lab_check_blocks(lab_runner *r) {
    bool sampled = r->comparison == LAB_COMPARE_TOUCHED || r->comparison == LAB_COMPARE_SPARSE;
    bool agrees = r->comparison != LAB_COMPARE_ALL && agrees_by_snapshot(r);
    r->unexplained = !agrees;
    r->whole = !(agrees && sampled && !lab_comparison_is_due(r->index, r->script));
    if (!r->whole) {
        return true;
    }
    bool same = compare_all(r);
    r->counts.whole++;
    assert(same || !agrees || r->comparison != LAB_COMPARE_BOTH);
    if (same && !agrees && r->comparison != LAB_COMPARE_ALL) {
        keep(r, (range){0, r->model.dwords});
    }
    return same;
}

/* The statistics: their names, the model's fields, the heap's. */
#define STATS(X)                                                                                   \
    X("region", region, region_bytes)                                                              \
    X("used", used, used_bytes)                                                                    \
    X("high-water", high_water, high_water_bytes)                                                  \
    X("head", head, head_bytes)                                                                    \
    X("tail", tail, tail_bytes)                                                                    \
    X("free", free, free_bytes)                                                                    \
    X("free-head", free_head, free_head_bytes)                                                     \
    X("largest-free", largest_free, largest_free_bytes)                                            \
    X("head-blocks", head_blocks, head_blocks)                                                     \
    X("tail-blocks", tail_blocks, tail_blocks)                                                     \
    X("free-blocks", free_blocks, free_blocks)                                                     \
    X("failed-allocs", failed_allocs, failed_allocs)
#define DIFFERS(name, model, heap) | (want->model ^ have->heap)
#define EXPECT_SAME(name, model, heap)                                                             \
    &&lab_expect(r, LAB_PROPERTY_STATS, name, want.model, have.heap)

/* Without branches: nearly always all are the same. */
LAB_PLAIN_PART bool are_stats(const lab_exact_stats *want, const th_heap_stats *have) {
    return (0 STATS(DIFFERS)) == 0;
}

/* The model counts along the way. Where all blocks are compared, and where these counts differ, it
 * counts anew. */
LAB_PLAIN bool lab_check_stats(lab_runner *r) {
    lab_exact_stats want;
    th_heap_stats have = th_heap_get_stats(&r->heap);
    lab_exact_recall_stats(&r->model, &want);
    bool recalled = are_stats(&want, &have);
    if (recalled && !r->whole) {
        return true;
    }
    lab_exact_get_stats(&r->model, &want);
    assert(recalled == are_stats(&want, &have));
    return true STATS(EXPECT_SAME);
}

/* Where bytes have changed and the blocks do not say why, it is asked in any case. */
static bool skips_checker(const lab_runner *r) {
    return r->comparison == LAB_COMPARE_SPARSE && !r->unexplained &&
           !lab_sparse_is_due(r->index, r->script);
}

bool lab_check_checker(lab_runner *r) {
    th_fault fault = {.kind = TH_FAULT_COUNT};
    if (!lab_checker_is_due(r->heap.guard, r->index, r->script) || skips_checker(r)) {
        return true;
    }
    r->counts.checkers++;
    if (th_heap_check(&r->heap, &fault) == TH_OK) {
        return lab_expect(r, LAB_PROPERTY_CHECKER, "nothing found", TH_FAULT_NONE, fault.kind);
    }
    char line[TH_FAULT_LINE_BYTES_MAX];
    (void)th_fault_format(&fault, line, sizeof line);
    return lab_fail(r, LAB_PROPERTY_CHECKER, th_fault_name(fault.kind), "%s", line);
}

bool lab_check_fault(lab_runner *r) {
    if (!r->faulted) {
        return true;
    }
    char line[TH_FAULT_LINE_BYTES_MAX];
    (void)th_fault_format(&r->fault, line, sizeof line);
    return lab_fail(r, LAB_PROPERTY_FAULT, th_fault_name(r->fault.kind), "%s", line);
}

bool lab_check_lock(lab_runner *r) {
    return lab_expect(r, LAB_PROPERTY_LOCK, "after", 0, (uint64_t)r->lock_depth);
}

/* ---- the region's edges ------------------------------------------------------------------- */

static unsigned edge_byte(unsigned arena) {
    return EDGE_BYTE ^ arena;
}

void lab_write_edges(const lab_runner *r, unsigned arena) {
    unsigned char *base = r->arenas[arena] + (r->base - r->arenas[r->arena]);
    memset(base - LAB_EDGE_BYTES, (int)edge_byte(arena), LAB_EDGE_BYTES);
    memset(base + 4 * (size_t)r->model.dwords, (int)edge_byte(arena), LAB_EDGE_BYTES);
}

/* Regions are made of dwords, so both edges begin at a multiple of 4. */
static LAB_PLAIN bool is_edge(const unsigned char *at, unsigned byte) {
    const lab_content_word *words = (const void *)at;
    uint64_t expected = byte * (UINT64_MAX / UINT8_MAX);
    uint64_t difference = 0;
    for (size_t i = 0; i < LAB_EDGE_BYTES / LAB_WORD_BYTES; i++) {
        difference |= words[i] ^ expected;
    }
    return difference == 0;
}
static_assert(LAB_EDGE_BYTES % LAB_WORD_BYTES == 0, "an edge is whole words");

/* The heap must not write below its region, nor above what it manages. */
bool lab_check_edges(lab_runner *r) {
    if (!is_edge(r->base - LAB_EDGE_BYTES, edge_byte(r->arena))) {
        return lab_fail(r, LAB_PROPERTY_BOUNDS, "below", "bytes below the region were written");
    }
    if (!is_edge(r->base + 4 * (size_t)r->model.dwords, edge_byte(r->arena))) {
        return lab_fail(r, LAB_PROPERTY_BOUNDS, "above", "bytes above the region were written");
    }
    return true;
}
