/* SPDX-License-Identifier: MIT */
/* Regions: a tree of arenas. A tree may be deep, so nothing here recurses: walks go down to the
 * youngest leaf and up again by the links. */
#include "tagheap/region.h"

#include "alloc/arena.h"
#include "alloc/guarding.h"
#include "alloc/thunks.h"

enum { NOT_STARTED = 0, OPEN, CLOSING, ENDED };

struct th_region_cleanup {
    th_region_cleanup *below;
    th_region_cleanup_fn run;
    void *context;
};

static const th_guarding *guarding_of(const th_region *region) {
    return &region->arena.config.guarding;
}

th_status th_region_init(th_region *root, const th_arena_config *config) {
    th_region fresh = {.state = OPEN};
    if (root == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (config->backing.table == NULL) {
        return TH_ERR_CONFIG;
    }
    th_status status = th_arena_init(&fresh.arena, config);
    if (status == TH_OK) {
        *root = fresh;
    }
    return status;
}

th_region *th_region_create(th_region *parent) {
    if (parent == NULL || parent->state != OPEN) {
        return NULL;
    }
    th_region *child = parent->ended;
    if (child != NULL) {
        parent->ended = child->older;
    } else {
        child = th_arena_alloc(&parent->arena, sizeof *child);
    }
    if (child == NULL) {
        return NULL;
    }
    th_arena_config config = parent->arena.config;
    config.memory = NULL;
    config.memory_bytes = 0;
    *child = (th_region){.parent = parent, .older = parent->youngest, .state = OPEN};
    (void)th_arena_init(&child->arena, &config); /* the parent's config is a good one */
    if (parent->youngest != NULL) {
        parent->youngest->younger = child;
    }
    parent->youngest = child;
    return child;
}

th_status th_region_defer(th_region *region, th_region_cleanup_fn cleanup, void *context) {
    if (region == NULL || region->state == NOT_STARTED || cleanup == NULL) {
        return TH_ERR_NULL;
    }
    if (region->state != OPEN) {
        return TH_ERR_BUSY;
    }
    th_region_cleanup *record =
        th_arena_alloc_aligned(&region->arena, sizeof *record, _Alignof(th_region_cleanup));
    if (record == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    *record = (th_region_cleanup){region->cleanups, cleanup, context};
    region->cleanups = record;
    return TH_OK;
}

/* ---- ending ------------------------------------------------------------------------------- */

/* May it begin to end? Cleanup functions must not ask for that of the region that they belong to,
 * or of one that this lies in: it would be gone when they return. */
static th_status enter(th_region *region) {
    if (region->state == CLOSING || region->closing_below != 0) {
        th_guarding_raise_reentry(guarding_of(region));
        return TH_ERR_BUSY;
    }
    if (region->state == ENDED) {
        if (th_guarding_level(guarding_of(region)) > 0) {
            th_guarding_raise(guarding_of(region), TH_FAULT_DOUBLE_FREE, SIZE_MAX, SIZE_MAX, OPEN,
                              ENDED);
        }
        return TH_ERR_CORRUPT;
    }
    return TH_OK;
}

/* A region that is closing ends its children itself. */
static bool is_under_closing(const th_region *region) {
    for (const th_region *above = region->parent; above != NULL; above = above->parent) {
        if (above->state == CLOSING) {
            return true;
        }
    }
    return false;
}

static void run_cleanups(th_region *region) {
    while (region->cleanups != NULL) {
        const th_region_cleanup *record = region->cleanups;
        region->cleanups = record->below;
        record->run(record->context);
    }
}

static void unlink_child(th_region *child) {
    if (child->younger != NULL) {
        child->younger->older = child->older;
    } else {
        child->parent->youngest = child->older;
    }
    if (child->older != NULL) {
        child->older->younger = child->younger;
    }
}

/* A region without children and cleanups goes. The place of a child is kept for another one. */
static void finish(th_region *region) {
    th_region *parent = region->parent;
    const th_guarding guarding = *guarding_of(region);
    th_arena_clean_up(&region->arena);
    if (parent == NULL) {
        *region = (th_region){0};
        return;
    }
    unlink_child(region);
    *region = (th_region){.parent = parent, .older = parent->ended, .state = ENDED};
    region->arena.config.guarding = guarding;
    parent->ended = region;
}

/* The regions that this one lies in must stay until it is through, and know how many such there
 * are. */
static void hold_above(th_region *region) {
    for (th_region *above = region->parent; above != NULL; above = above->parent) {
        above->closing_below++;
    }
}

static void release_above(th_region *region) {
    for (th_region *above = region->parent; above != NULL; above = above->parent) {
        above->closing_below--;
    }
}

/* Ends all that lies in the region, leaves first, the youngest first; and runs the cleanups of all
 * of them and of the region. */
static void end_below(th_region *region) {
    th_region *at = region;
    hold_above(region);
    for (;;) {
        at->state = CLOSING;
        if (at->youngest != NULL) {
            at = at->youngest;
            continue;
        }
        run_cleanups(at);
        if (at == region) {
            release_above(region);
            return;
        }
        th_region *parent = at->parent;
        finish(at);
        at = parent;
    }
}

th_status th_region_destroy(th_region *region) {
    if (region == NULL || region->state == NOT_STARTED) {
        return TH_OK;
    }
    th_status status = enter(region);
    if (status != TH_OK) {
        return status;
    }
    if (is_under_closing(region)) {
        return TH_ERR_BUSY;
    }
    end_below(region);
    finish(region);
    return TH_OK;
}

void th_region_clean_up(th_region *root) {
    (void)th_region_destroy(root);
}

th_status th_region_reset(th_region *region) {
    if (region == NULL || region->state == NOT_STARTED) {
        return TH_ERR_NULL;
    }
    th_status status = enter(region);
    if (status != TH_OK) {
        return status;
    }
    if (is_under_closing(region)) {
        return TH_ERR_BUSY;
    }
    end_below(region);
    status = th_arena_reset(&region->arena);
    if (status == TH_OK) {
        region->ended = NULL;
    }
    region->state = OPEN;
    return status;
}

/* ---- allocation and questions ------------------------------------------------------------- */

void *th_region_alloc(th_region *region, size_t bytes) {
    return region != NULL ? th_arena_alloc(&region->arena, bytes) : NULL;
}

void *th_region_alloc_aligned(th_region *region, size_t bytes, size_t alignment) {
    return region != NULL ? th_arena_alloc_aligned(&region->arena, bytes, alignment) : NULL;
}

/* The next region of a walk over the tree of `root`, parents before children; NULL at the end. */
static const th_region *next_of(const th_region *root, const th_region *region) {
    if (region->youngest != NULL) {
        return region->youngest;
    }
    while (region != root && region->older == NULL) {
        region = region->parent;
    }
    return region != root ? region->older : NULL;
}

static bool is_live(const th_region *region) {
    return region->state == OPEN || region->state == CLOSING;
}

th_region_stats th_region_get_stats(const th_region *region) {
    th_region_stats stats = {0};
    if (region == NULL || !is_live(region)) {
        return stats;
    }
    for (const th_region *at = region; at != NULL; at = next_of(region, at)) {
        stats.regions++;
        stats.tree_reserved_bytes += th_arena_get_stats(&at->arena).reserved_bytes;
    }
    for (const th_region *above = region->parent; above != NULL; above = above->parent) {
        stats.depth++;
    }
    stats.used_bytes = th_arena_get_stats(&region->arena).used_bytes;
    stats.reserved_bytes = th_arena_get_stats(&region->arena).reserved_bytes;
    return stats;
}

/* The links between a region and its children. */
static th_status check_links(const th_region *region, th_fault *fault) {
    const th_region *younger = NULL;
    for (const th_region *child = region->youngest; child != NULL; child = child->older) {
        if (child->parent != region || child->younger != younger || !is_live(child)) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, OPEN,
                                       child->state);
        }
        younger = child;
    }
    for (const th_region *child = region->ended; child != NULL; child = child->older) {
        if (child->parent != region || child->state != ENDED) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, ENDED,
                                       child->state);
        }
    }
    return TH_OK;
}

th_status th_region_check(const th_region *region, th_fault *fault) {
    th_no_fault(fault);
    if (region == NULL || region->state == NOT_STARTED) {
        return TH_ERR_NULL;
    }
    if (!is_live(region)) {
        return TH_OK;
    }
    for (const th_region *at = region; at != NULL; at = next_of(region, at)) {
        th_status status = check_links(at, fault);
        if (status == TH_OK) {
            status = th_arena_check(&at->arena, fault);
        }
        if (status != TH_OK) {
            return status;
        }
    }
    return TH_OK;
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static th_arena *arena_of(void *self) {
    th_region *region = self;
    return &region->arena;
}

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return th_arena_alloc_aligned(arena_of(self), bytes, alignment);
}

static void table_free(void *self, void *pointer) {
    th_arena_free(arena_of(self), pointer);
}

static bool table_resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_arena_resize_in_place(arena_of(self), pointer, bytes);
}

static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    return th_arena_move(arena_of(self), pointer, kept, bytes, alignment);
}

static bool table_owns(const void *self, const void *pointer) {
    const th_region *region = self;
    return th_arena_owns(&region->arena, pointer);
}

TH_THUNK_RESET(region);
TH_THUNK_CHECK(region);

th_allocator th_region_allocator(th_region *region) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .free = table_free,
                                             .resize_in_place = table_resize_in_place,
                                             .realloc = table_realloc,
                                             .reset = th_region_thunk_reset,
                                             .owns = table_owns,
                                             .check = th_region_thunk_check};
    return th_allocator_of(&table, region);
}
