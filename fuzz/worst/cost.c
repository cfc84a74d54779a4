/* SPDX-License-Identifier: MIT */
#include "worst/cost.h"

#include <stdlib.h>
#include <string.h>

#include "runner/rules.h"
#include "tagheap/heap.h"

#define NOINLINE __attribute__((noinline))

struct lab_cost_player {
    th_heap_index index_kind;
    void *index; /* its memory */
    size_t index_bytes;
    unsigned char *arena;
    size_t region_bytes; /* that there are after the largest start of a region */
    th_heap heap;
    lab_config config;
    void *payloads[LAB_SLOTS_MAX]; /* NULL: empty */
};

const char *lab_cost_name(lab_cost_kind kind) {
    static const char *const names[LAB_COST_KINDS] = {"alloc", "aligned", "aligned-k", "failed",
                                                      "grow",  "free",    "trim"};
    return kind < LAB_COST_KINDS ? names[kind] : "other";
}

lab_cost_player *lab_cost_player_new(uint32_t dwords, th_heap_index index) {
    lab_cost_player *p = calloc(1, sizeof *p);
    size_t start = LAB_ARENA_START * 2; /* a skewed region begins below that */
    size_t bytes = (size_t)dwords * sizeof(uint32_t);
    if (p == NULL) {
        return NULL;
    }
    p->index_kind = index;
    p->region_bytes = bytes;
    p->index_bytes = TH_HEAP_INDEX_BYTES_MAX(bytes, sizeof(uint32_t));
    p->index = malloc(p->index_bytes);
    size_t arena_bytes = (start + bytes + LAB_ARENA_BYTES - 1) & ~(LAB_ARENA_BYTES - 1);
    p->arena = aligned_alloc(LAB_ARENA_BYTES, arena_bytes);
    if (p->index == NULL || p->arena == NULL) {
        lab_cost_player_destroy(p);
        return NULL;
    }
    return p;
}

void lab_cost_player_destroy(lab_cost_player *p) {
    if (p != NULL) {
        th_heap_clean_up(&p->heap);
        free(p->arena);
        free(p->index);
        free(p);
    }
}

/* ---- the calls that are counted: each in a function of its own, with the same around it ----- */

static NOINLINE void counted_nothing(void) {
    *lab_count_flag = 1;
    lab_count_nothing();
    *lab_count_flag = 0;
}

static NOINLINE void *counted_alloc(th_heap *heap, size_t bytes, uint32_t tag) {
    *lab_count_flag = 1;
    void *payload = th_heap_alloc(heap, bytes, tag);
    *lab_count_flag = 0;
    return payload;
}

static NOINLINE void *counted_aligned(th_heap *heap, size_t alignment, size_t bytes, uint32_t tag) {
    *lab_count_flag = 1;
    void *payload = th_heap_alloc_aligned(heap, bytes, alignment, tag);
    *lab_count_flag = 0;
    return payload;
}

static NOINLINE void *counted_resize(th_heap *heap, void *payload, size_t bytes) {
    *lab_count_flag = 1;
    void *resized = th_heap_realloc(heap, payload, bytes);
    *lab_count_flag = 0;
    return resized;
}

static NOINLINE size_t counted_free(th_heap *heap, void *payload) {
    *lab_count_flag = 1;
    size_t freed = th_heap_free(heap, payload);
    *lab_count_flag = 0;
    return freed;
}

static NOINLINE size_t counted_trim(th_heap *heap, void *payload) {
    *lab_count_flag = 1;
    size_t freed = th_heap_trim(heap, payload);
    *lab_count_flag = 0;
    return freed;
}

/* What is counted of a call beyond its own: the caller's instructions inside the flag. */
static uint64_t count_of_nothing(lab_count_how how) {
    lab_count_begin(how);
    counted_nothing();
    uint64_t count = lab_count_end(how);
    return how == LAB_COUNT_STEPS && count > 0 ? count - 1 : 0; /* its return is a call's, too */
}

/* ---- operations ----------------------------------------------------------------------------- */

static bool is_tail(const th_heap *heap, uint32_t tag) {
    return tag > heap->tag_free / 2;
}

/* Free blocks that are as large as `bytes`, and in which an aligned block was not placed: those
 * that the search passed on its way to `payload` (NULL: to the end of its reach). The gap, or the
 * remainder, beside the new block belonged to the one in which it was placed. */
static uint32_t passed_over(const th_heap *heap, const void *payload, size_t bytes, uint32_t tag) {
    uint32_t count = 0;
    bool large = false, own = false; /* of the block below */
    th_heap_block block;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        bool live = block.tag != heap->tag_free;
        bool remainder = own;
        own = block.payload == payload;
        if (!is_tail(heap, tag) && live && (own || is_tail(heap, block.tag))) {
            return count - (own && large);
        }
        if (is_tail(heap, tag) && live && (own || !is_tail(heap, block.tag))) {
            count = 0; /* TAIL passes what lies above */
        }
        large = !live && block.next_offset != 0 && !remainder &&
                (size_t)block.size_dwords * sizeof(uint32_t) >= bytes;
        count += large;
    }
    return count;
}

static lab_cost_kind kind_of_passing(uint32_t k) {
    return k <= LAB_COST_K_MAX ? LAB_COST_ALIGNED_K : LAB_COST_OTHER;
}

static lab_cost_kind kind_of_alloc(const lab_cost_player *p, const lab_op *op, const void *payload,
                                   bool failed, uint32_t *k) {
    if (payload == NULL && !failed) {
        return LAB_COST_OTHER;
    }
    if (op->kind == LAB_OP_ALIGNED) {
        *k = passed_over(&p->heap, payload, lab_size_bytes(op->size), lab_tag(&p->config, op->tag));
        if (*k > 0) {
            return kind_of_passing(*k);
        }
    }
    return failed                       ? LAB_COST_FAILED
           : op->kind == LAB_OP_ALIGNED ? LAB_COST_ALIGNED
                                        : LAB_COST_ALLOC;
}

/* Only the call itself is counted: what is asked of the heap beside it runs the same code. */
static void *allocate(lab_cost_player *p, const lab_op *op, lab_count_how how, uint64_t *count) {
    size_t bytes = lab_size_bytes(op->size);
    size_t alignment = lab_align_bytes(op->align);
    uint32_t tag = lab_tag(&p->config, op->tag);
    lab_count_begin(how);
    void *payload = op->kind == LAB_OP_ALIGNED ? counted_aligned(&p->heap, alignment, bytes, tag)
                                               : counted_alloc(&p->heap, bytes, tag);
    *count = lab_count_end(how);
    return payload;
}

/* Of a growth that found no room: a block that is aligned passes others as an aligned request does.
 */
static lab_cost_kind kind_of_failure(const th_heap *heap, const void *payload, size_t bytes,
                                     uint32_t *k) {
    th_heap_block block;
    if (th_heap_find(heap, payload, &block) &&
        block.alignment > heap->unit_dwords * sizeof(uint32_t)) {
        *k = passed_over(heap, NULL, bytes, block.tag);
    }
    return *k > 0 ? kind_of_passing(*k) : LAB_COST_FAILED;
}

static void resize(lab_cost_player *p, const lab_op *op, lab_count_how how, lab_cost *cost) {
    void **slot = &p->payloads[op->slot];
    void *before = *slot;
    size_t bytes = lab_size_bytes(op->size);
    size_t usable = th_heap_usable_size(&p->heap, before);
    lab_count_begin(how);
    void *after = counted_resize(&p->heap, before, bytes);
    cost->count = lab_count_end(how);
    *slot = after != NULL || bytes == 0 ? after : before;
    cost->kind = LAB_COST_OTHER;
    if (after == NULL && bytes > 0) {
        cost->kind = kind_of_failure(&p->heap, before, bytes, &cost->k);
    } else if (after == before && bytes > usable) {
        cost->kind = LAB_COST_GROW;
    }
}

/* An operation that its slot suits. */
static void perform(lab_cost_player *p, const lab_op *op, lab_count_how how, lab_cost *cost) {
    void **slot = &p->payloads[op->slot];
    uint64_t failed_before = p->heap.failed_allocs;
    if (op->kind == LAB_OP_RESIZE) {
        resize(p, op, how, cost);
    } else if (op->kind == LAB_OP_FREE) {
        cost->kind = LAB_COST_FREE;
        lab_count_begin(how);
        (void)counted_free(&p->heap, *slot);
        cost->count = lab_count_end(how);
        *slot = NULL;
    } else if (op->kind == LAB_OP_TRIM) {
        cost->kind = LAB_COST_TRIM;
        lab_count_begin(how);
        (void)counted_trim(&p->heap, *slot);
        cost->count = lab_count_end(how);
    } else {
        *slot = allocate(p, op, how, &cost->count);
        cost->kind = kind_of_alloc(p, op, *slot, p->heap.failed_allocs > failed_before, &cost->k);
    }
}

static bool is_played(const lab_op *op) {
    return lab_op_allocates(op) || op->kind == LAB_OP_RESIZE || op->kind == LAB_OP_FREE ||
           op->kind == LAB_OP_TRIM;
}

static bool start(lab_cost_player *p, const lab_config *config) {
    th_heap_clean_up(&p->heap); /* its region is ordinary memory again */
    p->config = *config;
    const th_heap_config heap_config = {.alignment = config->alignment,
                                        .layout = lab_heap_layout(config),
                                        .index = p->index_kind,
                                        .index_memory = p->index,
                                        .index_bytes = p->index_bytes};
    size_t bytes = (size_t)config->dwords * sizeof(uint32_t);
    return bytes <= p->region_bytes && th_heap_init(&p->heap, p->arena + lab_region_start(config),
                                                    bytes, &heap_config) == TH_OK;
}

bool lab_cost_play(lab_cost_player *p, const lab_script *script, const lab_cost_options *options) {
    if (!start(p, &script->config)) {
        return false;
    }
    memset(p->payloads, 0, script->config.slots * sizeof p->payloads[0]);
    uint64_t own = count_of_nothing(options->how);
    for (size_t i = 0; i < script->count; i++) {
        const lab_op *op = &script->ops[i];
        if (!is_played(op) || !lab_op_suits(op, p->payloads[op->slot] != NULL)) {
            continue;
        }
        bool counted = options->chosen == NULL || options->chosen(options->context, i);
        lab_cost cost = {.op = i};
        perform(p, op, counted ? options->how : LAB_COUNT_NOTHING, &cost);
        cost.count -= cost.count > 0 ? own : 0;
        options->note(options->context, &cost);
    }
    return true;
}

void lab_cost_geometry(lab_cost_player *p, const lab_config *config, uint32_t *header,
                       uint32_t *room) {
    th_heap_block block;
    *header = *room = 0;
    if (start(p, config) && th_heap_first(&p->heap, &block)) {
        size_t first = (size_t)((unsigned char *)block.payload - p->heap.base);
        *header = (uint32_t)(first / sizeof(uint32_t));
        *room = *header + block.size_dwords;
    }
}
