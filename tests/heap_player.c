/* SPDX-License-Identifier: MIT */
#include "heap_player.h"

#include <string.h>

static uint32_t below(player *p, uint32_t limit) {
    return (uint32_t)(th_test_random(&p->state) % limit);
}

void player_start(player *p, fixture *f, uint64_t seed) {
    memset(p, 0, sizeof *p);
    p->f = f;
    p->state = seed;
}

/* ---- the shadow ----------------------------------------------------------------------------- */

static bool apart(const player_slot *a, const player_slot *b) {
    uintptr_t a_start = (uintptr_t)a->payload;
    uintptr_t b_start = (uintptr_t)b->payload;
    return a_start + a->bytes <= b_start || b_start + b->bytes <= a_start;
}

static void expect_slot(const player *p, size_t index) {
    const player_slot *slot = &p->slots[index];
    uintptr_t region = (uintptr_t)p->f->region;
    uintptr_t start = (uintptr_t)slot->payload;
    CHECK(start >= region && start + slot->bytes <= region + p->f->bytes);
    CHECK_EQ(start % slot->alignment, 0);
    CHECK_EQ(th_heap_requested_size(&p->f->heap, slot->payload), slot->bytes);
    CHECK(filled(slot->payload, slot->bytes, slot->seed));
    for (size_t other = 0; other < index; other++) {
        CHECK(p->slots[other].payload == NULL || apart(slot, &p->slots[other]));
    }
}

static void expect_shadow(const player *p) {
    uint32_t live = 0;
    for (size_t i = 0; i < PLAYER_SLOTS; i++) {
        if (p->slots[i].payload != NULL) {
            expect_slot(p, i);
            live++;
        }
    }
    th_heap_stats stats = stats_of(&p->f->heap);
    CHECK_EQ(stats.head_blocks + stats.tail_blocks, live);
}

static void own(player *p, player_slot *slot, void *payload, size_t bytes) {
    slot->payload = payload;
    slot->bytes = p->f->lean ? th_heap_usable_size(&p->f->heap, payload) : bytes;
    slot->seed = below(p, UINT32_MAX);
    fill(payload, slot->bytes, slot->seed);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static size_t random_size(player *p) {
    switch (below(p, 12)) {
    case 0:
        return 1 + below(p, 8);
    case 1:
        return 1 + below(p, 2000);
    default:
        return 1 + below(p, 160);
    }
}

static void allocate(player *p, player_slot *slot) {
    size_t bytes = random_size(p);
    size_t alignment = p->f->alignment;
    if (below(p, 6) == 0) {
        alignment = (size_t)8 << below(p, 6);
    }
    uint32_t tag = (below(p, 3) == 0 ? p->f->tail : 0) + below(p, 64);
    void *payload = checked_alloc_at(p->f, alignment, bytes, tag, below(p, 3));
    if (payload == NULL) {
        p->failed++;
        return;
    }
    slot->tag = tag;
    slot->alignment = alignment < p->f->alignment ? p->f->alignment : alignment;
    own(p, slot, payload, bytes);
}

static void resize(player *p, player_slot *slot) {
    size_t bytes = below(p, 16) == 0 ? 0 : random_size(p);
    void *payload = checked_resize(p->f, slot->payload, bytes);
    if (bytes == 0) {
        slot->payload = NULL;
    } else if (payload == NULL) {
        CHECK(bytes > slot->bytes);
        p->failed++;
    } else {
        CHECK(filled(payload, bytes < slot->bytes ? bytes : slot->bytes, slot->seed));
        own(p, slot, payload, bytes);
    }
}

static void give(player *p, player_slot *slot) {
    CHECK(checked_free(p->f, slot->payload) >= slot->bytes);
    slot->payload = NULL;
}

static void give_tags(player *p) {
    uint32_t low = (below(p, 2) == 0 ? p->f->tail : 0) + below(p, 64);
    uint32_t high = low + below(p, 8);
    uint32_t expected = 0;
    for (size_t i = 0; i < PLAYER_SLOTS; i++) {
        player_slot *slot = &p->slots[i];
        if (slot->payload != NULL && slot->tag >= low && slot->tag <= high) {
            slot->payload = NULL;
            expected++;
        }
    }
    CHECK_EQ(checked_free_tags(p->f, low, high), expected);
}

static bool move_slot(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    player *p = context;
    CHECK(tag < p->f->tail);
    CHECK((uintptr_t)to < (uintptr_t)from);
    for (size_t i = 0; i < PLAYER_SLOTS; i++) {
        player_slot *slot = &p->slots[i];
        if (slot->payload == from) {
            CHECK_EQ(slot->tag, tag);
            CHECK_EQ(slot->bytes, bytes);
            if (below(p, 5) == 0) {
                p->vetoed++;
                return false;
            }
            slot->payload = to;
            p->moved++;
            return true;
        }
    }
    th_check_failed(__FILE__, __LINE__, "the callback names a live block");
}

static void compact(player *p) {
    unsigned moved = p->moved;
    unsigned vetoed = p->vetoed;
    th_heap_compaction result;
    if (below(p, 2) == 0) {
        result = checked_compact(p->f, move_slot, p);
    } else {
        result = checked_compact_some(p->f, below(p, 600), move_slot, p);
    }
    CHECK_EQ(result.blocks_moved, p->moved - moved);
    CHECK_EQ(result.blocks_vetoed, p->vetoed - vetoed);
}

static void trim(player *p, const player_slot *slot) {
    size_t excess = th_heap_usable_size(&p->f->heap, slot->payload) - slot->bytes;
    CHECK(checked_trim(p->f, slot->payload) <= excess);
}

void player_step(player *p) {
    player_slot *slot = &p->slots[below(p, PLAYER_SLOTS)];
    uint32_t choice = below(p, 100);
    if (choice < 3) {
        give_tags(p);
    } else if (choice < 10) {
        compact(p);
    } else if (slot->payload == NULL) {
        allocate(p, slot);
    } else if (choice < 45) {
        resize(p, slot);
    } else if (choice < 60) {
        trim(p, slot);
    } else {
        give(p, slot);
    }
    expect_shadow(p);
    p->steps++;
}

/* ---- copies --------------------------------------------------------------------------------- */

void player_follow(player *p, fixture *f, const player *from) {
    *p = *from;
    p->f = f;
    for (size_t i = 0; i < PLAYER_SLOTS; i++) {
        p->slots[i].payload = th_heap_translate(&from->f->heap, &f->heap, from->slots[i].payload);
    }
    expect_shadow(p);
}

void player_expect_same(const player *a, const player *b) {
    expect_same_heaps(&a->f->heap, &b->f->heap);
    CHECK_EQ(a->state, b->state);
    for (size_t i = 0; i < PLAYER_SLOTS; i++) {
        if (a->slots[i].payload == NULL) {
            CHECK(b->slots[i].payload == NULL);
        } else {
            CHECK_EQ(offset_of(a->f, a->slots[i].payload), offset_of(b->f, b->slots[i].payload));
        }
    }
}
