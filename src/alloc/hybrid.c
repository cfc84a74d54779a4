/* SPDX-License-Identifier: MIT */
/* Hybrid buffer: a span whose only block starts at its base. */
#include "tagheap/hybrid.h"

#include <string.h>

#include "alloc/span.h"
#include "base/align.h"
#include "base/compiler.h"

enum { EMBEDDED = 0, SPILLED = 1 }; /* numbers of the spans, in faults */

static const th_guarding *guarding_of(const th_hybrid *hybrid) {
    return &hybrid->config.guarding;
}

static size_t number_of(const th_hybrid *hybrid) {
    return hybrid->is_spilled ? SPILLED : EMBEDDED;
}

static size_t capacity_of(const th_span *span) {
    return (size_t)(span->end - span->base);
}

th_status th_hybrid_init(th_hybrid *hybrid, void *memory, size_t bytes,
                         const th_hybrid_config *config) {
    static const th_hybrid_config defaults = {.alignment = 0};
    if (hybrid == NULL || (memory == NULL && bytes != 0)) {
        return TH_ERR_NULL;
    }
    th_hybrid fresh = {.config = config != NULL ? *config : defaults};
    if (fresh.config.alignment == 0) {
        fresh.config.alignment = TH_ALLOCATOR_ALIGNMENT;
    }
    if (!th_is_power_of_two(fresh.config.alignment)) {
        return TH_ERR_ALIGNMENT;
    }
    if (!th_is_aligned((uintptr_t)memory, fresh.config.alignment)) {
        return TH_ERR_MISALIGNED;
    }
    if (bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    if (!th_guarding_is_valid(&fresh.config.guarding) ||
        !th_backing_is_usable(&fresh.config.backing)) {
        return TH_ERR_CONFIG;
    }
    if (bytes != 0) {
        fresh.span = th_span_make(memory, bytes);
    }
    *hybrid = fresh;
    return TH_OK;
}

/* ---- the span and its one block ----------------------------------------------------------- */

static bool verify(const th_hybrid *hybrid) {
    return th_span_verify(&hybrid->span, guarding_of(hybrid), number_of(hybrid), hybrid->span.base);
}

/* The block becomes `bytes` bytes long, which fit. False after a fault. */
static bool resize_here(th_hybrid *hybrid, size_t bytes) {
    th_span *span = &hybrid->span;
    const th_guarding *guarding = guarding_of(hybrid);
    if (bytes == 0) {
        if (!verify(hybrid)) {
            return false;
        }
        th_span_cut(span, guarding, span->base);
        return true;
    }
    if (span->last == NULL) {
        return th_span_take(span, guarding, number_of(hybrid), span->base, bytes);
    }
    return th_span_resize(span, guarding, number_of(hybrid), bytes);
}

/* The data has left the block of the backing. */
static void give_back(th_hybrid *hybrid, const th_span *span) {
    th_span_release(span);
    th_allocator_free(hybrid->config.backing, span->base);
}

/* A block of half as much again as there is now, or if need be of `bytes` bytes. */
static void *take_from_backing(const th_hybrid *hybrid, size_t bytes, size_t *capacity) {
    size_t had = capacity_of(&hybrid->span);
    void *memory = NULL;
    *capacity = had + had / 2;
    if (*capacity > bytes) { /* what is above PTRDIFF_MAX is refused */
        memory =
            th_allocator_alloc_aligned(hybrid->config.backing, *capacity, hybrid->config.alignment);
    }
    if (memory == NULL) {
        *capacity = bytes;
        memory =
            th_allocator_alloc_aligned(hybrid->config.backing, bytes, hybrid->config.alignment);
    }
    return memory;
}

/* Moves the data to a block of the backing that can hold `bytes` bytes. */
static th_status spill(th_hybrid *hybrid, size_t bytes) {
    size_t capacity;
    if (!verify(hybrid)) {
        return TH_ERR_CORRUPT;
    }
    void *memory = take_from_backing(hybrid, bytes, &capacity);
    if (memory == NULL) {
        hybrid->failed_allocs++;
        return TH_ERR_EXHAUSTED;
    }
    th_span from = hybrid->span;
    th_span to = th_span_make(memory, capacity);
    size_t kept = th_span_used(&from);
    if (kept > 0) {
        (void)th_span_take(&to, guarding_of(hybrid), SPILLED, to.base, kept); /* it is fresh */
        memcpy(to.base, from.base, kept);
    }
    if (hybrid->is_spilled) {
        give_back(hybrid, &from);
    } else if (from.base != NULL) {
        th_span_cut(&from, guarding_of(hybrid), from.base);
        hybrid->embedded = from;
    }
    hybrid->span = to;
    hybrid->is_spilled = true;
    hybrid->spills++;
    return TH_OK;
}

TH_DEFINE_SETTLE(hybrid);

/* ---- what callers do ---------------------------------------------------------------------- */

TH_NOINLINE static th_status reserve_more(th_hybrid *hybrid, size_t bytes) {
    if (bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    th_status status = spill(hybrid, bytes);
    th_hybrid_settle(hybrid);
    return status;
}

static inline th_status reserve(th_hybrid *hybrid, size_t bytes) {
    if (hybrid == NULL || hybrid->config.alignment == 0) {
        return TH_ERR_NULL;
    }
    return bytes > capacity_of(&hybrid->span) ? reserve_more(hybrid, bytes) : TH_OK;
}

th_status th_hybrid_reserve(th_hybrid *hybrid, size_t bytes) {
    return reserve(hybrid, bytes);
}

th_status th_hybrid_resize(th_hybrid *hybrid, size_t bytes) {
    th_status status = reserve(hybrid, bytes);
    if (status != TH_OK || bytes == th_hybrid_size(hybrid)) {
        return status;
    }
    if (!resize_here(hybrid, bytes)) {
        status = TH_ERR_CORRUPT;
    } else if (bytes > hybrid->high_water) {
        hybrid->high_water = bytes;
    }
    th_hybrid_settle(hybrid);
    return status;
}

th_status th_hybrid_resize_array(th_hybrid *hybrid, size_t count, size_t size) {
    size_t bytes;
    return th_mul_overflows(count, size, &bytes) ? TH_ERR_TOO_LARGE
                                                 : th_hybrid_resize(hybrid, bytes);
}

th_status th_hybrid_release(th_hybrid *hybrid) {
    if (hybrid == NULL || hybrid->config.alignment == 0) {
        return TH_ERR_NULL;
    }
    if (!resize_here(hybrid, 0)) {
        return TH_ERR_CORRUPT;
    }
    if (hybrid->is_spilled) {
        give_back(hybrid, &hybrid->span);
        hybrid->span = hybrid->embedded;
        hybrid->embedded = (th_span){0};
        hybrid->is_spilled = false;
    }
    th_hybrid_settle(hybrid);
    return TH_OK;
}

void th_hybrid_clean_up(th_hybrid *hybrid) {
    if (hybrid == NULL) {
        return;
    }
    (void)verify(hybrid);
    if (hybrid->is_spilled) {
        give_back(hybrid, &hybrid->span);
        hybrid->span = hybrid->embedded;
    }
    th_span_release(&hybrid->span);
    *hybrid = (th_hybrid){0};
}

/* ---- questions ---------------------------------------------------------------------------- */

void *th_hybrid_data(const th_hybrid *hybrid) {
    return hybrid != NULL ? hybrid->span.base : NULL;
}

size_t th_hybrid_size(const th_hybrid *hybrid) {
    return hybrid != NULL ? th_span_used(&hybrid->span) : 0;
}

bool th_hybrid_is_embedded(const th_hybrid *hybrid) {
    return hybrid == NULL || !hybrid->is_spilled;
}

th_hybrid_stats th_hybrid_get_stats(const th_hybrid *hybrid) {
    if (hybrid == NULL) {
        return (th_hybrid_stats){0};
    }
    return (th_hybrid_stats){.bytes = th_hybrid_size(hybrid),
                             .capacity_bytes = capacity_of(&hybrid->span),
                             .high_water_bytes = hybrid->high_water,
                             .spills = hybrid->spills,
                             .failed_allocs = hybrid->failed_allocs};
}

th_status th_hybrid_check(const th_hybrid *hybrid, th_fault *fault) {
    th_no_fault(fault);
    if (hybrid == NULL || hybrid->config.alignment == 0) {
        return TH_ERR_NULL;
    }
    th_status status = th_span_check(&hybrid->span, guarding_of(hybrid), number_of(hybrid), fault);
    if (status != TH_OK) {
        return status;
    }
    return th_span_check(&hybrid->embedded, guarding_of(hybrid), EMBEDDED, fault);
}
