/* SPDX-License-Identifier: MIT */
/* Reserves: a block that is given back when nothing else is left. */
#include "tagheap/reserve.h"

#include "alloc/guarding.h"
#include "alloc/thunks.h"

static bool is_started(const th_reserve *reserve) {
    return reserve != NULL && reserve->config.bytes != 0;
}

static void *set_aside(const th_reserve_config *config) {
    return th_allocator_alloc(config->backing, config->bytes);
}

th_status th_reserve_init(th_reserve *reserve, const th_reserve_config *config) {
    if (reserve == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (config->bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (config->backing.table == NULL || !th_backing_is_usable(&config->backing) ||
        !th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    void *block = set_aside(config);
    if (block == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    *reserve = (th_reserve){.block = block, .config = *config};
    return TH_OK;
}

/* Is it called from inside on_opened? A fault has said so then. */
static bool refuse(const th_reserve *reserve) {
    if (reserve->is_telling) {
        th_guarding_raise_reentry(&reserve->config.guarding);
    }
    return reserve->is_telling;
}

void th_reserve_clean_up(th_reserve *reserve) {
    if (reserve != NULL && !refuse(reserve)) {
        th_allocator_free(reserve->config.backing, reserve->block);
        *reserve = (th_reserve){0};
    }
}

th_status th_reserve_refill(th_reserve *reserve) {
    if (!is_started(reserve)) {
        return TH_ERR_NULL;
    }
    if (refuse(reserve)) {
        return TH_ERR_BUSY;
    }
    if (reserve->block == NULL) {
        reserve->block = set_aside(&reserve->config);
    }
    return reserve->block != NULL ? TH_OK : TH_ERR_EXHAUSTED;
}

bool th_reserve_open(th_reserve *reserve) {
    if (reserve == NULL || reserve->block == NULL) {
        return false;
    }
    th_allocator_free(reserve->config.backing, reserve->block);
    reserve->block = NULL;
    reserve->openings++;
    if (reserve->config.on_opened != NULL) {
        reserve->is_telling = true;
        reserve->config.on_opened(reserve->config.context);
        reserve->is_telling = false;
    }
    return true;
}

/* For a request that found no memory: not for one that it cannot help. */
static bool open_for(th_reserve *reserve, size_t bytes) {
    return bytes <= reserve->config.bytes && th_reserve_open(reserve);
}

/* ---- the interface ------------------------------------------------------------------------ */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_reserve *reserve = self;
    void *block;
    do {
        block = th_allocator_alloc_aligned(reserve->config.backing, bytes, alignment);
    } while (block == NULL && open_for(reserve, bytes));
    reserve->failed_allocs += block == NULL;
    return block;
}

static void free_block(void *self, void *pointer) {
    const th_reserve *reserve = self;
    th_allocator_free(reserve->config.backing, pointer);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    const th_reserve *reserve = self;
    return th_allocator_resize_in_place(reserve->config.backing, pointer, bytes);
}

static void *move(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_reserve *reserve = self;
    void *block;
    do {
        block =
            th_allocator_realloc(reserve->config.backing, pointer, kept, bytes, alignment, NULL);
    } while (block == NULL && open_for(reserve, bytes));
    reserve->failed_allocs += block == NULL;
    return block;
}

static bool owns(const void *self, const void *pointer) {
    const th_reserve *reserve = self;
    return th_allocator_owns(reserve->config.backing, pointer);
}

static size_t usable_size(const void *self, const void *pointer) {
    const th_reserve *reserve = self;
    return th_allocator_usable_size(reserve->config.backing, pointer);
}

static th_status table_reset(void *self) {
    return is_started(self) ? TH_ERR_UNSUPPORTED : TH_ERR_NULL;
}

TH_THUNK_CHECK(reserve);

th_allocator th_reserve_allocator(th_reserve *reserve) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = move,
                                             .reset = table_reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = th_reserve_thunk_check};
    return th_allocator_of(&table, reserve);
}

/* ---- questions ---------------------------------------------------------------------------- */

th_reserve_stats th_reserve_get_stats(const th_reserve *reserve) {
    if (reserve == NULL) {
        return (th_reserve_stats){0};
    }
    return (th_reserve_stats){.held_bytes = reserve->block != NULL ? reserve->config.bytes : 0,
                              .openings = reserve->openings,
                              .failed_allocs = reserve->failed_allocs};
}

th_status th_reserve_check(const th_reserve *reserve, th_fault *fault) {
    th_no_fault(fault);
    return is_started(reserve) ? th_allocator_check(reserve->config.backing, fault) : TH_ERR_NULL;
}
