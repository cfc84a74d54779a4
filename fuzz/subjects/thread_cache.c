/* SPDX-License-Identifier: MIT */
/* Thread caches, by one thread: two caches over size classes, or (bit 0 of the variant) over a
 * concurrent pool. Blocks come from the first, and are freed by the first or (bit 1) by the two in
 * turn, so that half of them are sent back. */
#include <stdlib.h>

#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/classes.h"
#include "tagheap/concurrent_pool.h"
#include "tagheap/thread_cache.h"

enum { POOLED = 1, IN_TURN = 2, CACHES = 2, BLOCK_BYTES = 120, HEADER_BYTES = 16, KEPT_MAX = 5 };

typedef struct state {
    th_thread_cache *first, *second;
    th_thread_caches all;
    th_thread_cache caches[CACHES];
    th_classes classes;
    th_concurrent_pool pool;
    th_allocator_table table;
    bool in_turn;
    unsigned frees;
} state;

static void destroy(void *self) {
    state *s = self;
    th_thread_caches_clean_up(&s->all);
    th_concurrent_pool_clean_up(&s->pool);
    th_classes_clean_up(&s->classes);
    free(s);
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_allocator first = th_thread_cache_allocator(((state *)self)->first);
    return first.table->alloc(first.self, bytes, alignment);
}

static void free_block(void *self, void *pointer) {
    state *s = self;
    bool is_sent = s->in_turn && s->frees++ % 2 == 0;
    th_thread_cache_free(is_sent ? s->second : s->first, pointer);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    th_allocator first = th_thread_cache_allocator(((state *)self)->first);
    return first.table->resize_in_place(first.self, pointer, bytes);
}

static size_t usable_size(const void *self, const void *pointer) {
    th_allocator first = th_thread_cache_allocator(((const state *)self)->first);
    return first.table->usable_size(first.self, pointer);
}

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = th_thread_caches_check(&s->all, fault);
    return status == TH_OK && s->pool.capacity > 0 ? th_concurrent_pool_check(&s->pool, fault)
                                                   : status;
}

static bool start(state *s, const lab_setup *setup) {
    th_thread_caches_config config = {.backing = setup->backing,
                                      .block_bytes = BLOCK_BYTES,
                                      .kept_max = KEPT_MAX,
                                      .caches = s->caches,
                                      .caches_count = CACHES,
                                      .guarding = lab_ground_guarding(setup)};
    if ((setup->variant & POOLED) != 0) {
        const th_concurrent_pool_config pool = {.object_bytes = HEADER_BYTES + BLOCK_BYTES,
                                                .alignment = HEADER_BYTES,
                                                .backing = setup->backing,
                                                .capacity = setup->bytes /
                                                            (2 * (HEADER_BYTES + BLOCK_BYTES)),
                                                .guarding = lab_ground_guarding(setup)};
        if (th_concurrent_pool_init(&s->pool, &pool) != TH_OK) {
            return false;
        }
        config.backing = th_concurrent_pool_allocator(&s->pool);
    } else {
        const th_classes_config classes = {
            .backing = setup->backing, .slab_bytes = 1024, .guarding = lab_ground_guarding(setup)};
        if (th_classes_init(&s->classes, &classes) != TH_OK) {
            return false;
        }
        config.backing = th_classes_allocator(&s->classes);
    }
    if (th_thread_caches_init(&s->all, &config) != TH_OK) {
        return false;
    }
    s->in_turn = (setup->variant & IN_TURN) != 0;
    s->first = th_thread_cache_join(&s->all);
    s->second = th_thread_cache_join(&s->all);
    return true;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    if (!start(s, setup)) {
        destroy(s);
        return false;
    }
    s->table = (th_allocator_table){.alloc = alloc,
                                    .free = free_block,
                                    .resize_in_place = resize_in_place,
                                    .usable_size = usable_size,
                                    .check = check};
    instance->state = s;
    instance->allocator = (th_allocator){&s->table, s};
    instance->alignment_max = TH_ALLOCATOR_ALIGNMENT;
    instance->keeps_least = BLOCK_BYTES;
    if (s->pool.capacity > 0) {
        instance->flags_missing = LAB_SUBJECT_GROWS;
        instance->bytes_max = BLOCK_BYTES;
        instance->blocks_guaranteed = s->pool.capacity; /* the first takes back what was sent */
    }
    return true;
}

const lab_subject lab_subject_thread_cache = {
    .version = LAB_SUBJECT_VERSION,
    .name = "thread-cache",
    .purpose = "two caches over size classes or a concurrent pool, by one thread",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS,
    .create = create,
    .destroy = destroy,
};
