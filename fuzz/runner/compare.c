/* SPDX-License-Identifier: MIT */
/* Heap against model: every block, every statistic, every live byte, the heap's own checker, and
 * what lies around its region. */
#include <string.h>

#include "runner/content.h"
#include "runner/plain.h"
#include "runner/state.h"

#define EDGE_BYTE 0xE7 /* XORed with the arena's number: copied edges are noticed */

static bool report_block(lab_runner *r, const lab_extent *want, const th_heap_block *have,
                         uint32_t next) {
    const char *detail = want->offset != have->offset         ? "offset"
                         : want->size != have->size_dwords    ? "size"
                         : want->tag != have->tag             ? "tag"
                         : want->alignment != have->alignment ? "alignment"
                         : want->site != have->site           ? "site"
                         : next != have->next_offset          ? "next"
                                                              : "requested";
    return lab_fail(r, LAB_PROPERTY_BLOCKS, detail,
                    "expected block %u size %u tag 0x%04x requested %u align %u site %u, found "
                    "block %u size %u tag 0x%04x requested %zu align %u site %u next %u",
                    want->offset, want->size, want->tag, want->requested, want->alignment,
                    want->site, have->offset, have->size_dwords, have->tag, have->requested_bytes,
                    have->alignment, have->site, have->next_offset);
}

LAB_PLAIN_PART bool compare_block(lab_runner *r, const lab_extent *want, const th_heap_block *have,
                                  bool last) {
    uint32_t next = last ? 0 : want->offset + r->model.header + want->size;
    uint32_t difference = (want->offset ^ have->offset) | (want->size ^ have->size_dwords) |
                          (want->tag ^ have->tag) | (want->requested != have->requested_bytes) |
                          (want->alignment ^ have->alignment) | (want->site ^ have->site) |
                          (next ^ have->next_offset);
    return difference == 0 || report_block(r, want, have, next);
}

static bool report_contents(lab_runner *r, const lab_extent *extent, size_t intact) {
    return lab_fail(r, LAB_PROPERTY_CONTENTS, "bytes",
                    "slot s%u at block %u: byte %zu of %u is not what was written",
                    extent->site - 1, extent->offset, intact, extent->requested);
}

/* Free blocks have 0 requested bytes and site 0: they are checked like live ones, of nothing,
 * because whether the next block is free cannot be predicted. */
LAB_PLAIN_PART bool compare_contents(lab_runner *r, const lab_extent *extent) {
    uint32_t slot = extent->site == 0 ? 0 : extent->site - 1;
    const unsigned char *payload = r->base + 4 * (size_t)(extent->offset + r->model.header);
    size_t intact = lab_content_peek(payload, extent->requested, r->slots[slot].seed);
    return intact == extent->requested || report_contents(r, extent, intact);
}

LAB_PLAIN bool lab_check_blocks(lab_runner *r) {
    const lab_exact *model = &r->model;
    th_heap_block block;
    bool more = th_heap_first(&r->heap, &block);
    for (uint32_t i = 0; i < model->count; i++) {
        const lab_extent *extent = &model->extents[i];
        if (!more) {
            return lab_expect(r, LAB_PROPERTY_BLOCKS, "count", model->count, i);
        }
        if (!compare_block(r, extent, &block, i + 1 == model->count) ||
            !compare_contents(r, extent)) {
            return false;
        }
        more = th_heap_next(&r->heap, &block);
    }
    return lab_expect(r, LAB_PROPERTY_BLOCKS, "more", 0, more);
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
#define DIFFERS(name, model, heap) | (want.model ^ have.heap)
#define EXPECT_SAME(name, model, heap)                                                             \
    &&lab_expect(r, LAB_PROPERTY_STATS, name, want.model, have.heap)

LAB_PLAIN bool lab_check_stats(lab_runner *r) {
    lab_exact_stats want;
    th_heap_stats have;
    lab_exact_get_stats(&r->model, &want);
    th_heap_get_stats(&r->heap, &have);
    /* Without branches first: nearly always all are the same. */
    return (0 STATS(DIFFERS)) == 0 || (true STATS(EXPECT_SAME));
}

bool lab_check_checker(lab_runner *r) {
    th_fault fault = {.kind = TH_FAULT_COUNT};
    if (!lab_checker_is_due(r->heap.guard, r->index, r->script)) {
        return true;
    }
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

static LAB_PLAIN bool is_edge(const unsigned char *at, unsigned byte) {
    unsigned difference = 0;
    for (size_t i = 0; i < LAB_EDGE_BYTES; i++) {
        difference |= at[i] ^ byte;
    }
    return difference == 0;
}

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
