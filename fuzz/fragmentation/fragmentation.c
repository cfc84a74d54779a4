/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200112L

#include "fragmentation/fragmentation.h"

#include <stdlib.h>

#include "tagheap/buddy.h"
#include "tagheap/fit_heap.h"
#include "tagheap/heap.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/offsets.h"

enum { MEMORY_ALIGNMENT = 64 << 10, TAG = 0x1000, UNIT = 16 };

typedef struct held {
    void *at;
    size_t bytes;
    size_t alignment;
    uint16_t tag;
} held;

/* One allocator on its memory. */
typedef struct table {
    lab_contestant contestant;
    th_heap_layout layout;
    th_fit_heap fit;
    th_buddy buddy;
    th_heap heap;
    th_tagged_allocator tagged;
    th_allocator allocator;
    void *memory;
    void *bookkeeping;
    held *slots;
    uint32_t slot_count;
    const void *resized; /* the block that must not move now */
} table;

const char *lab_contestant_name(lab_contestant contestant) {
    static const char *const names[LAB_CONTESTANTS] = {
        [LAB_CONTESTANT_GOOD_FIT] = "good fit", [LAB_CONTESTANT_FIRST_FIT] = "first fit",
        [LAB_CONTESTANT_BEST_FIT] = "best fit", [LAB_CONTESTANT_WORST_FIT] = "worst fit",
        [LAB_CONTESTANT_BUDDY] = "buddy",       [LAB_CONTESTANT_TAGGED] = "tagged heap",
        [LAB_CONTESTANT_SIDES] = "two sides",   [LAB_CONTESTANT_COMPACTING] = "compacting",
    };
    return names[contestant];
}

/* ---- the allocators ----------------------------------------------------------------------- */

static bool start_fit(table *t, const lab_config *config) {
    static const th_offsets_policy policies[] = {
        [LAB_CONTESTANT_GOOD_FIT] = TH_OFFSETS_GOOD_FIT,
        [LAB_CONTESTANT_FIRST_FIT] = TH_OFFSETS_FIRST_FIT,
        [LAB_CONTESTANT_BEST_FIT] = TH_OFFSETS_BEST_FIT,
        [LAB_CONTESTANT_WORST_FIT] = TH_OFFSETS_WORST_FIT,
    };
    th_offsets_config c = {.granule = config->alignment, .policy = policies[t->contestant]};
    size_t room = th_offsets_bookkeeping_bytes(2 * (size_t)config->slots + 1);
    t->bookkeeping = malloc(room);
    t->allocator = th_fit_heap_allocator(&t->fit);
    return t->bookkeeping != NULL &&
           th_fit_heap_init(&t->fit, t->memory, (size_t)config->dwords * 4, t->bookkeeping, room,
                            &c) == TH_OK;
}

static bool start_buddy(table *t, const lab_config *config) {
    th_buddy_config c = {.unit = UNIT};
    size_t bytes = (size_t)config->dwords * 4;
    size_t room = th_buddy_bookkeeping_bytes(t->memory, bytes, &c);
    t->bookkeeping = malloc(room + 1);
    t->allocator = th_buddy_allocator(&t->buddy);
    return t->bookkeeping != NULL &&
           th_buddy_init(&t->buddy, t->memory, bytes, t->bookkeeping, room, &c) == TH_OK;
}

/* The move callback: the slot's block will be at `to`. */
static bool follow(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    table *t = context;
    (void)tag;
    (void)bytes;
    if (from == t->resized) {
        return false;
    }
    for (uint32_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i].at == from) {
            t->slots[i].at = to;
        }
    }
    return true;
}

/* The low-memory callback: what is wanted may fit after a compaction that moves something. */
static bool compact(void *context, th_heap *heap, size_t bytes) {
    (void)bytes;
    return th_heap_compact(heap, follow, context).blocks_moved != 0;
}

static bool start_tagged(table *t, const lab_config *config) {
    th_heap_config c = {
        .alignment = config->alignment, .index = TH_HEAP_INDEX_NONE, .layout = t->layout};
    if (t->contestant == LAB_CONTESTANT_COMPACTING) {
        c.low_memory = compact;
        c.low_memory_context = t;
    }
    t->allocator = th_heap_allocator(&t->tagged, &t->heap, TAG);
    return th_heap_init(&t->heap, t->memory, (size_t)config->dwords * 4, &c) == TH_OK;
}

static bool start(table *t, const lab_config *config) {
    size_t bytes = (size_t)config->dwords * 4;
    t->slots = calloc(config->slots, sizeof *t->slots);
    t->slot_count = config->slots;
    if (t->slots == NULL || posix_memalign(&t->memory, MEMORY_ALIGNMENT, bytes + 1) != 0) {
        return false;
    }
    switch (t->contestant) {
    case LAB_CONTESTANT_BUDDY:
        return start_buddy(t, config);
    case LAB_CONTESTANT_TAGGED:
    case LAB_CONTESTANT_SIDES:
    case LAB_CONTESTANT_COMPACTING:
        return start_tagged(t, config);
    default:
        return start_fit(t, config);
    }
}

static void stop(table *t) {
    th_fit_heap_clean_up(&t->fit);
    th_buddy_clean_up(&t->buddy);
    th_heap_clean_up(&t->heap);
    free(t->slots);
    free(t->bookkeeping);
    free(t->memory);
}

typedef struct room {
    size_t all, free, largest;
} room;

static room look(const table *t) {
    if (t->contestant == LAB_CONTESTANT_BUDDY) {
        th_buddy_stats s = th_buddy_get_stats(&t->buddy);
        return (room){s.managed_bytes, s.free_bytes, s.largest_free_bytes};
    }
    if (t->contestant >= LAB_CONTESTANT_TAGGED) {
        th_heap_stats s = th_heap_get_stats(&t->heap);
        return (room){s.region_bytes, s.free_bytes, s.largest_free_bytes};
    }
    th_offsets_stats s = th_offsets_get_stats(&t->fit.offsets);
    return (room){(size_t)s.bytes, (size_t)s.free_bytes, (size_t)s.largest_free_bytes};
}

/* ---- requests ----------------------------------------------------------------------------- */

static void refuse(const table *t, size_t bytes, lab_fragmentation *out) {
    out->refused++;
    out->refused_in_vain += bytes <= look(t).free;
}

/* The heap's tag of the same side. */
static uint32_t tag_of(const table *t, uint16_t tag) {
    return t->layout == TH_HEAP_LAYOUT_WIDE && tag >= TH_TAG_TAIL_MIN ? TH_TAG_WIDE_TAIL_MIN + tag
                                                                      : tag;
}

static void allocate(table *t, held *slot, size_t bytes, size_t alignment, uint16_t tag,
                     lab_fragmentation *out) {
    t->tagged.tag = t->contestant == LAB_CONTESTANT_TAGGED ? TAG : tag_of(t, tag);
    void *at = th_allocator_alloc_aligned(t->allocator, bytes, alignment);
    if (at == NULL) {
        refuse(t, bytes, out);
    } else {
        *slot = (held){at, bytes, alignment, tag};
    }
}

static void release(table *t, held *slot) {
    th_allocator_free(t->allocator, slot->at);
    *slot = (held){0};
}

static void resize(table *t, held *slot, size_t bytes, lab_fragmentation *out) {
    if (bytes == 0) {
        release(t, slot);
        return;
    }
    t->resized = slot->at;
    void *at =
        th_allocator_realloc(t->allocator, slot->at, slot->bytes, bytes, slot->alignment, NULL);
    t->resized = NULL;
    if (at == NULL) {
        refuse(t, bytes, out);
    } else {
        slot->at = at;
        slot->bytes = bytes;
    }
}

/* False: nothing to do. */
static bool do_op(table *t, const lab_op *op, size_t alignment, lab_fragmentation *out) {
    bool takes_slot = (lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0;
    held *slot = takes_slot ? &t->slots[op->slot] : NULL;
    size_t bytes = lab_size_bytes(op->size);
    if (slot == NULL || !lab_op_suits(op, slot->at != NULL)) {
        return false;
    }
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_ALIGNED:
        allocate(t, slot, bytes, lab_align_bytes(op->align), op->tag, out);
        return true;
    case LAB_OP_RESIZE:
        resize(t, slot, bytes, out);
        return true;
    case LAB_OP_FREE:
        release(t, slot);
        return true;
    default:
        if (lab_op_allocates(op)) {
            allocate(t, slot, bytes, alignment, op->tag, out);
        }
        return lab_op_allocates(op);
    }
}

bool lab_fragmentation_measure(lab_contestant contestant, th_heap_layout layout,
                               const lab_script *script, lab_fragmentation *out) {
    table t = {.contestant = contestant, .layout = layout};
    size_t asked = 0;
    *out = (lab_fragmentation){0};
    bool started = start(&t, &script->config);
    for (size_t i = 0; started && i < script->count; i++) {
        const lab_op *op = &script->ops[i];
        size_t before = t.slots[op->slot].bytes;
        if (do_op(&t, op, script->config.alignment, out)) {
            room r = look(&t);
            asked += t.slots[op->slot].bytes - before;
            out->ops++;
            out->asked += asked;
            out->granted += r.all - r.free;
            out->free += r.free;
            out->largest += r.largest;
        }
    }
    stop(&t);
    return started;
}

static unsigned thousandths(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : (unsigned)((part * 1000 + whole / 2) / whole);
}

unsigned lab_fragmentation_internal(const lab_fragmentation *f) {
    return thousandths(f->granted - f->asked, f->granted);
}

unsigned lab_fragmentation_external(const lab_fragmentation *f) {
    return thousandths(f->free - f->largest, f->free);
}
