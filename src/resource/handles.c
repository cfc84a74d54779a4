/* SPDX-License-Identifier: MIT */
/* The table of handles: slots, generations, pins, blocks. */
#include "tagheap/handles.h"

#include <stdalign.h>

#include "base/align.h"
#include "resource/handles.h"

#define LIFE_MAX           0xFFFFFFu /* odd: the last life of a slot */
#define SLOTS_MAX          0x7FFFFFFFu
#define SLOTS_BACKED_LEAST 16u

/* ---- slots ---------------------------------------------------------------------------------- */

static bool is_current(const th_handles *h, th_handle handle) {
    return handle.slot < h->slots_used && h->slots[handle.slot].life % 2 != 0 &&
           handle.generation == th_handles_generation(h, h->slots[handle.slot].life);
}

/* The handle's slot. NULL for none, for which nothing is raised, and after a fault. */
static th_handles_slot *slot_of(th_handles *h, th_handle handle) {
    if (!th_handles_is_started(h) || handle.generation == 0) {
        return NULL;
    }
    if (!is_current(h, handle)) {
        uint32_t life = handle.slot < h->slots_used ? h->slots[handle.slot].life : 0;
        h->faults++;
        th_guarding_raise(&h->config.guarding, TH_FAULT_STALE, handle.slot, TH_FAULT_NOWHERE,
                          th_handles_generation(h, life), handle.generation);
        return NULL;
    }
    return &h->slots[handle.slot];
}

/* Twice as many slots, from the backing. */
static bool grow(th_handles *h) {
    uint32_t more = h->slots_max < SLOTS_BACKED_LEAST / 2 ? SLOTS_BACKED_LEAST : 2 * h->slots_max;
    if (h->slots_max > SLOTS_MAX / 2 || h->config.backing.table == NULL) {
        return false;
    }
    th_handles_slot *slots = th_allocator_alloc_array(h->config.backing, more, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < h->slots_used; i++) {
        slots[i] = h->slots[i];
    }
    if (h->slots_backed) {
        th_allocator_free(h->config.backing, h->slots);
    }
    h->slots = slots;
    h->slots_max = more;
    h->slots_backed = true;
    return true;
}

/* A slot to be filled in; NONE if there is none. */
static uint32_t take_slot(th_handles *h) {
    uint32_t slot = h->unused;
    if (slot != TH_HANDLES_NONE) {
        h->unused = h->slots[slot].younger;
        return slot;
    }
    if (h->slots_used == h->slots_max && !grow(h)) {
        return TH_HANDLES_NONE;
    }
    h->slots[h->slots_used] = (th_handles_slot){0};
    return h->slots_used++;
}

static void give_slot(th_handles *h, uint32_t slot) {
    h->slots[slot].younger = h->unused;
    h->unused = slot;
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* What a handle's block is to be. */
typedef struct request {
    size_t bytes, alignment;
    uint32_t tag, slot;
} request;

/* Could the heap have such a block, if it were empty? */
static bool is_possible(const th_handles *h, const request *w) {
    return w->bytes != 0 && w->bytes <= (size_t)h->heap->dwords * TH_DWORD_BYTES &&
           th_is_power_of_two(w->alignment) && w->tag < h->heap->tag_free;
}

/* Around each request to the heap: its low-memory callback may call the table. */
static void hold(th_handles *h, uint32_t slot) {
    h->asking++;
    h->slots[slot].held = true;
}

static void release(th_handles *h, uint32_t slot) {
    h->asking--;
    h->slots[slot].held = false;
}

static void *make_block(th_handles *h, const request *w) {
    void *payload;
    do {
        hold(h, w->slot);
        payload = th_heap_alloc_at(h->heap, w->bytes, w->alignment, w->tag, w->slot);
        release(h, w->slot);
    } while (payload == NULL && th_handles_make_room(h, w->bytes));
    h->failed_allocs += payload == NULL;
    return payload;
}

static void count_block_in(th_handles *h, th_handles_slot *s, void *payload, size_t bytes) {
    s->payload = payload;
    s->bytes = bytes;
    h->live++;
    h->live_bytes += bytes;
}

/* Ends the life of a handle, which is in no queue. */
static void end(th_handles *h, uint32_t slot) {
    th_handles_slot *s = &h->slots[slot];
    void *payload = s->payload;
    if (payload != NULL) {
        th_handles_count_out(h, s);
    } else {
        h->purged--;
    }
    h->frees++;
    if (s->life == LIFE_MAX) {
        s->life = 0; /* for good: no handle has that one */
        h->retired++;
    } else {
        s->life++;
        give_slot(h, slot);
    }
    (void)th_heap_free(h->heap, payload);
}

th_handle th_handles_alloc_aligned(th_handles *h, size_t bytes, size_t alignment, uint32_t tag) {
    static const th_handle none;
    request w = {.bytes = bytes, .alignment = alignment, .tag = tag};
    if (th_handles_enter(h) != TH_OK || !is_possible(h, &w)) {
        return none;
    }
    w.slot = take_slot(h);
    if (w.slot == TH_HANDLES_NONE) {
        h->failed_allocs++;
        return none;
    }
    void *payload = make_block(h, &w);
    if (payload == NULL) {
        give_slot(h, w.slot);
        th_handles_settle(h);
        return none;
    }
    th_handles_slot *s = &h->slots[w.slot];
    s->life++;
    s->tag = tag;
    s->align_log2 = (uint8_t)th_highest_bit(alignment);
    s->pins = 0;
    s->purgeable = false;
    count_block_in(h, s, payload, bytes);
    h->allocs++;
    th_handles_settle(h);
    return th_handles_name(h, w.slot);
}

th_handle th_handles_alloc(th_handles *h, size_t bytes, uint32_t tag) {
    return th_handles_alloc_aligned(h, bytes, TH_DWORD_BYTES, tag);
}

th_status th_handles_free(th_handles *h, th_handle handle) {
    th_status status = th_handles_enter(h);
    if (status != TH_OK) {
        return status;
    }
    if (handle.generation == 0) {
        return TH_OK;
    }
    const th_handles_slot *s = slot_of(h, handle);
    if (s == NULL) {
        return TH_ERR_STALE;
    }
    if (th_handles_is_fixed(s)) {
        return TH_ERR_PINNED;
    }
    if (th_handles_is_queued(s)) {
        th_handles_unqueue(h, handle.slot);
    }
    end(h, handle.slot);
    th_handles_settle(h);
    return TH_OK;
}

uint64_t th_handles_free_tags(th_handles *h, uint32_t low, uint32_t high) {
    uint64_t freed = 0;
    if (th_handles_enter(h) != TH_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < h->slots_used; i++) {
        const th_handles_slot *s = &h->slots[i];
        if (s->life % 2 != 0 && s->tag >= low && s->tag <= high) {
            freed += th_handles_free(h, th_handles_name(h, i)) == TH_OK;
        }
    }
    return freed;
}

/* ---- addresses ------------------------------------------------------------------------------ */

void *th_handles_get(th_handles *h, th_handle handle) {
    const th_handles_slot *s = slot_of(h, handle);
    return s != NULL ? s->payload : NULL;
}

void *th_handles_pin(th_handles *h, th_handle handle) {
    th_handles_slot *s = slot_of(h, handle);
    if (s == NULL || s->payload == NULL || s->held || s->pins == UINT32_MAX) {
        return NULL;
    }
    if (th_handles_is_queued(s)) {
        th_handles_unqueue(h, handle.slot);
    }
    if (s->pins++ == 0) {
        h->pinned++;
        h->pinned_bytes += s->bytes;
    }
    th_handles_settle(h);
    return s->payload;
}

th_status th_handles_unpin(th_handles *h, th_handle handle) {
    th_handles_slot *s = slot_of(h, handle);
    if (s == NULL) {
        return th_handles_is_started(h) ? TH_ERR_STALE : TH_ERR_NULL;
    }
    if (s->pins == 0) {
        h->faults++;
        th_guarding_raise(&h->config.guarding, TH_FAULT_UNPINNED, handle.slot, TH_FAULT_NOWHERE, 1,
                          0);
        return TH_ERR_STALE;
    }
    if (--s->pins == 0) {
        h->pinned--;
        h->pinned_bytes -= s->bytes;
        if (th_handles_is_queued(s)) {
            th_handles_queue(h, handle.slot);
        }
    }
    th_handles_settle(h);
    return TH_OK;
}

th_status th_handles_set_purgeable(th_handles *h, th_handle handle, bool purgeable) {
    th_handles_slot *s = slot_of(h, handle);
    if (s == NULL) {
        return th_handles_is_started(h) ? TH_ERR_STALE : TH_ERR_NULL;
    }
    bool was_queued = th_handles_is_queued(s);
    s->purgeable = purgeable;
    bool queued = th_handles_is_queued(s);
    if (was_queued && !queued) {
        th_handles_unqueue(h, handle.slot);
    } else if (!was_queued && queued) {
        th_handles_queue(h, handle.slot);
    }
    th_handles_settle(h);
    return TH_OK;
}

/* ---- other sizes ---------------------------------------------------------------------------- */

static void set_bytes(th_handles *h, th_handles_slot *s, void *payload, size_t bytes) {
    h->live_bytes += bytes - s->bytes;
    h->pinned_bytes += s->pins > 0 ? bytes - s->bytes : 0;
    s->payload = payload;
    s->bytes = bytes;
}

static void *resize_block(th_handles *h, const request *w) {
    void *payload;
    const th_handles_slot *s = &h->slots[w->slot];
    if (s->pins > 0 && w->bytes > th_heap_usable_size(h->heap, s->payload)) {
        return NULL;
    }
    do {
        hold(h, w->slot);
        payload = th_heap_realloc(h->heap, h->slots[w->slot].payload, w->bytes);
        release(h, w->slot);
    } while (payload == NULL && th_handles_make_room(h, w->bytes));
    h->failed_allocs += payload == NULL;
    return payload;
}

/* With a handle that is in no queue. */
static void *give_bytes(th_handles *h, uint32_t slot, size_t bytes) {
    const th_handles_slot before = h->slots[slot];
    const request w = {.bytes = bytes,
                       .alignment = (size_t)1 << before.align_log2,
                       .tag = before.tag,
                       .slot = slot};
    if (!is_possible(h, &w)) {
        return NULL;
    }
    void *payload = before.payload != NULL ? resize_block(h, &w) : make_block(h, &w);
    if (payload == NULL) {
        return NULL;
    }
    th_handles_slot *s = &h->slots[slot];
    if (before.payload != NULL) {
        set_bytes(h, s, payload, bytes);
    } else {
        h->purged--;
        count_block_in(h, s, payload, bytes);
    }
    return payload;
}

void *th_handles_realloc(th_handles *h, th_handle handle, size_t bytes) {
    if (bytes == 0) {
        (void)th_handles_free(h, handle);
        return NULL;
    }
    if (th_handles_enter(h) != TH_OK) {
        return NULL;
    }
    const th_handles_slot *s = slot_of(h, handle);
    if (s == NULL || s->held) {
        return NULL;
    }
    /* It must not be purged to make room for itself. */
    if (th_handles_is_queued(s)) {
        th_handles_unqueue(h, handle.slot);
    }
    void *payload = give_bytes(h, handle.slot, bytes);
    if (th_handles_is_queued(&h->slots[handle.slot])) {
        th_handles_queue(h, handle.slot);
    }
    th_handles_settle(h);
    return payload;
}

/* ---- start and end -------------------------------------------------------------------------- */

static th_status check_config(const th_heap *heap, const th_handles_config *config) {
    if (heap->base == NULL || (config->memory == NULL && config->backing.table == NULL)) {
        return TH_ERR_NULL;
    }
    if (!th_guarding_is_valid(&config->guarding) || !th_backing_is_usable(&config->backing)) {
        return TH_ERR_CONFIG;
    }
    if (heap->layout == TH_HEAP_LAYOUT_LEAN) {
        return TH_ERR_LAYOUT;
    }
    if (!th_is_aligned((uintptr_t)config->memory, alignof(th_handles_slot))) {
        return TH_ERR_MISALIGNED;
    }
    return config->memory != NULL && config->memory_bytes < sizeof(th_handles_slot)
               ? TH_ERR_TOO_SMALL
               : TH_OK;
}

th_status th_handles_init(th_handles *h, th_heap *heap, const th_handles_config *config) {
    if (h == NULL || heap == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_config(heap, config);
    if (status != TH_OK) {
        return status;
    }
    size_t slots = config->memory != NULL ? config->memory_bytes / sizeof(th_handles_slot) : 0;
    *h = (th_handles){.heap = heap,
                      .slots = config->memory,
                      .slots_max = slots < SLOTS_MAX ? (uint32_t)slots : SLOTS_MAX,
                      .unused = TH_HANDLES_NONE,
                      .oldest = TH_HANDLES_NONE,
                      .youngest = TH_HANDLES_NONE,
                      .config = *config};
    return TH_OK;
}

th_status th_handles_reset(th_handles *h) {
    th_status status = th_handles_enter(h);
    if (status != TH_OK) {
        return status;
    }
    if (h->asking > 0) {
        return th_handles_refuse(h, TH_FAULT_REENTRY);
    }
    for (uint32_t i = 0; i < h->slots_used; i++) {
        if (h->slots[i].life % 2 != 0) {
            end(h, i);
        }
    }
    h->pinned = 0;
    h->pinned_bytes = 0;
    h->oldest = TH_HANDLES_NONE;
    h->youngest = TH_HANDLES_NONE;
    th_handles_settle(h);
    return TH_OK;
}

void th_handles_clean_up(th_handles *h) {
    if (th_handles_reset(h) == TH_OK) {
        if (h->slots_backed) {
            th_allocator_free(h->config.backing, h->slots);
        }
        *h = (th_handles){0};
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

bool th_handles_describe(const th_handles *h, th_handle handle, th_handle_info *info) {
    if (!th_handles_is_started(h) || !is_current(h, handle)) {
        return false;
    }
    const th_handles_slot *s = &h->slots[handle.slot];
    *info = (th_handle_info){.payload = s->payload,
                             .bytes = s->bytes,
                             .alignment = (size_t)1 << s->align_log2,
                             .tag = s->tag,
                             .pins = s->pins,
                             .purgeable = s->purgeable};
    return true;
}

th_handle th_handles_recover(const th_handles *h, const void *pointer) {
    static const th_handle none;
    th_heap_block block;
    if (!th_handles_is_started(h) || !th_heap_find(h->heap, pointer, &block) ||
        !th_handles_has_block(h, block.site, block.payload)) {
        return none;
    }
    return th_handles_name(h, block.site);
}

th_handles_stats th_handles_get_stats(const th_handles *h) {
    if (!th_handles_is_started(h)) {
        return (th_handles_stats){0};
    }
    return (th_handles_stats){
        .live = h->live,
        .purged = h->purged,
        .pinned = h->pinned,
        .slots = h->slots_max,
        .retired = h->retired,
        .live_bytes = h->live_bytes,
        .pinned_bytes = h->pinned_bytes,
        .compacted_largest_bytes = th_handles_plan(h, NULL, 0).largest_free_bytes,
        .allocs = h->allocs,
        .frees = h->frees,
        .purges = h->purges,
        .moves = h->moves,
        .failed_allocs = h->failed_allocs,
        .faults = h->faults,
    };
}
