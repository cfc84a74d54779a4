/* SPDX-License-Identifier: MIT */
/* Property: whatever is done with handles over a small heap, each slot, generation, place, pin and
 * count is what the exact model (model/handles.h) says, contents stay, plans come true, and handles
 * that are stale are named and not followed.
 *
 * Any characters are an input (characters.h). Three say how the heap is (alignment, guard level,
 * size), then each operation is four: what (OPERATIONS; a byte that is
 * none of these stands for the one that its value modulo their number is), the name of a handle,
 * and two numbers counted from '0'. An operation that a name is not fit for does nothing. */
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "model/handles.h"
#include "mutate/mutate.h"
#include "result/failure.h"
#include "script/characters.h"
#include "tagheap/handles.h"
#include "tagheap/tag_totals.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_BYTES;

/* a alloc   A aligned   f free   t free tags   p pin   u unpin   r realloc   g purgeable   P purge
 * c compact   s compact some   w plan and commit   v recover   S stale   o raw block   O free it */
static const char OPERATIONS[] = "aAftpurgPcswvSoO";

#define NAMES      16u
#define DWORDS_MAX 512u
#define SLOTS      12u

typedef struct named {
    th_handle handle, stale;
    void *raw; /* a block of the heap's own */
    uint32_t raw_block;
    uint8_t seed;
} named;

static lab_exact model_heap;
static lab_handles model;
static th_heap heap;
static th_handles handles;
static th_handles_slot slots[SLOTS];
static named names[NAMES];
static uint64_t faults, due_faults;
static th_tag_total rows[6]; /* of eight tags */
static th_tag_totals totals; /* zeroed: nothing watches the heap */
static alignas(256) unsigned char region[DWORDS_MAX * 4];

static void expect(const char *detail, uint64_t expected, uint64_t found) {
    lab_failure_expect("handles", detail, expected, found);
}

static void note_fault(void *context, const th_fault *fault) {
    (void)context;
    expect("fault", 1, fault->kind == TH_FAULT_STALE || fault->kind == TH_FAULT_UNPINNED);
    faults++;
}

/* ---- places --------------------------------------------------------------------------------- */

static uint32_t block_of(const void *payload) {
    return payload == NULL
               ? LAB_EXACT_NONE
               : (uint32_t)((uintptr_t)payload - (uintptr_t)region) / 4 - model_heap.header;
}

static void fill(named *n, void *payload, size_t bytes) {
    n->seed = (uint8_t)(n->seed * 5 + 77);
    for (size_t i = 0; i < bytes; i++) {
        ((unsigned char *)payload)[i] = (unsigned char)(n->seed + i * 7);
    }
}

static void expect_contents(const named *n, const void *payload, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        expect("contents", (unsigned char)(n->seed + i * 7), ((const unsigned char *)payload)[i]);
    }
}

/* ---- operations ----------------------------------------------------------------------------- */

static size_t bytes_of(uint8_t n) {
    return n < 100 ? (size_t)n * 5 : (size_t)n * 40;
}

static uint32_t tag_of(uint8_t n) {
    return n % 8 < 6 ? n % 8u : 0x4000u + n % 8;
}

static void allocate(named *n, size_t bytes, size_t alignment, uint32_t tag) {
    if (n->handle.generation != 0) {
        return;
    }
    uint32_t due = lab_handles_alloc(&model, bytes, alignment, tag);
    th_handle found = alignment <= 4 ? th_handles_alloc(&handles, bytes, tag)
                                     : th_handles_alloc_aligned(&handles, bytes, alignment, tag);
    expect("alloc", due != LAB_HANDLES_NONE, found.generation != 0);
    if (due != LAB_HANDLES_NONE) {
        expect("slot", due, found.slot);
        expect("generation", model.slots[due].life, found.generation);
        n->handle = found;
        fill(n, th_handles_get(&handles, found), bytes);
    }
}

static void forget(named *n) {
    n->stale = n->handle;
    n->handle = (th_handle){0};
}

static void release(named *n) {
    if (n->handle.generation != 0) {
        bool due = lab_handles_free(&model, n->handle.slot);
        expect("free", due ? TH_OK : TH_ERR_PINNED, th_handles_free(&handles, n->handle));
        if (due) {
            forget(n);
        }
    }
}

static void release_tags(uint32_t low, uint32_t high) {
    expect("free_tags", lab_handles_free_tags(&model, low, high),
           th_handles_free_tags(&handles, low, high));
    for (uint32_t i = 0; i < NAMES; i++) {
        if (names[i].handle.generation != 0 && model.slots[names[i].handle.slot].life % 2 == 0) {
            forget(&names[i]);
        }
    }
}

static void resize(named *n, size_t bytes) {
    if (n->handle.generation == 0) {
        return;
    }
    const lab_handles_slot *s = &model.slots[n->handle.slot];
    size_t kept = s->block != LAB_EXACT_NONE ? s->bytes : 0;
    uint32_t due = lab_handles_realloc(&model, n->handle.slot, bytes);
    void *found = th_handles_realloc(&handles, n->handle, bytes);
    expect("realloc", due, block_of(found));
    if (found != NULL) {
        expect_contents(n, found, kept < bytes ? kept : bytes);
        fill(n, found, bytes);
    }
    if (s->life % 2 == 0) {
        forget(n);
    }
}

static void unpin(named *n) {
    if (n->handle.generation != 0) {
        bool due = lab_handles_unpin(&model, n->handle.slot);
        due_faults += !due;
        expect("unpin", due ? TH_OK : TH_ERR_STALE, th_handles_unpin(&handles, n->handle));
    }
}

static void pin(named *n) {
    if (n->handle.generation != 0) {
        bool due = lab_handles_pin(&model, n->handle.slot);
        expect("pin", due, th_handles_pin(&handles, n->handle) != NULL);
    }
}

static void compact(bool some, size_t budget) {
    lab_exact_compaction due =
        some ? lab_handles_compact_some(&model, budget) : lab_handles_compact(&model);
    th_heap_compaction found =
        some ? th_handles_compact_some(&handles, budget) : th_handles_compact(&handles);
    expect("moved", due.moved, found.blocks_moved);
    expect("vetoed", due.vetoed, found.blocks_vetoed);
    expect("moved bytes", due.bytes, found.bytes_moved);
    expect("done", due.done, found.done);
}

/* What is planned is what comes; a plan of which something is missing is refused. */
static void plan(uint8_t less) {
    th_handles_move moves[SLOTS];
    lab_handles_plan due = lab_handles_plan_compaction(&model);
    th_heap_plan found = th_handles_plan(&handles, moves, SLOTS);
    expect("planned", due.moved, found.blocks_moved);
    expect("planned vetoes", due.vetoed, found.blocks_vetoed);
    expect("planned bytes", due.bytes, found.bytes_moved);
    expect("planned largest", due.largest_free, found.largest_free_bytes);
    if (less % 2 == 1) {
        bool partial = due.moved > 0;
        expect("partial plan", partial ? TH_ERR_STALE : TH_OK,
               th_handles_commit(&handles, moves, due.moved - partial));
        if (partial) {
            return;
        }
    } else {
        expect("commit", TH_OK, th_handles_commit(&handles, moves, due.moved));
    }
    (void)lab_handles_compact(&model);
    for (uint32_t i = 0; i < due.moved; i++) {
        expect("as planned", (uintptr_t)moves[i].to,
               (uintptr_t)th_handles_get(&handles, moves[i].handle));
    }
}

static void recover(const named *n, size_t bytes) {
    if (n->handle.generation != 0) {
        const lab_handles_slot *s = &model.slots[n->handle.slot];
        const unsigned char *payload = th_handles_get(&handles, n->handle);
        if (payload != NULL) {
            th_handle found = th_handles_recover(&handles, payload + bytes % s->bytes);
            expect("recover", n->handle.slot, found.slot);
            expect("recover", n->handle.generation, found.generation);
        }
    } else if (n->raw != NULL) {
        expect("recover raw", 0, th_handles_recover(&handles, n->raw).generation);
    }
}

static void use_stale(const named *n) {
    th_handle_info info;
    if (n->stale.generation != 0) {
        due_faults++;
        expect("stale", 0, (uintptr_t)th_handles_get(&handles, n->stale));
        expect("stale", 0, th_handles_describe(&handles, n->stale, &info));
    }
}

/* A block that has no handle, whose site is that of somebody else's. */
static void allocate_raw(named *n, size_t bytes, uint32_t tag, uint32_t site) {
    if (n->raw == NULL && bytes > 0) {
        n->raw_block = lab_exact_alloc(&model_heap, 4, bytes, tag, site);
        n->raw = th_heap_alloc_at(&heap, bytes, 4, tag, site);
        expect("raw", n->raw_block, block_of(n->raw));
    }
}

static void release_raw(named *n) {
    if (n->raw != NULL) {
        expect("raw free", lab_exact_free(&model_heap, n->raw_block), th_heap_free(&heap, n->raw));
        n->raw = NULL;
    }
}

static void purge(size_t bytes) {
    expect("purge", lab_handles_purge(&model, bytes), th_handles_purge(&handles, bytes));
}

static void set_purgeable(const named *n, bool purgeable) {
    if (n->handle.generation != 0) {
        lab_handles_set_purgeable(&model, n->handle.slot, purgeable);
        expect("purgeable", TH_OK, th_handles_set_purgeable(&handles, n->handle, purgeable));
    }
}

static void perform(char what, named *n, uint8_t x, uint8_t y) {
    switch (what) {
    case 'a':
        allocate(n, bytes_of(x), 4, tag_of(y));
        break;
    case 'A':
        allocate(n, bytes_of(x), (size_t)8 << y % 5, tag_of(y));
        break;
    case 'f':
        release(n);
        break;
    case 't':
        release_tags(tag_of(x), tag_of(y));
        break;
    case 'p':
        pin(n);
        break;
    case 'u':
        unpin(n);
        break;
    case 'r':
        resize(n, bytes_of(x));
        break;
    case 'g':
        set_purgeable(n, x % 2 == 1);
        break;
    case 'P':
        purge(bytes_of(x));
        break;
    case 'c':
    case 's':
        compact(what == 's', bytes_of(x));
        break;
    case 'w':
        plan(x);
        break;
    case 'v':
        recover(n, x);
        break;
    case 'S':
        use_stale(n);
        break;
    case 'o':
        allocate_raw(n, bytes_of(x), tag_of(y), y % SLOTS);
        break;
    default:
        release_raw(n);
        break;
    }
}

/* ---- comparison ----------------------------------------------------------------------------- */

static void compare_names(void) {
    for (uint32_t i = 0; i < NAMES; i++) {
        const named *n = &names[i];
        th_handle_info info;
        if (n->handle.generation == 0) {
            continue;
        }
        const lab_handles_slot *s = &model.slots[n->handle.slot];
        expect("describe", 1, th_handles_describe(&handles, n->handle, &info));
        expect("block", s->block, block_of(info.payload));
        expect("bytes", s->bytes, info.bytes);
        expect("tag", s->tag, info.tag);
        expect("alignment", s->alignment, info.alignment);
        expect("pins", s->pins, info.pins);
        expect("may be purged", s->purgeable, info.purgeable);
        if (info.payload != NULL) {
            expect_contents(n, info.payload, info.bytes);
        }
    }
}

static void compare_counts(void) {
    th_handles_stats found = th_handles_get_stats(&handles);
    uint64_t live = 0, purged = 0, pinned = 0, live_bytes = 0, pinned_bytes = 0;
    for (uint32_t i = 0; i < model.slots_used; i++) {
        const lab_handles_slot *s = &model.slots[i];
        bool used = s->life % 2 == 1;
        bool has_block = used && s->block != LAB_EXACT_NONE;
        live += has_block;
        purged += used && !has_block;
        live_bytes += has_block ? s->bytes : 0;
        pinned += used && s->pins > 0;
        pinned_bytes += used && s->pins > 0 ? s->bytes : 0;
    }
    expect("live", live, found.live);
    expect("purged", purged, found.purged);
    expect("pinned", pinned, found.pinned);
    expect("live bytes", live_bytes, found.live_bytes);
    expect("pinned bytes", pinned_bytes, found.pinned_bytes);
    expect("allocs", model.allocs, found.allocs);
    expect("frees", model.frees, found.frees);
    expect("purges", model.purges, found.purges);
    expect("moves", model.moves, found.moves);
    expect("failures", model.failed_allocs, found.failed_allocs);
    expect("faults", due_faults, found.faults);
    expect("faults raised", due_faults, faults);
    expect("compacted largest", lab_handles_plan_compaction(&model).largest_free,
           found.compacted_largest_bytes);
}

/* What the heap's events add up to. */
static void compare_totals(void) {
    th_tag_totals_stats found = th_tag_totals_get_stats(&totals);
    uint64_t blocks = 0, bytes = 0;
    for (uint32_t i = 0; i < model_heap.count; i++) {
        const lab_extent *x = &model_heap.extents[i];
        blocks += !lab_exact_is_free(&model_heap, x);
        bytes += x->requested;
    }
    expect("events: blocks", blocks, found.live_blocks);
    expect("events: bytes", bytes, found.live_bytes);
    expect("events: moves", model.moves, found.moves);
    expect("events: failures", model_heap.failed_allocs, found.failures);
    expect("events: came and went", blocks, found.allocs - found.frees);
    expect("totals check", TH_OK, th_tag_totals_check(&totals, NULL));
}

static void compare_heap(void) {
    lab_exact_stats due;
    lab_exact_get_stats(&model_heap, &due);
    th_heap_stats found = th_heap_get_stats(&heap);
    expect("heap used", due.used, found.used_bytes);
    expect("heap largest", due.largest_free, found.largest_free_bytes);
    expect("heap failures", due.failed_allocs, found.failed_allocs);
    expect("heap check", TH_OK, th_heap_check(&heap, NULL));
    expect("check", TH_OK, th_handles_check(&handles, NULL));
    if (heap.config.on_event != NULL) {
        compare_totals();
    }
}

/* ---- one input ------------------------------------------------------------------------------ */

static bool start(lab_characters *in) {
    uint8_t c[3];
    if (!lab_characters_next(in, c, 3)) {
        return false;
    }
    uint32_t alignment = 4u << lab_characters_number(c[0]) % 3;
    int level = lab_characters_number(c[1]) % 4;
    bool watched = lab_characters_number(c[1]) / 4 % 2 == 1;
    const th_heap_config heap_config = {
        .alignment = alignment,
        .guarding = {level, note_fault, NULL},
        .on_event = watched ? th_tag_totals_on_event : NULL,
        .event_context = &totals,
    };
    const th_handles_config config = {
        .memory = slots, .memory_bytes = sizeof slots, .guarding = {level, note_fault, NULL}};
    size_t bytes = 4 * (150 + 40 * (size_t)(lab_characters_number(c[2]) % 8));
    memset(names, 0, sizeof names);
    faults = 0;
    due_faults = 0;
    th_tag_totals_clean_up(&totals);
    if (watched) {
        expect("start", TH_OK, th_tag_totals_init(&totals, rows, sizeof rows / sizeof rows[0]));
    }
    expect("start", TH_OK, th_heap_init(&heap, region, bytes, &heap_config));
    expect("start", TH_OK, th_handles_init(&handles, &heap, &config));
    expect("start", 1,
           lab_exact_start(&model_heap, (uintptr_t)region, bytes, alignment, LAB_EXACT_CLASSIC));
    lab_handles_start(&model, &model_heap, SLOTS);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    lab_characters in = {.bytes = bytes, .size = size};
    uint8_t op[4];
    if (!start(&in)) {
        return 0;
    }
    while (lab_characters_next(&in, op, 4)) {
        const char *known = op[0] != 0 ? strchr(OPERATIONS, op[0]) : NULL;
        perform(known != NULL ? *known : OPERATIONS[op[0] % (sizeof OPERATIONS - 1)],
                &names[lab_characters_number(op[1]) % NAMES], lab_characters_number(op[2]),
                lab_characters_number(op[3]));
        compare_names();
        compare_counts();
        compare_heap();
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        release_raw(&names[i]);
    }
    th_handles_clean_up(&handles);
    expect("all is freed", 0, th_heap_get_stats(&heap).used_bytes);
    bool is_watched = heap.config.on_event != NULL;
    th_heap_clean_up(&heap);
    expect("events at the end", 0, is_watched ? th_tag_totals_get_stats(&totals).live_blocks : 0);
    return 0;
}
