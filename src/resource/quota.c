/* SPDX-License-Identifier: MIT */
/* Quotas: each block of the backing begins with a gap, whose last words say how many bytes were
 * asked for.
 *
 *   base                       payload
 *   [ unused | bytes | mark ][ bytes asked for ]
 *
 * The mark's low bits are the gap's logarithm, the others a check of bytes, gap and address. */
#include "tagheap/quota.h"

#include <assert.h>

#include "alloc/guarding.h"
#include "alloc/thunks.h"
#include "base/compiler.h"

enum { GAP = 16, GAP_MASK = 63 };

typedef struct head {
    size_t bytes;
    size_t mark;
} head;

static_assert(sizeof(head) <= GAP, "a head fits into the smallest gap");

static head *head_of(const void *payload) {
    return (head *)(uintptr_t)payload - 1;
}

static size_t mark_for(const void *payload, size_t bytes, unsigned gap_log) {
    uint64_t mixed = ((uintptr_t)payload ^ (uint64_t)gap_log << 56) * UINT64_C(0x9E3779B97F4A7C15);
    mixed ^= bytes * UINT64_C(0xC2B2AE3D27D4EB4F);
    return ((size_t)(mixed >> 32) & ~(size_t)GAP_MASK) | gap_log;
}

static size_t gap_of(const void *payload) {
    return (size_t)1 << (head_of(payload)->mark & GAP_MASK);
}

static unsigned char *base_of(void *payload) {
    return (unsigned char *)payload - gap_of(payload);
}

static void write_head(void *payload, size_t bytes, size_t gap) {
    head *at = head_of(payload);
    at->bytes = bytes;
    at->mark = mark_for(payload, bytes, th_highest_bit(gap));
}

/* Is the head as it was written, and the block not being resized? False after a fault. */
static bool verify(const th_quota *quota, const void *payload) {
    if (payload == quota->held) {
        th_guarding_raise_reentry(&quota->config.guarding);
        return false;
    }
    if (th_guarding_level(&quota->config.guarding) == 0) {
        return true;
    }
    const head *at = head_of(payload);
    size_t expected = mark_for(payload, at->bytes, (unsigned)(at->mark & GAP_MASK));
    if (at->mark == expected) {
        return true;
    }
    bool was_freed = at->mark == (expected ^ ~(size_t)GAP_MASK);
    th_guarding_raise(&quota->config.guarding, was_freed ? TH_FAULT_DOUBLE_FREE : TH_FAULT_HEADER,
                      SIZE_MAX, SIZE_MAX, expected & UINT32_MAX, at->mark & UINT32_MAX);
    return false;
}

/* ---- the account -------------------------------------------------------------------------- */

static void tell(const th_quota *quota, th_quota_event event) {
    if (quota->config.on_event != NULL) {
        quota->config.on_event(quota->config.context, event, quota->used_bytes);
    }
}

/* Not of what is refused inside the event function itself: that would never end. */
static void tell_refusal(th_quota *quota) {
    if (!quota->is_telling) {
        quota->is_telling = true;
        tell(quota, TH_QUOTA_REFUSED);
        quota->is_telling = false;
    }
}

/* May so many bytes more, in so many blocks more (0 or 1), be in use? What becomes shorter always
 * may: limits that were lowered refuse only more. */
static bool fits(const th_quota *quota, size_t bytes, uint64_t blocks) {
    const th_quota_config *config = &quota->config;
    if (bytes == 0) {
        return true;
    }
    return quota->used_bytes <= config->bytes_max &&
           bytes <= config->bytes_max - quota->used_bytes &&
           quota->blocks + blocks <= config->blocks_max;
}

/* Was anything given up? `held` is the block being resized; NULL: none is. */
static bool ask(th_quota *quota, size_t bytes, const void *held) {
    if (quota->config.low_memory == NULL) {
        return false;
    }
    quota->is_asking = true;
    quota->held = held;
    quota->low_memory_calls++;
    bool given_up = quota->config.low_memory(quota->config.context, bytes);
    quota->is_asking = false;
    quota->held = NULL;
    return given_up;
}

static bool admit(th_quota *quota, size_t bytes, uint64_t blocks, const void *held) {
    bool fit = !quota->is_asking && fits(quota, bytes, blocks);
    while (!fit && !quota->is_asking && ask(quota, bytes, held)) {
        fit = fits(quota, bytes, blocks);
    }
    if (!fit) {
        quota->refusals++;
        tell_refusal(quota);
    }
    return fit;
}

/* After bytes_used has become another number. */
static void settle_account(th_quota *quota) {
    size_t soft = quota->config.bytes_soft;
    bool is_above = soft != 0 && quota->used_bytes > soft;
    if (quota->used_bytes > quota->peak_bytes) {
        quota->peak_bytes = quota->used_bytes;
    }
    if (is_above != quota->is_above) {
        quota->is_above = is_above;
        quota->crossings += is_above;
        tell(quota, is_above ? TH_QUOTA_ABOVE_SOFT : TH_QUOTA_BELOW_SOFT);
    }
}

TH_DEFINE_SETTLE(quota);

static void change_used(th_quota *quota, size_t from, size_t to) {
    quota->used_bytes = quota->used_bytes - from + to;
    settle_account(quota);
    th_quota_settle(quota);
}

/* ---- starting and ending ------------------------------------------------------------------ */

static bool is_started(const th_quota *quota) {
    return quota != NULL && quota->config.backing.table != NULL;
}

th_status th_quota_init(th_quota *quota, const th_quota_config *config) {
    if (quota == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    if (config->backing.table == NULL || !th_backing_is_usable(&config->backing) ||
        !th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *quota = (th_quota){.config = *config};
    return TH_OK;
}

void th_quota_clean_up(th_quota *quota) {
    if (quota == NULL) {
        return;
    }
    if (quota->is_asking) {
        th_guarding_raise_reentry(&quota->config.guarding);
        return;
    }
    *quota = (th_quota){0};
}

th_status th_quota_set_limits(th_quota *quota, size_t bytes_max, size_t blocks_max) {
    if (!is_started(quota)) {
        return TH_ERR_NULL;
    }
    quota->config.bytes_max = bytes_max;
    quota->config.blocks_max = blocks_max;
    return TH_OK;
}

th_status th_quota_reset(th_quota *quota) {
    if (!is_started(quota)) {
        return TH_ERR_NULL;
    }
    if (quota->is_asking) {
        th_guarding_raise_reentry(&quota->config.guarding);
        return TH_ERR_BUSY;
    }
    th_status status = th_allocator_reset(quota->config.backing);
    if (status == TH_OK) {
        quota->blocks = 0;
        change_used(quota, quota->used_bytes, 0);
    }
    return status;
}

/* ---- the interface ------------------------------------------------------------------------ */

/* What the base of a block has to be aligned to, so that a head can stand in its gap. */
static size_t base_alignment(size_t alignment) {
    return alignment > _Alignof(head) ? alignment : _Alignof(head);
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    th_quota *quota = self;
    size_t gap = alignment > GAP ? alignment : GAP;
    if (!is_started(quota) || !admit(quota, bytes, 1, NULL)) {
        return NULL;
    }
    unsigned char *base;
    do {
        base = th_allocator_alloc_aligned(quota->config.backing, gap + bytes,
                                          base_alignment(alignment));
    } while (base == NULL && ask(quota, bytes, NULL));
    if (base == NULL) {
        quota->failed_allocs++;
        return NULL;
    }
    void *payload = base + gap;
    write_head(payload, bytes, gap);
    quota->allocs++;
    quota->blocks++;
    if (quota->blocks > quota->blocks_peak) {
        quota->blocks_peak = quota->blocks;
    }
    change_used(quota, 0, bytes);
    return payload;
}

static void free_block(void *self, void *payload) {
    th_quota *quota = self;
    if (!is_started(quota) || !verify(quota, payload)) {
        return;
    }
    head *at = head_of(payload);
    size_t bytes = at->bytes;
    unsigned char *base = base_of(payload);
    at->mark ^= ~(size_t)GAP_MASK;
    th_allocator_free(quota->config.backing, base);
    quota->blocks--;
    change_used(quota, bytes, 0);
}

static bool resize_in_place(void *self, void *payload, size_t bytes) {
    th_quota *quota = self;
    if (!is_started(quota) || !verify(quota, payload)) {
        return false;
    }
    size_t was = head_of(payload)->bytes;
    size_t gap = gap_of(payload);
    size_t more = bytes > was ? bytes - was : 0;
    if ((more > 0 && quota->is_asking) || !fits(quota, more, 0) ||
        !th_allocator_resize_in_place(quota->config.backing, base_of(payload), gap + bytes)) {
        return false;
    }
    write_head(payload, bytes, gap);
    change_used(quota, was, bytes);
    return true;
}

static void *move(void *self, void *payload, size_t kept, size_t bytes, size_t alignment) {
    th_quota *quota = self;
    if (!is_started(quota) || !verify(quota, payload)) {
        return NULL;
    }
    size_t was = head_of(payload)->bytes;
    size_t gap = gap_of(payload);
    if (!admit(quota, bytes > was ? bytes - was : 0, 0, payload)) {
        return NULL;
    }
    unsigned char *base;
    do {
        base = th_allocator_realloc(quota->config.backing, base_of(payload), gap + kept,
                                    gap + bytes, base_alignment(alignment), NULL);
    } while (base == NULL && ask(quota, bytes, payload));
    if (base == NULL) {
        quota->failed_allocs++;
        return NULL;
    }
    write_head(base + gap, bytes, gap);
    quota->allocs++;
    change_used(quota, was, bytes);
    return base + gap;
}

static bool owns(const void *self, const void *pointer) {
    const th_quota *quota = self;
    return th_allocator_owns(quota->config.backing, pointer);
}

static size_t usable_size(const void *self, const void *payload) {
    const th_quota *quota = self;
    if (!is_started(quota)) {
        return 0;
    }
    size_t gap = gap_of(payload);
    size_t usable =
        th_allocator_usable_size(quota->config.backing, base_of((void *)(uintptr_t)payload));
    return usable > gap ? usable - gap : head_of(payload)->bytes;
}

TH_THUNK_RESET(quota);
TH_THUNK_CHECK(quota);

th_allocator th_quota_allocator(th_quota *quota) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = move,
                                             .reset = th_quota_thunk_reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = th_quota_thunk_check};
    return th_allocator_of(&table, quota);
}

/* ---- questions ---------------------------------------------------------------------------- */

th_quota_stats th_quota_get_stats(const th_quota *quota) {
    if (quota == NULL) {
        return (th_quota_stats){0};
    }
    size_t most = quota->config.bytes_max;
    return (th_quota_stats){.used_bytes = quota->used_bytes,
                            .high_water_bytes = quota->peak_bytes,
                            .left_bytes = most > quota->used_bytes ? most - quota->used_bytes : 0,
                            .blocks = quota->blocks,
                            .blocks_peak = quota->blocks_peak,
                            .allocs = quota->allocs,
                            .refusals = quota->refusals,
                            .failed_allocs = quota->failed_allocs,
                            .soft_crossings = quota->crossings,
                            .low_memory_calls = quota->low_memory_calls};
}

th_status th_quota_check(const th_quota *quota, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(quota)) {
        return TH_ERR_NULL;
    }
    if (quota->used_bytes > quota->peak_bytes || quota->used_bytes < quota->blocks) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, quota->peak_bytes,
                                   quota->used_bytes);
    }
    if (quota->blocks > quota->blocks_peak || quota->blocks > quota->allocs) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, quota->blocks_peak,
                                   quota->blocks);
    }
    return th_allocator_check(quota->config.backing, fault);
}
