/* SPDX-License-Identifier: MIT */
/* Thread caches. What a cache keeps is a stack of its thread's alone; what others free for it comes
 * by alloc/remote_list.h, where the memory orders are explained.
 *
 *   [ state | owner | link ][ payload ]
 *
 * `owner` is a cache's number, or LARGE: then the link is the payload's size. The state is live or
 * freed, and says by what set of caches: two words that are different for each. From guard level 1
 * on an exchange makes it freed, so that of two threads that free a block one is told. All accesses
 * to it are relaxed: who frees a block has its address from the one that allocated it, and so sees
 * what that one wrote. */
#include "tagheap/thread_cache.h"

#include <assert.h>
#include <string.h>

#include "alloc/guarding.h"
#include "alloc/moving.h"
#include "alloc/remote_list.h"
#include "alloc/thunks.h"
#include "base/align.h"

#define HEADER_BYTES TH_ALLOCATOR_ALIGNMENT
#define LARGE        UINT32_MAX
#define CACHES_MAX   ((size_t)LARGE - 1)
#define KEPT_DEFAULT ((size_t)64)

#define LIVE UINT32_C(0x4C495645)

typedef struct header {
    th_atomic_u32 state;
    uint32_t owner;
    th_plain_address link;
} header;

static_assert(sizeof(header) <= HEADER_BYTES, "payloads stay aligned");
static_assert(offsetof(th_thread_cache, all) == 64, "what others push to is a cache line apart");

static int level_of(const th_thread_caches *all) {
    return th_guarding_level(&all->config.guarding);
}

/* Odd, and the next lower number. Of the 31 bits above that those of the address make a difference,
 * the ones that are always zero left out; what is beyond 31 of them is folded. */
static uint32_t live_word(const th_thread_caches *all) {
    uint64_t place = (uint64_t)(uintptr_t)all / sizeof(uint32_t);
    return LIVE ^ (uint32_t)((place ^ place >> 31) << 1 & UINT32_MAX);
}

static uint32_t freed_word(const th_thread_caches *all) {
    return live_word(all) - 1;
}

static unsigned char *payload_of(header *block) {
    return (unsigned char *)block + HEADER_BYTES;
}

static header *header_at(uintptr_t address) {
    return (header *)address;
}

static header *header_of(const void *pointer) {
    return header_at((uintptr_t)pointer - HEADER_BYTES);
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void give_back(const th_thread_caches *all, header *block) {
    th_track_open(payload_of(block), all->config.block_bytes);
    th_allocator_free(all->config.backing, block);
}

/* The block is this cache's, and free. */
static void keep(th_thread_cache *cache, header *block) {
    if (cache->kept_count == cache->all->config.kept_max) {
        cache->stats.given_back++;
        give_back(cache->all, block);
        return;
    }
    TH_PLAIN_STORE(&block->link, cache->kept);
    cache->kept = (uintptr_t)block;
    cache->kept_count++;
}

static header *take_kept(th_thread_cache *cache) {
    header *block = header_at(cache->kept);
    cache->kept = TH_PLAIN_LOAD(&block->link);
    cache->kept_count--;
    return block;
}

static void take_back(th_thread_cache *cache) {
    uintptr_t next = th_remote_list_take(&cache->returned);
    while (next != TH_REMOTE_EMPTY) {
        header *block = header_at(next);
        next = TH_PLAIN_LOAD(&block->link);
        cache->stats.taken_back++;
        keep(cache, block);
    }
}

static size_t give_back_kept(th_thread_cache *cache) {
    size_t count = cache->kept_count;
    while (cache->kept_count > 0) {
        give_back(cache->all, take_kept(cache));
    }
    return count;
}

static header *new_block(th_thread_cache *cache, size_t bytes, uint32_t owner) {
    header *block = th_allocator_alloc(cache->all->config.backing, HEADER_BYTES + bytes);
    if (block == NULL) {
        cache->stats.failed_allocs++;
        return NULL;
    }
    block->owner = owner;
    TH_PLAIN_STORE(&block->link, bytes);
    return block;
}

/* ---- start and end ------------------------------------------------------------------------ */

th_status th_thread_caches_init(th_thread_caches *all, const th_thread_caches_config *config) {
    if (all == NULL || config == NULL || config->caches == NULL) {
        return TH_ERR_NULL;
    }
#if !TH_ATOMIC
    return TH_ERR_UNSUPPORTED;
#endif
    if (config->block_bytes == 0 || config->caches_count == 0 ||
        !th_guarding_is_valid(&config->guarding) || config->backing.table == NULL ||
        !th_backing_is_usable(&config->backing)) {
        return TH_ERR_CONFIG;
    }
    if (config->block_bytes > PTRDIFF_MAX - HEADER_BYTES || config->caches_count > CACHES_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    all->config = *config;
    if (config->kept_max == 0) {
        all->config.kept_max = KEPT_DEFAULT;
    }
    for (size_t i = 0; i < config->caches_count; i++) {
        config->caches[i] = (th_thread_cache){.all = all, .number = (uint32_t)i};
        TH_ATOMIC_INIT(&config->caches[i].returned, TH_REMOTE_CLOSED);
    }
    return TH_OK;
}

void th_thread_caches_clean_up(th_thread_caches *all) {
    if (all == NULL) {
        return;
    }
    for (size_t i = 0; i < all->config.caches_count; i++) {
        th_thread_cache_leave(&all->config.caches[i]);
        memset(&all->config.caches[i], 0, sizeof all->config.caches[i]);
    }
    memset(all, 0, sizeof *all);
}

/* Is it a thread's? Asked by that thread. */
static bool is_joined(const th_thread_cache *cache) {
    return cache != NULL && cache->all != NULL &&
           TH_ATOMIC_LOAD(&cache->returned, TH_RELAXED) != TH_REMOTE_CLOSED;
}

th_thread_cache *th_thread_cache_join(th_thread_caches *all) {
    if (all == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < all->config.caches_count; i++) {
        th_thread_cache *cache = &all->config.caches[i];
        if (th_remote_list_open(&cache->returned)) {
            cache->stats = (th_thread_cache_stats){0};
            return cache;
        }
    }
    return NULL;
}

size_t th_thread_cache_flush(th_thread_cache *cache) {
    if (!is_joined(cache)) {
        return 0;
    }
    uint64_t before = cache->stats.given_back;
    take_back(cache);
    cache->stats.given_back += give_back_kept(cache);
    return (size_t)(cache->stats.given_back - before);
}

void th_thread_cache_leave(th_thread_cache *cache) {
    if (!is_joined(cache)) {
        return;
    }
    do {
        (void)th_thread_cache_flush(cache);
    } while (!th_remote_list_close(&cache->returned));
}

/* ---- allocation and free ------------------------------------------------------------------ */

static void *hand_out(const th_thread_caches *all, header *block, size_t bytes) {
    TH_ATOMIC_STORE(&block->state, live_word(all), TH_RELAXED);
    th_track_open(payload_of(block), bytes);
    return payload_of(block);
}

void *th_thread_cache_alloc(th_thread_cache *cache, size_t bytes) {
    if (!is_joined(cache) || bytes == 0 || bytes > PTRDIFF_MAX - HEADER_BYTES) {
        return NULL;
    }
    size_t block_bytes = cache->all->config.block_bytes;
    if (bytes > block_bytes) {
        header *block = new_block(cache, bytes, LARGE);
        return block != NULL ? hand_out(cache->all, block, bytes) : NULL;
    }
    if (cache->kept_count == 0) {
        take_back(cache);
    }
    if (cache->kept_count > 0) {
        cache->stats.hits++;
        return hand_out(cache->all, take_kept(cache), block_bytes);
    }
    header *block = new_block(cache, block_bytes, cache->number);
    if (block == NULL) {
        return NULL;
    }
    cache->stats.misses++;
    return hand_out(cache->all, block, block_bytes);
}

static th_status bad_pointer(th_fault_kind kind, const void *pointer, th_fault *fault) {
    return th_guarding_corrupt(fault, kind, TH_FAULT_NOWHERE, TH_FAULT_NOWHERE, 0,
                               (uint32_t)(uintptr_t)pointer);
}

static th_status bad_state(const th_thread_caches *all, uint32_t state, const void *pointer,
                           th_fault *fault) {
    return bad_pointer(state == freed_word(all) ? TH_FAULT_DOUBLE_FREE : TH_FAULT_FOREIGN, pointer,
                       fault);
}

static bool is_ours(const th_thread_caches *all, const header *block) {
    return block->owner == LARGE || block->owner < all->config.caches_count;
}

/* From here on the block is this call's. */
static th_status claim(const th_thread_caches *all, void *pointer, th_fault *fault) {
    header *block = header_of(pointer);
    uint32_t state = live_word(all);
    if (level_of(all) < 1) {
        return TH_OK;
    }
    if (!th_is_aligned((uintptr_t)pointer, TH_ALLOCATOR_ALIGNMENT)) {
        return bad_pointer(TH_FAULT_MISALIGNED, pointer, fault);
    }
    if (!TH_ATOMIC_CAS(&block->state, &state, freed_word(all), TH_RELAXED, TH_RELAXED)) {
        return bad_state(all, state, pointer, fault);
    }
    if (!is_ours(all, block)) {
        TH_ATOMIC_STORE(&block->state, live_word(all), TH_RELAXED); /* its header is damaged */
        return bad_pointer(TH_FAULT_FOREIGN, pointer, fault);
    }
    return TH_OK;
}

static void send(th_thread_cache *cache, header *block) {
    th_thread_cache *owner = &cache->all->config.caches[block->owner];
    cache->stats.sent++;
    if (!th_remote_list_push(&owner->returned, (uintptr_t)block, &block->link)) {
        give_back(cache->all, block); /* its thread has left */
    }
}

void th_thread_cache_free(th_thread_cache *cache, void *pointer) {
    th_fault fault;
    if (pointer == NULL || !is_joined(cache) ||
        !th_guarding_passes(&cache->all->config.guarding, claim(cache->all, pointer, &fault),
                            &fault)) {
        return;
    }
    header *block = header_of(pointer);
    if (block->owner == LARGE) {
        th_allocator_free(cache->all->config.backing, block);
        return;
    }
    th_track_close(pointer, cache->all->config.block_bytes);
    if (block->owner == cache->number) {
        keep(cache, block);
    } else {
        send(cache, block);
    }
}

/* ---- queries ------------------------------------------------------------------------------ */

th_thread_cache_stats th_thread_cache_get_stats(const th_thread_cache *cache) {
    if (cache == NULL) {
        return (th_thread_cache_stats){0};
    }
    th_thread_cache_stats stats = cache->stats;
    stats.kept = cache->kept_count;
    return stats;
}

th_thread_cache_stats th_thread_caches_get_stats(const th_thread_caches *all) {
    th_thread_cache_stats sum = {0};
    for (size_t i = 0; all != NULL && i < all->config.caches_count; i++) {
        th_thread_cache_stats one = th_thread_cache_get_stats(&all->config.caches[i]);
        sum.hits += one.hits;
        sum.misses += one.misses;
        sum.kept += one.kept;
        sum.taken_back += one.taken_back;
        sum.sent += one.sent;
        sum.given_back += one.given_back;
        sum.failed_allocs += one.failed_allocs;
    }
    return sum;
}

/* Everything on a list is this cache's, and free; *count of them, TH_OK. */
static th_status check_list(const th_thread_cache *cache, uintptr_t first, size_t count_max,
                            size_t *count, th_fault *fault) {
    *count = 0;
    for (uintptr_t at = first; at != TH_REMOTE_EMPTY; (*count)++) {
        header *block = header_at(at);
        bool is_free = level_of(cache->all) < 1 ||
                       TH_ATOMIC_LOAD(&block->state, TH_RELAXED) == freed_word(cache->all);
        if (*count == count_max || block->owner != cache->number || !is_free) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, cache->number, TH_FAULT_NOWHERE,
                                       count_max, *count);
        }
        at = TH_PLAIN_LOAD(&block->link);
    }
    return TH_OK;
}

static th_status check_cache(const th_thread_cache *cache, th_fault *fault) {
    size_t count;
    th_status status = check_list(cache, cache->kept, cache->kept_count, &count, fault);
    if (status == TH_OK && count != cache->kept_count) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, cache->number, TH_FAULT_NOWHERE,
                                   cache->kept_count, count);
    }
    uintptr_t returned = TH_ATOMIC_LOAD(&cache->returned, TH_RELAXED);
    if (status != TH_OK || returned == TH_REMOTE_CLOSED) {
        return status;
    }
    return check_list(cache, returned, SIZE_MAX, &count, fault);
}

th_status th_thread_caches_check(const th_thread_caches *all, th_fault *fault) {
    th_no_fault(fault);
    if (all == NULL || all->config.caches_count == 0) {
        return TH_ERR_NULL;
    }
    th_status status = TH_OK;
    for (size_t i = 0; i < all->config.caches_count && status == TH_OK; i++) {
        status = check_cache(&all->config.caches[i], fault);
    }
    return status;
}

/* ---- a cache as an allocator ---------------------------------------------------------------- */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    return alignment <= TH_ALLOCATOR_ALIGNMENT ? th_thread_cache_alloc(self, bytes) : NULL;
}

static void free_block(void *self, void *pointer) {
    th_thread_cache_free(self, pointer);
}

static th_status verify_live(const th_thread_caches *all, const void *pointer, th_fault *fault) {
    if (level_of(all) < 1) {
        return TH_OK;
    }
    if (!th_is_aligned((uintptr_t)pointer, TH_ALLOCATOR_ALIGNMENT)) {
        return bad_pointer(TH_FAULT_MISALIGNED, pointer, fault);
    }
    uint32_t state = TH_ATOMIC_LOAD(&header_of(pointer)->state, TH_RELAXED);
    return state == live_word(all) ? TH_OK : bad_state(all, state, pointer, fault);
}

static size_t usable_size(const void *self, const void *pointer) {
    const th_thread_cache *cache = self;
    th_fault fault;
    if (!is_joined(cache) ||
        !th_guarding_passes(&cache->all->config.guarding, verify_live(cache->all, pointer, &fault),
                            &fault)) {
        return 0;
    }
    const header *block = header_of(pointer);
    return block->owner == LARGE ? TH_PLAIN_LOAD(&block->link) : cache->all->config.block_bytes;
}

/* A large block that becomes much shorter is moved. */
static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    size_t usable = usable_size(self, pointer);
    return bytes <= usable && (header_of(pointer)->owner != LARGE || bytes >= usable / 2);
}

/* resize_in_place has reported what is no live block. */
static void *move(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    const th_thread_cache *cache = self;
    th_fault fault;
    if (!is_joined(cache) || verify_live(cache->all, pointer, &fault) != TH_OK) {
        return NULL;
    }
    return th_move_by_copy(th_thread_cache_allocator(self), pointer, kept, bytes, alignment);
}

static th_status check(const void *self, th_fault *fault) {
    const th_thread_cache *cache = self;
    return th_thread_caches_check(cache->all, fault);
}

th_allocator th_thread_cache_allocator(th_thread_cache *cache) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = move,
                                             .usable_size = usable_size,
                                             .check = check};
    return th_allocator_of(&table, cache);
}
