/* SPDX-License-Identifier: MIT */
#include "model/handles.h"

#include <string.h>

void lab_handles_start(lab_handles *h, lab_exact *heap, uint32_t slots_max) {
    memset(h, 0, sizeof *h);
    h->heap = heap;
    h->slots_max = slots_max;
}

static bool is_live(const lab_handles_slot *s) {
    return s->life % 2 == 1 && s->block != LAB_EXACT_NONE;
}

static bool may_be_purged(const lab_handles_slot *s) {
    return is_live(s) && s->purgeable && s->pins == 0;
}

/* ---- compaction ----------------------------------------------------------------------------- */

/* The slot whose block that is; any other block has none. */
static lab_handles_slot *slot_at(lab_handles *h, uint32_t block) {
    for (uint32_t i = 0; i < h->slots_used; i++) {
        if (is_live(&h->slots[i]) && h->slots[i].block == block) {
            return &h->slots[i];
        }
    }
    return NULL;
}

static bool follow(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes) {
    lab_handles *h = context;
    lab_handles_slot *s = slot_at(h, from);
    (void)tag;
    (void)bytes;
    if (s == NULL || s->pins > 0) {
        return false;
    }
    s->block = to;
    h->moves++;
    return true;
}

lab_exact_compaction lab_handles_compact(lab_handles *h) {
    return lab_exact_compact(h->heap, follow, h);
}

lab_exact_compaction lab_handles_compact_some(lab_handles *h, size_t budget_bytes) {
    return lab_exact_compact_some(h->heap, budget_bytes, follow, h);
}

#define EXTENTS_MAX 2048u

lab_handles_plan lab_handles_plan_compaction(const lab_handles *h) {
    static lab_extent extents[EXTENTS_MAX];
    static lab_handles copy;
    lab_exact heap = *h->heap;
    lab_exact_stats stats;
    lab_handles_plan none = {0};
    if (heap.count > EXTENTS_MAX) {
        return none;
    }
    memcpy(extents, heap.extents, heap.count * sizeof extents[0]);
    heap.extents = extents;
    heap.capacity = EXTENTS_MAX;
    copy = *h;
    copy.heap = &heap;
    lab_exact_compaction result = lab_handles_compact(&copy);
    lab_exact_get_stats(&heap, &stats);
    return (lab_handles_plan){.moved = result.moved,
                              .vetoed = result.vetoed,
                              .bytes = result.bytes,
                              .largest_free = stats.largest_free};
}

/* ---- room ----------------------------------------------------------------------------------- */

static lab_handles_slot *oldest(lab_handles *h) {
    lab_handles_slot *found = NULL;
    for (uint32_t i = 0; i < h->slots_used; i++) {
        lab_handles_slot *s = &h->slots[i];
        if (may_be_purged(s) && (found == NULL || s->since < found->since)) {
            found = s;
        }
    }
    return found;
}

static void discard(lab_handles *h, lab_handles_slot *s) {
    lab_exact_free(h->heap, s->block);
    s->block = LAB_EXACT_NONE;
    h->purges++;
}

size_t lab_handles_purge(lab_handles *h, size_t bytes) {
    size_t gone = 0;
    lab_handles_slot *s;
    while (gone < bytes && (s = oldest(h)) != NULL) {
        gone += s->bytes;
        discard(h, s);
    }
    return gone;
}

static bool make_room(lab_handles *h, size_t bytes) {
    lab_handles_plan plan = lab_handles_plan_compaction(h);
    if (plan.moved > 0 && plan.largest_free >= bytes) {
        lab_handles_compact(h);
        return true;
    }
    lab_handles_slot *s = oldest(h);
    if (s != NULL) {
        discard(h, s);
    }
    return s != NULL;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static bool is_possible(const lab_handles *h, size_t bytes, size_t alignment, uint32_t tag) {
    return bytes > 0 && bytes <= 4 * (size_t)h->heap->dwords && alignment != 0 &&
           (alignment & (alignment - 1)) == 0 && tag < h->heap->tag_free;
}

static uint32_t make_block(lab_handles *h, size_t bytes, size_t alignment, uint32_t tag,
                           uint32_t slot) {
    uint32_t block;
    do {
        block = lab_exact_alloc(h->heap, alignment, bytes, tag, slot);
    } while (block == LAB_EXACT_NONE && make_room(h, bytes));
    h->failed_allocs += block == LAB_EXACT_NONE;
    return block;
}

uint32_t lab_handles_alloc(lab_handles *h, size_t bytes, size_t alignment, uint32_t tag) {
    if (!is_possible(h, bytes, alignment, tag)) {
        return LAB_HANDLES_NONE;
    }
    if (h->unused_count == 0 && h->slots_used == h->slots_max) {
        h->failed_allocs++;
        return LAB_HANDLES_NONE;
    }
    uint32_t slot = h->unused_count > 0 ? h->unused[--h->unused_count] : h->slots_used++;
    uint32_t block = make_block(h, bytes, alignment, tag, slot);
    if (block == LAB_EXACT_NONE) {
        h->unused[h->unused_count++] = slot;
        return LAB_HANDLES_NONE;
    }
    h->slots[slot] = (lab_handles_slot){.life = h->slots[slot].life + 1,
                                        .block = block,
                                        .bytes = (uint32_t)bytes,
                                        .tag = tag,
                                        .alignment = (uint32_t)alignment};
    h->allocs++;
    return slot;
}

bool lab_handles_free(lab_handles *h, uint32_t slot) {
    lab_handles_slot *s = &h->slots[slot];
    if (s->pins > 0) {
        return false;
    }
    if (s->block != LAB_EXACT_NONE) {
        lab_exact_free(h->heap, s->block);
    }
    s->life++;
    h->unused[h->unused_count++] = slot;
    h->frees++;
    return true;
}

uint64_t lab_handles_free_tags(lab_handles *h, uint32_t low, uint32_t high) {
    uint64_t freed = 0;
    for (uint32_t i = 0; i < h->slots_used; i++) {
        const lab_handles_slot *s = &h->slots[i];
        if (s->life % 2 == 1 && s->tag >= low && s->tag <= high) {
            freed += lab_handles_free(h, i);
        }
    }
    return freed;
}

/* ---- pins, purgeable blocks, sizes ---------------------------------------------------------- */

bool lab_handles_pin(lab_handles *h, uint32_t slot) {
    lab_handles_slot *s = &h->slots[slot];
    s->pins += is_live(s);
    return is_live(s);
}

/* What may be purged from now on is the youngest that may. */
static void note_since(lab_handles *h, lab_handles_slot *s, bool before) {
    if (!before && may_be_purged(s)) {
        s->since = ++h->clock;
    }
}

bool lab_handles_unpin(lab_handles *h, uint32_t slot) {
    lab_handles_slot *s = &h->slots[slot];
    if (s->pins == 0) {
        return false;
    }
    s->pins--;
    note_since(h, s, false);
    return true;
}

void lab_handles_set_purgeable(lab_handles *h, uint32_t slot, bool purgeable) {
    lab_handles_slot *s = &h->slots[slot];
    bool before = may_be_purged(s);
    s->purgeable = purgeable;
    note_since(h, s, before);
}

static uint32_t usable_bytes(const lab_handles *h, uint32_t block) {
    return 4 * lab_exact_find(h->heap, block)->size;
}

static uint32_t resize_block(lab_handles *h, uint32_t slot, size_t bytes) {
    lab_handles_slot *s = &h->slots[slot];
    if (s->block == LAB_EXACT_NONE) {
        return make_block(h, bytes, s->alignment, s->tag, slot);
    }
    if (s->pins > 0 && bytes > usable_bytes(h, s->block)) {
        return LAB_EXACT_NONE;
    }
    uint32_t block;
    do {
        block = lab_exact_resize(h->heap, s->block, bytes);
    } while (block == LAB_EXACT_NONE && make_room(h, bytes));
    h->failed_allocs += block == LAB_EXACT_NONE;
    return block;
}

uint32_t lab_handles_realloc(lab_handles *h, uint32_t slot, size_t bytes) {
    lab_handles_slot *s = &h->slots[slot];
    if (bytes == 0) {
        (void)lab_handles_free(h, slot);
        return LAB_EXACT_NONE;
    }
    bool purgeable = s->purgeable;
    s->purgeable = false;
    uint32_t block =
        is_possible(h, bytes, s->alignment, s->tag) ? resize_block(h, slot, bytes) : LAB_EXACT_NONE;
    if (block != LAB_EXACT_NONE) {
        s->block = block;
        s->bytes = (uint32_t)bytes;
    }
    s->purgeable = purgeable;
    note_since(h, s, false);
    return block;
}
