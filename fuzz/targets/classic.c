/* SPDX-License-Identifier: MIT */
/* Property: whatever a script does with the classic facade, its heap agrees with the exact model
 * block for block, and every TH_* call returns what the model says. TAIL tags go in in both of
 * their spellings. The configuration in the input's first bytes is not used: there is one classic
 * heap, of 75,000 dwords. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/exact.h"
#include "mutate/mutate.h"
#include "result/failure.h"
#include "runner/plain.h"
#include "script/script.h"
#include "tagheap/classic.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_SCRIPT;

#define SLOTS 64u

static lab_exact model;
static uint32_t blocks[SLOTS]; /* header offsets; LAB_EXACT_NONE: empty */
static uint8_t veto;

static void expect(const char *detail, uint64_t expected, uint64_t found) {
    lab_failure_expect("classic", detail, expected, found);
}

static void *payload_of(uint32_t block) {
    return block == LAB_EXACT_NONE ? NULL : TH_heap()->base + 4 * (size_t)(block + model.header);
}

static uint32_t block_of(const void *payload) {
    if (payload == NULL) {
        return LAB_EXACT_NONE;
    }
    return (uint32_t)((uintptr_t)payload - (uintptr_t)TH_heap()->base) / 4 - model.header;
}

/* A size as an int: what is absurd as a size_t is negative here. */
static int int_of(lab_size bytes) {
    return bytes.kind == LAB_SIZE_BYTES ? (int)bytes.value : -(int)bytes.value;
}

/* The other spelling of a TAIL tag; other tags as they are. */
static uint32_t spell(uint32_t tag, bool wide) {
    bool tail = tag >= TH_TAG_TAIL_MIN && tag <= TH_TAG_TAIL_MAX;
    return wide && tail ? 0x8000u | (tag & TH_TAG_HEAD_MAX) : tag;
}

static uint32_t slot_at(uint32_t block) {
    uint32_t slot = 0;
    while (slot < SLOTS && blocks[slot] != block) {
        slot++;
    }
    return slot;
}

/* What the model's compaction asked; the heap's must ask the same. */
static struct {
    uint32_t from, to;
    bool yes;
} questions[SLOTS];
static uint32_t asked, answered;

static bool model_may_move(void *context, uint32_t tag, uint32_t from, uint32_t to,
                           uint32_t bytes) {
    (void)context;
    (void)tag;
    (void)bytes;
    uint32_t slot = slot_at(from);
    bool yes = (veto >> slot % 8 & 1) == 0;
    questions[asked].from = from;
    questions[asked].to = to;
    questions[asked++].yes = yes;
    blocks[slot] = yes ? to : from;
    return yes;
}

static bool heap_may_move(uint32_t tag, void *from, void *to, int bytes) {
    expect("question", 1, answered < asked && tag <= TH_TAG_HEAD_MAX && bytes > 0);
    expect("from", questions[answered].from, block_of(from));
    expect("to", questions[answered].to, block_of(to));
    return questions[answered++].yes;
}

static void allocate(const lab_op *op, bool wide) {
    int bytes = int_of(op->size);
    uint32_t slot = op->slot % SLOTS;
    uint32_t tag = op->tag == 0xFF00 ? 0xBFFFu : op->tag; /* FREE, in the 16-bit spelling */
    if (blocks[slot] != LAB_EXACT_NONE) {
        return;
    }
    if (bytes > 0) {
        blocks[slot] = lab_exact_alloc(&model, 4, (size_t)bytes, tag, 0);
    }
    expect("alloc", blocks[slot], block_of(TH_alloc(bytes, spell(tag, wide))));
}

static void resize(const lab_op *op) {
    int bytes = int_of(op->size);
    uint32_t *block = &blocks[op->slot % SLOTS];
    void *old = payload_of(*block);
    uint32_t want = LAB_EXACT_NONE;
    if (*block != LAB_EXACT_NONE) {
        want = lab_exact_resize(&model, *block, bytes > 0 ? (size_t)bytes : 0);
    }
    expect("realloc", want, block_of(TH_realloc(old, bytes)));
    *block = bytes > 0 && want == LAB_EXACT_NONE ? *block : want;
}

static void release(const lab_op *op) {
    uint32_t *block = &blocks[op->slot % SLOTS];
    void *payload = payload_of(*block);
    size_t want = *block != LAB_EXACT_NONE ? lab_exact_free(&model, *block) : 0;
    expect("free", want, (uint64_t)TH_free(payload));
    *block = LAB_EXACT_NONE;
}

static void free_tags(const lab_op *op, bool wide) {
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (blocks[slot] != LAB_EXACT_NONE) {
            uint32_t tag = lab_exact_find(&model, blocks[slot])->tag;
            bool freed = tag >= op->tag && tag <= op->tag_high;
            blocks[slot] = freed ? LAB_EXACT_NONE : blocks[slot];
        }
    }
    uint32_t want = lab_exact_free_tags(&model, op->tag, op->tag_high);
    /* From 0x8000 on, a bound is a spelling; as a plain number it lies above every tag. */
    uint32_t high = op->tag_high > TH_TAG_FREE ? 0xC000u : spell(op->tag_high, wide);
    uint32_t low = op->tag > TH_TAG_FREE ? 0xC000u : spell(op->tag, wide);
    expect("freetags", want, (uint64_t)TH_freetags(low, high));
}

static void compact(const lab_op *op) {
    veto = op->veto;
    asked = 0;
    answered = 0;
    uint32_t want = lab_exact_compact(&model, model_may_move, NULL).moved;
    expect("defrag", want, (uint64_t)TH_defrag(op->veto == 0 ? NULL : heap_may_move));
    expect("questions", op->veto == 0 ? 0 : asked, answered);
}

static void perform(const lab_op *op, bool wide) {
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_RESIZE:
        resize(op);
        break;
    case LAB_OP_FREE:
        release(op);
        break;
    case LAB_OP_FREE_TAGS:
        free_tags(op, wide);
        break;
    case LAB_OP_COMPACT:
    case LAB_OP_COMPACT_SOME:
        compact(op);
        break;
    default:
        if (lab_op_allocates(op)) {
            allocate(op, wide);
        }
        break;
    }
}

static void expect_block(const lab_extent *want, const th_heap_block *have) {
    expect("offset", want->offset, have->offset);
    expect("size", want->size, have->size_dwords);
    expect("tag", want->tag, have->tag);
    expect("requested", want->requested, have->requested_bytes);
}

static LAB_PLAIN void compare_blocks(void) {
    const th_heap *heap = TH_heap();
    th_heap_block block;
    bool more = th_heap_first(heap, &block);
    for (uint32_t i = 0; i < model.count; i++) {
        const lab_extent *x = &model.extents[i];
        expect("blocks", true, more);
        if (((x->offset ^ block.offset) | (x->size ^ block.size_dwords) | (x->tag ^ block.tag) |
             (x->requested ^ block.requested_bytes)) != 0) {
            expect_block(x, &block);
        }
        more = th_heap_next(heap, &block);
    }
    expect("more blocks", false, more);
}

static void compare(void) {
    lab_exact_stats stats;
    lab_exact_get_stats(&model, &stats);
    compare_blocks();
    expect("countfreehead", stats.free_head, (uint64_t)TH_countfreehead());
}

/* Before the first TH_init every call fails. */
static void before_init(void) {
    expect("heap before init", 1, TH_heap() == NULL);
    expect("alloc before init", 1, TH_alloc(4, 1) == NULL);
    expect("realloc before init", 1, TH_realloc(NULL, 4) == NULL);
    expect("free before init", 0, (uint64_t)TH_free(NULL));
    expect("freetags before init", 0, (uint64_t)TH_freetags(0, 0xFFFF));
    expect("defrag before init", 0, (uint64_t)TH_defrag(NULL));
    expect("countfreehead before init", 0, (uint64_t)TH_countfreehead());
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static lab_script script;
    if (TH_heap() == NULL) {
        before_init();
    }
    TH_init();
    if (!lab_script_decode(&script, bytes, size) ||
        !lab_exact_start(&model, 0, (size_t)4 * TH_HEAP_DWORDS, 4, LAB_EXACT_CLASSIC)) {
        (void)fprintf(stderr, "FAILURE property=memory detail=start\n");
        abort();
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        blocks[slot] = LAB_EXACT_NONE;
    }
    for (size_t i = 0; i < script.count; i++) {
        perform(&script.ops[i], i % 2 != 0);
        compare();
    }
    return 0;
}
