/* SPDX-License-Identifier: MIT */
/* Fallbacks: of two allocators, the first that can. */
#include "tagheap/fallback.h"

#include <string.h>

#include "alloc/guarding.h"
#include "alloc/thunks.h"

static bool is_started(const th_fallback *fallback) {
    return fallback != NULL && fallback->config.first.table != NULL;
}

static bool is_usable(const th_allocator *allocator) {
    return allocator->table != NULL && th_backing_is_usable(allocator);
}

th_status th_fallback_init(th_fallback *fallback, const th_fallback_config *config) {
    if (fallback == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (!is_usable(&config->first) || config->first.table->owns == NULL ||
        !is_usable(&config->second) || !th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *fallback = (th_fallback){.config = *config};
    return TH_OK;
}

void th_fallback_clean_up(th_fallback *fallback) {
    if (fallback != NULL) {
        *fallback = (th_fallback){0};
    }
}

th_status th_fallback_reset(th_fallback *fallback) {
    if (!is_started(fallback)) {
        return TH_ERR_NULL;
    }
    const th_fallback_config *config = &fallback->config;
    if (config->first.table->reset == NULL || config->second.table->reset == NULL) {
        return TH_ERR_UNSUPPORTED;
    }
    th_status first = th_allocator_reset(config->first);
    th_status second = th_allocator_reset(config->second);
    return first != TH_OK ? first : second;
}

/* ---- the interface ------------------------------------------------------------------------ */

/* Whose is it? */
static bool is_first(const th_fallback *fallback, const void *pointer) {
    return th_allocator_owns(fallback->config.first, pointer);
}

static th_allocator owner_of(const th_fallback *fallback, const void *pointer) {
    return is_first(fallback, pointer) ? fallback->config.first : fallback->config.second;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_fallback *fallback = self;
    void *block = th_allocator_alloc_aligned(fallback->config.first, bytes, alignment);
    if (block != NULL) {
        fallback->first_allocs++;
        return block;
    }
    block = th_allocator_alloc_aligned(fallback->config.second, bytes, alignment);
    if (block != NULL) {
        fallback->second_allocs++;
    } else {
        fallback->failed_allocs++;
    }
    return block;
}

static void free_block(void *self, void *pointer) {
    th_allocator_free(owner_of(self, pointer), pointer);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_allocator_resize_in_place(owner_of(self, pointer), pointer, bytes);
}

static void count_move(th_fallback *fallback, bool to_first) {
    if (to_first) {
        fallback->first_allocs++;
    } else {
        fallback->second_allocs++;
    }
}

/* Does its allocator know the block, as far as that can say? What is no block (a fault may have
 * said so) is not copied. */
static bool is_known(th_allocator allocator, const void *pointer) {
    const th_allocator_table *table = allocator.table;
    return (table->owns == NULL || th_allocator_owns(allocator, pointer)) &&
           (table->usable_size == NULL || th_allocator_usable_size(allocator, pointer) > 0);
}

/* Within its allocator if that can, else to the other one. */
static void *move(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_fallback *fallback = self;
    if (!is_started(fallback)) {
        return NULL;
    }
    bool in_first = is_first(fallback, pointer);
    th_allocator from = in_first ? fallback->config.first : fallback->config.second;
    th_allocator to = in_first ? fallback->config.second : fallback->config.first;
    void *block = th_allocator_realloc(from, pointer, kept, bytes, alignment, NULL);
    if (block != NULL) {
        count_move(fallback, in_first);
        return block;
    }
    if (!is_known(from, pointer)) {
        return NULL;
    }
    block = th_allocator_alloc_aligned(to, bytes, alignment);
    if (block == NULL) {
        fallback->failed_allocs++;
        return NULL;
    }
    memcpy(block, pointer, kept < bytes ? kept : bytes);
    th_allocator_free(from, pointer);
    count_move(fallback, !in_first);
    return block;
}

static bool owns(const void *self, const void *pointer) {
    const th_fallback *fallback = self;
    return is_first(fallback, pointer) || th_allocator_owns(fallback->config.second, pointer);
}

static size_t usable_size(const void *self, const void *pointer) {
    return th_allocator_usable_size(owner_of(self, pointer), pointer);
}

TH_THUNK_RESET(fallback);
TH_THUNK_CHECK(fallback);

th_allocator th_fallback_allocator(th_fallback *fallback) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = move,
                                             .reset = th_fallback_thunk_reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = th_fallback_thunk_check};
    return th_allocator_of(&table, fallback);
}

/* ---- questions ---------------------------------------------------------------------------- */

th_fallback_stats th_fallback_get_stats(const th_fallback *fallback) {
    if (fallback == NULL) {
        return (th_fallback_stats){0};
    }
    return (th_fallback_stats){.first_allocs = fallback->first_allocs,
                               .second_allocs = fallback->second_allocs,
                               .failed_allocs = fallback->failed_allocs};
}

th_status th_fallback_check(const th_fallback *fallback, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(fallback)) {
        return TH_ERR_NULL;
    }
    th_status status = th_allocator_check(fallback->config.first, fault);
    return status == TH_OK ? th_allocator_check(fallback->config.second, fault) : status;
}
