/* SPDX-License-Identifier: MIT */
#include "explore/pair.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/calls.h"
#include "runner/rules.h"

#define EDGE_BYTES 64u /* before and after the region, which nobody may write */
#define EDGE_BYTE  0xA6u
#define DWORD      4u

/* Regions begin at a multiple of this, so that every address has the same alignment in all of
 * them, and in the runner's. */
#define BASE_ALIGNMENT 4096u
static_assert(BASE_ALIGNMENT >= LAB_EXPLORE_ALIGN_MAX, "copies keep every alignment");
static_assert(LAB_BLOCKS_MAX <= LAB_SLOTS_SIDE, "every block finds a slot");
static_assert(1 + 2 + 2 * (2 * LAB_BLOCKS_MAX + 1) <= LAB_KEY_BYTES_MAX, "keys fit");

uint32_t lab_step_pack(lab_step step) {
    return (uint32_t)step.kind | (uint32_t)step.a << 8 | (uint32_t)step.b << 16 |
           (uint32_t)step.c << 24;
}

lab_step lab_step_unpack(uint32_t packed) {
    return (lab_step){(uint8_t)packed, (uint8_t)(packed >> 8), (uint8_t)(packed >> 16),
                      (uint8_t)(packed >> 24)};
}

void lab_noise_fill(unsigned char noise[LAB_NOISE_BYTES]) {
    uint32_t x = 1;
    for (size_t i = 0; i < LAB_NOISE_BYTES; i++) {
        x = x * 1664525u + 1013904223u;
        noise[i] = (unsigned char)(x >> 24);
    }
}

bool lab_pair_checker_fail(lab_pair_checker *checker, lab_property property, const char *detail,
                           const char *format, ...) {
    if (checker->failure.property == LAB_PROPERTY_NONE) {
        va_list arguments;
        va_start(arguments, format);
        checker->failure.property = property;
        checker->failure.detail = detail;
        (void)vsnprintf(checker->failure.message, sizeof checker->failure.message, format,
                        arguments);
        va_end(arguments);
    }
    return false;
}

static bool expect(lab_pair_checker *checker, lab_property property, const char *detail,
                   uint64_t expected, uint64_t found) {
    return expected == found ||
           lab_pair_checker_fail(checker, property, detail, "expected %llu, found %llu",
                                 (unsigned long long)expected, (unsigned long long)found);
}

static void note_fault(void *context, const th_fault *fault) {
    lab_pair_checker *checker = context;
    if (!checker->faulted) {
        checker->faulted = true;
        checker->fault = *fault;
    }
}

void lab_pair_checker_init(lab_pair_checker *checker, const lab_explore_config *config,
                           const unsigned char *noise) {
    *checker = (lab_pair_checker){.config = config, .noise = noise};
    for (uint32_t i = 0; i < config->sizes.count; i++) {
        checker->size_index[config->sizes.value[i]] = (uint8_t)i;
    }
}

lab_config lab_explore_script_config(const lab_explore_config *config) {
    return (lab_config){.dwords = config->dwords,
                        .alignment = (uint8_t)config->alignment,
                        .guard = (uint8_t)config->guard,
                        .slots = LAB_SLOTS,
                        .layout = (uint8_t)config->layout};
}

/* The heap's tag that number `i` of the alphabet stands for. */
static uint32_t tag_of(const lab_explore_config *config, uint32_t i) {
    const lab_config script = lab_explore_script_config(config);
    return lab_tag(&script, config->tags.value[i]);
}

/* ---- pairs -------------------------------------------------------------------------------- */

bool lab_pair_init(lab_pair *pair, lab_pair_checker *checker) {
    const lab_explore_config *config = checker->config;
    size_t bytes = (size_t)config->dwords * DWORD;
    size_t whole = (2 * BASE_ALIGNMENT + bytes + EDGE_BYTES) / BASE_ALIGNMENT * BASE_ALIGNMENT;
    *pair = (lab_pair){.state = LAB_STATE_NONE};
    pair->memory = aligned_alloc(BASE_ALIGNMENT, whole);
    if (pair->memory == NULL) {
        return lab_pair_checker_fail(checker, LAB_PROPERTY_MEMORY, "region",
                                     "no memory for a region");
    }
    pair->base = (unsigned char *)pair->memory + BASE_ALIGNMENT;
    memset(pair->base - EDGE_BYTES, EDGE_BYTE, EDGE_BYTES);
    memset(pair->base + bytes, EDGE_BYTE, EDGE_BYTES);
    pair->index_bytes = th_heap_index_bytes(bytes, config->alignment);
    pair->index = malloc(pair->index_bytes);
    if (pair->index == NULL) {
        return lab_pair_checker_fail(checker, LAB_PROPERTY_MEMORY, "index",
                                     "no memory for an index");
    }
    const lab_config script = lab_explore_script_config(config);
    const th_heap_config heap_config = {.alignment = config->alignment,
                                        .layout = lab_heap_layout(&script),
                                        .index = TH_HEAP_INDEX_GIVEN,
                                        .index_memory = pair->index,
                                        .index_bytes = pair->index_bytes,
                                        .guarding.level = config->guard,
                                        .guarding.on_fault = note_fault,
                                        .guarding.fault_context = checker};
    th_status status = th_heap_init(&pair->heap, pair->base, bytes, &heap_config);
    if (!lab_exact_start(&pair->model, (uintptr_t)pair->base, bytes, config->alignment,
                         lab_model_layout(&script)) ||
        status != TH_OK) {
        return lab_pair_checker_fail(checker, LAB_PROPERTY_INIT, "status",
                                     "the heap's status is %d where the region should be accepted",
                                     (int)status);
    }
    return true;
}

void lab_pair_clean_up(lab_pair *pair) {
    th_heap_clean_up(&pair->heap);
    lab_exact_clean_up(&pair->model);
    free(pair->memory);
    free(pair->index);
    *pair = (lab_pair){.state = LAB_STATE_NONE};
}

bool lab_pair_copy(lab_pair *to, const lab_pair *from, lab_pair_checker *checker) {
    lab_exact model = from->model;
    model.extents = to->model.extents;
    memcpy(model.extents, from->model.extents, model.count * sizeof model.extents[0]);
    to->model = model;
    to->model.base = (uintptr_t)to->base & UINT32_MAX;
    th_status status = th_heap_copy(&from->heap, &to->heap, to->base);
    if (status == TH_OK) {
        status = th_heap_set_index(&to->heap, to->index, to->index_bytes);
    }
    return status == TH_OK ||
           lab_pair_checker_fail(checker, LAB_PROPERTY_RESULT, "copy",
                                 "the heap's status is %d where it should be copied", (int)status);
}

bool lab_pair_same(const lab_pair *a, const lab_pair *b) {
    return a->model.count == b->model.count && a->model.cursor == b->model.cursor &&
           memcmp(a->model.extents, b->model.extents,
                  a->model.count * sizeof a->model.extents[0]) == 0;
}

static uint32_t log2_of(uint32_t power) {
    uint32_t log2 = 0;
    while (power > 1) {
        power /= 2;
        log2++;
    }
    return log2;
}

static uint32_t index_of(const lab_explore_list *list, uint32_t value) {
    uint32_t i = 0;
    while (i < list->count && list->value[i] != value) {
        i++;
    }
    return i;
}

/* The cursor, then a class and a size for each block but LAST. The class of a live block stands
 * for its tag, requested size and alignment. */
void lab_pair_key(const lab_pair *pair, const lab_pair_checker *checker, lab_key *key) {
    const lab_explore_config *config = checker->config;
    const lab_exact *model = &pair->model;
    uint8_t *at = key->bytes;
    uint32_t unit = model->unit;
    *at++ = (uint8_t)(model->cursor / unit);
    if (config->bookkeeping) {
        *at++ = (uint8_t)(pair->heap.low_used / unit);
        *at++ = (uint8_t)(pair->heap.high_used / unit);
    }
    for (uint32_t i = 0; i + 1 < model->count; i++) {
        const lab_extent *x = &model->extents[i];
        uint32_t class = 0;
        if (!lab_exact_is_free(model, x)) {
            uint32_t align = x->alignment == config->alignment
                                 ? 0
                                 : 1 + index_of(&config->aligned, x->alignment);
            class = 1 + checker->size_index[x->requested] +
                    config->sizes.count *
                        (index_of(&config->tags, x->tag & 0x7FFF) + config->tags.count * align);
        }
        *at++ = (uint8_t) class;
        *at++ = (uint8_t)(x->size / unit);
    }
    key->size = (uint8_t)(at - key->bytes);
    lab_key_finish(key);
}

/* ---- comparing ---------------------------------------------------------------------------- */

static bool report_block(lab_pair_checker *checker, const lab_extent *want,
                         const th_heap_block *have) {
    const char *detail = want->offset != have->offset         ? "offset"
                         : want->size != have->size_dwords    ? "size"
                         : want->tag != have->tag             ? "tag"
                         : want->alignment != have->alignment ? "alignment"
                         : want->site != have->site           ? "site"
                                                              : "requested";
    return lab_pair_checker_fail(
        checker, LAB_PROPERTY_BLOCKS, detail,
        "expected block %u size %u tag 0x%04x requested %u align %u site %u, found block %u size "
        "%u tag 0x%04x requested %zu align %u site %u",
        want->offset, want->size, want->tag, want->requested, want->alignment, want->site,
        have->offset, have->size_dwords, have->tag, have->requested_bytes, have->alignment,
        have->site);
}

/* The payload of a live block holds what was written, as far as that is known. */
static bool compare_contents(const lab_pair *pair, lab_pair_checker *checker, const lab_extent *x) {
    uint32_t known = x->site == checker->dirty ? checker->kept : x->requested;
    const unsigned char *payload = pair->base + (size_t)(x->offset + pair->model.header) * DWORD;
    const unsigned char *want = checker->noise + (size_t)(x->site - 1) * LAB_NOISE_STRIDE;
    return memcmp(payload, want, known) == 0 ||
           lab_pair_checker_fail(checker, LAB_PROPERTY_CONTENTS, "bytes",
                                 "slot s%u at block %u does not hold what was written", x->site - 1,
                                 x->offset);
}

static bool compare_blocks(const lab_pair *pair, lab_pair_checker *checker) {
    const lab_exact *model = &pair->model;
    th_heap_block block;
    bool more = th_heap_first(&pair->heap, &block);
    for (uint32_t i = 0; i < model->count; i++) {
        const lab_extent *x = &model->extents[i];
        if (!more) {
            return expect(checker, LAB_PROPERTY_BLOCKS, "count", model->count, i);
        }
        bool same = x->offset == block.offset && x->size == block.size_dwords &&
                    x->tag == block.tag && x->requested == block.requested_bytes &&
                    x->alignment == block.alignment && (model->keeps ? x->site : 0) == block.site;
        if (!same) {
            return report_block(checker, x, &block);
        }
        if (x->site != 0 && !compare_contents(pair, checker, x)) {
            return false;
        }
        more = th_heap_next(&pair->heap, &block);
    }
    return expect(checker, LAB_PROPERTY_BLOCKS, "more", 0, more) &&
           expect(checker, LAB_PROPERTY_BLOCKS, "cursor", model->cursor, pair->heap.compact_cursor);
}

static bool compare_stats(const lab_pair *pair, lab_pair_checker *checker) {
    lab_exact_stats want;
    lab_exact_get_stats(&pair->model, &want);
    th_heap_stats have = th_heap_get_stats(&pair->heap);
    const lab_property stats = LAB_PROPERTY_STATS;
    return expect(checker, stats, "region", want.region, have.region_bytes) &&
           expect(checker, stats, "used", want.used, have.used_bytes) &&
           expect(checker, stats, "high-water", want.high_water, have.high_water_bytes) &&
           expect(checker, stats, "head", want.head, have.head_bytes) &&
           expect(checker, stats, "tail", want.tail, have.tail_bytes) &&
           expect(checker, stats, "free", want.free, have.free_bytes) &&
           expect(checker, stats, "free-head", want.free_head, have.free_head_bytes) &&
           expect(checker, stats, "largest-free", want.largest_free, have.largest_free_bytes) &&
           expect(checker, stats, "head-blocks", want.head_blocks, have.head_blocks) &&
           expect(checker, stats, "tail-blocks", want.tail_blocks, have.tail_blocks) &&
           expect(checker, stats, "free-blocks", want.free_blocks, have.free_blocks) &&
           expect(checker, stats, "failed-allocs", want.failed_allocs, have.failed_allocs);
}

static bool compare_edges(const lab_pair *pair, lab_pair_checker *checker) {
    const unsigned char *below = pair->base - EDGE_BYTES;
    const unsigned char *above = pair->base + (size_t)checker->config->dwords * DWORD;
    unsigned char want[EDGE_BYTES];
    memset(want, EDGE_BYTE, sizeof want);
    return (memcmp(below, want, sizeof want) == 0 && memcmp(above, want, sizeof want) == 0) ||
           lab_pair_checker_fail(checker, LAB_PROPERTY_BOUNDS, "edges",
                                 "bytes next to the region were written");
}

static bool report_fault(lab_pair_checker *checker, lab_property property, const th_fault *fault) {
    char line[TH_FAULT_LINE_BYTES_MAX];
    (void)th_fault_format(fault, line, sizeof line);
    return lab_pair_checker_fail(checker, property, th_fault_name(fault->kind), "%s", line);
}

static bool compare(const lab_pair *pair, lab_pair_checker *checker) {
    th_fault fault;
    if (checker->faulted) {
        return report_fault(checker, LAB_PROPERTY_FAULT, &checker->fault);
    }
    if (!compare_blocks(pair, checker) || !compare_stats(pair, checker) ||
        !compare_edges(pair, checker)) {
        return false;
    }
    return th_heap_check(&pair->heap, &fault) == TH_OK ||
           report_fault(checker, LAB_PROPERTY_CHECKER, &fault);
}

/* ---- steps -------------------------------------------------------------------------------- */

static unsigned char *payload_at(const lab_pair *pair, uint32_t block) {
    return pair->base + (size_t)(block + pair->model.header) * DWORD;
}

static bool expect_block(const lab_pair *pair, lab_pair_checker *checker, uint32_t block,
                         const void *payload) {
    const void *want = block == LAB_EXACT_NONE ? NULL : payload_at(pair, block);
    return payload == want ||
           lab_pair_checker_fail(checker, LAB_PROPERTY_RESULT, "pointer",
                                 "expected region byte %td (NULL: -1), found %td",
                                 want == NULL ? -1 : (const unsigned char *)want - pair->base,
                                 payload == NULL ? -1
                                                 : (const unsigned char *)payload - pair->base);
}

/* The lowest slot of the tag's side that no block has. */
static uint32_t vacant_slot(const lab_exact *model, uint32_t tag) {
    uint64_t taken = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t site = model->extents[i].site;
        taken |= site == 0 ? 0 : (uint64_t)1 << (site - 1);
    }
    uint32_t slot = tag >= model->tag_tail ? LAB_SLOTS_SIDE : 0;
    while ((taken >> slot & 1) != 0) {
        slot++;
    }
    return slot;
}

static uint32_t step_alignment(const lab_explore_config *config, lab_step step) {
    return step.c == 0 ? config->alignment : config->aligned.value[step.c - 1];
}

static bool allocate(lab_pair *pair, lab_pair_checker *checker, const lab_call *call) {
    uint32_t block = lab_call_model(call, &pair->model, LAB_EXACT_NONE, NULL, NULL).block;
    checker->dirty = call->site;
    checker->kept = 0;
    return expect_block(pair, checker, block,
                        lab_call_heap(call, &pair->heap, NULL, NULL, NULL).payload);
}

static bool resize(lab_pair *pair, lab_pair_checker *checker, const lab_call *call, lab_extent x) {
    uint32_t block = lab_call_model(call, &pair->model, x.offset, NULL, NULL).block;
    checker->dirty = x.site;
    uint32_t now =
        block != LAB_EXACT_NONE ? lab_exact_find(&pair->model, block)->requested : x.requested;
    checker->kept = now < x.requested ? now : x.requested;
    void *payload = payload_at(pair, x.offset);
    return expect_block(pair, checker, block,
                        lab_call_heap(call, &pair->heap, payload, NULL, NULL).payload);
}

/* A call that returns a number, for a block or (LAB_EXACT_NONE) for none. */
static bool expect_number(lab_pair *pair, lab_pair_checker *checker, const lab_call *call,
                          uint32_t block) {
    void *payload = block != LAB_EXACT_NONE ? payload_at(pair, block) : NULL;
    return expect(checker, LAB_PROPERTY_RESULT, lab_op_rules[call->kind].result,
                  lab_call_model(call, &pair->model, block, NULL, NULL).number,
                  lab_call_heap(call, &pair->heap, payload, NULL, NULL).number);
}

static bool model_may_move(void *context, uint32_t tag, uint32_t from, uint32_t to,
                           uint32_t bytes) {
    lab_pair_checker *checker = context;
    uint32_t slot = lab_exact_find(checker->model, from)->site - 1;
    bool vetoed = (checker->veto >> slot % 8 & 1) != 0;
    checker->questions[checker->asked++] = (lab_question){tag, from, to, bytes, slot, vetoed};
    return !vetoed;
}

static bool heap_may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    lab_pair_checker *checker = context;
    if (checker->answered >= checker->asked) {
        return lab_pair_checker_fail(checker, LAB_PROPERTY_CALLBACK, "extra",
                                     "expected %u questions, found more", checker->asked);
    }
    const lab_question *q = &checker->questions[checker->answered++];
    size_t header = (size_t)checker->model->header * DWORD;
    return expect(checker, LAB_PROPERTY_CALLBACK, "tag", q->tag, tag) &&
           expect(checker, LAB_PROPERTY_CALLBACK, "from", (size_t)q->from * DWORD + header,
                  (size_t)((uintptr_t)from - (uintptr_t)checker->base)) &&
           expect(checker, LAB_PROPERTY_CALLBACK, "to", (size_t)q->to * DWORD + header,
                  (size_t)((uintptr_t)to - (uintptr_t)checker->base)) &&
           expect(checker, LAB_PROPERTY_CALLBACK, "bytes", q->bytes, bytes) && !q->vetoed;
}

static bool compact(lab_pair *pair, lab_pair_checker *checker, const lab_call *call, uint8_t veto) {
    checker->veto = veto;
    lab_exact_compaction want =
        lab_call_model(call, &pair->model, LAB_EXACT_NONE, model_may_move, checker).compaction;
    th_heap_compaction have =
        lab_call_heap(call, &pair->heap, NULL, heap_may_move, checker).compaction;
    return expect(checker, LAB_PROPERTY_CALLBACK, "missing", checker->asked, checker->answered) &&
           expect(checker, LAB_PROPERTY_RESULT, "moved", want.moved, have.blocks_moved) &&
           expect(checker, LAB_PROPERTY_RESULT, "vetoed", want.vetoed, have.blocks_vetoed) &&
           expect(checker, LAB_PROPERTY_RESULT, "bytes", want.bytes, have.bytes_moved) &&
           expect(checker, LAB_PROPERTY_RESULT, "done", want.done, have.done);
}

static bool perform(lab_pair *pair, lab_pair_checker *checker, lab_step step) {
    const lab_op op = lab_pair_op(pair, checker->config, step);
    const lab_config script = lab_explore_script_config(checker->config);
    const lab_call call = lab_call_of(&op, &script);
    const lab_extent *extents = pair->model.extents;
    switch ((lab_effect)lab_op_rules[op.kind].effect) {
    case LAB_EFFECT_ALLOCATE:
    case LAB_EFFECT_ALLOCATE_ZEROED:
        return allocate(pair, checker, &call);
    case LAB_EFFECT_RESIZE:
        return resize(pair, checker, &call, extents[step.a]);
    case LAB_EFFECT_CHANGE:
    case LAB_EFFECT_FREE:
        return expect_number(pair, checker, &call, extents[step.a].offset);
    case LAB_EFFECT_FREE_TAGS:
        return expect_number(pair, checker, &call, LAB_EXACT_NONE);
    case LAB_EFFECT_COMPACT:
        return compact(pair, checker, &call, step.c);
    case LAB_EFFECT_OTHER:
        break;
    }
    return true;
}

bool lab_pair_step(lab_pair *pair, lab_pair_checker *checker, lab_step step) {
    checker->model = &pair->model;
    checker->base = pair->base;
    checker->asked = 0;
    checker->answered = 0;
    checker->dirty = 0;
    checker->faulted = false;
    bool performed = perform(pair, checker, step);
    if (checker->config->tamper != NULL) {
        checker->config->tamper(checker->config->context, &pair->heap);
    }
    if (checker->faulted) {
        /* Said first: the result that differs is its consequence. */
        checker->failure.property = LAB_PROPERTY_NONE;
        return report_fault(checker, LAB_PROPERTY_FAULT, &checker->fault);
    }
    return performed && checker->failure.property == LAB_PROPERTY_NONE && compare(pair, checker);
}

void lab_pair_settle(lab_pair *pair, const lab_pair_checker *checker) {
    for (uint32_t i = 0; checker->dirty != 0 && i < pair->model.count; i++) {
        const lab_extent *x = &pair->model.extents[i];
        if (x->site == checker->dirty) {
            memcpy(payload_at(pair, x->offset),
                   checker->noise + (size_t)(x->site - 1) * LAB_NOISE_STRIDE, x->requested);
        }
    }
}

/* ---- scripts ------------------------------------------------------------------------------ */

lab_op lab_pair_op(const lab_pair *pair, const lab_explore_config *config, lab_step step) {
    const lab_exact *model = &pair->model;
    lab_op op = {0};
    uint32_t site = 1;
    if (step.kind == LAB_STEP_RESIZE || step.kind == LAB_STEP_TRIM || step.kind == LAB_STEP_FREE) {
        site = model->extents[step.a].site;
    } else if (step.kind == LAB_STEP_ALLOC) {
        site = vacant_slot(model, tag_of(config, step.a)) + 1;
    }
    op.slot = (uint16_t)(site - 1);
    switch ((lab_step_kind)step.kind) {
    case LAB_STEP_ALLOC:
        op.kind = step.c == 0 ? LAB_OP_ALLOC : LAB_OP_ALIGNED;
        op.tag = (uint16_t)config->tags.value[step.a];
        op.size.value = config->sizes.value[step.b];
        op.align = step.c == 0 ? 0 : (uint8_t)log2_of(step_alignment(config, step));
        break;
    case LAB_STEP_RESIZE:
        op.kind = LAB_OP_RESIZE;
        op.size.value = config->sizes.value[step.b];
        break;
    case LAB_STEP_TRIM:
        op.kind = LAB_OP_TRIM;
        break;
    case LAB_STEP_FREE:
        op.kind = LAB_OP_FREE;
        break;
    case LAB_STEP_FREE_TAGS:
        op.kind = LAB_OP_FREE_TAGS;
        op.tag = (uint16_t)config->tags.value[step.a];
        op.tag_high = (uint16_t)config->tags.value[step.b];
        break;
    case LAB_STEP_COMPACT:
        op.kind = LAB_OP_COMPACT;
        op.veto = step.c;
        break;
    case LAB_STEP_COMPACT_SOME:
        op.kind = LAB_OP_COMPACT_SOME;
        op.veto = step.c;
        op.size.value = config->budgets.value[step.b];
        break;
    }
    return op;
}
