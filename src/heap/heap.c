/* SPDX-License-Identifier: MIT */
/* Starting and ending a heap. */
#include <stdalign.h>
#include <stddef.h>

#include "heap/call.h"
#include "heap/event.h"
#include "heap/fast.h"
#include "heap/guard.h"
#include "heap/index.h"
#include "heap/seal.h"

/* Of payloads, in bytes, if the config does not say: what suits every object. */
#define ALIGNMENT_DEFAULT alignof(max_align_t)
static_assert(ALIGNMENT_DEFAULT >= TH_DWORD_BYTES && ALIGNMENT_DEFAULT <= 16,
              "there are heaps of that alignment");

/* Smaller regions get no index unless the caller gives its memory: a walk is as fast there. */
#if TH_INDEX
#define INDEX_REGION_BYTES_MIN 4096u
#else
#define INDEX_REGION_BYTES_MIN SIZE_MAX
#endif

/* One that was read from anywhere may be any number. */
bool th_layout_contained(unsigned layout) {
    unsigned contained = TH_LAYOUTS << TH_HEAP_LAYOUT_CLASSIC;
    return ((unsigned)(layout <= TH_HEAP_LAYOUT_WIDE) & contained >> layout % 32) != 0;
}
static_assert(TH_LAYOUTS_CLASSIC << TH_HEAP_LAYOUT_CLASSIC == 1 << TH_HEAP_LAYOUT_CLASSIC &&
                  TH_LAYOUTS_LEAN << TH_HEAP_LAYOUT_CLASSIC == 1 << TH_HEAP_LAYOUT_LEAN &&
                  TH_LAYOUTS_WIDE << TH_HEAP_LAYOUT_CLASSIC == 1 << TH_HEAP_LAYOUT_WIDE,
              "the knob's bits follow the layouts' numbers");

bool th_heap_has_layout(th_heap_layout layout) {
    return layout == TH_HEAP_LAYOUT_AUTO || th_layout_contained((unsigned)layout);
}

static th_status check_config(const th_heap_config *config) {
    if (config->alignment != 0 && config->alignment != 4 && config->alignment != 8 &&
        config->alignment != 16) {
        return TH_ERR_ALIGNMENT;
    }
    if (config->guarding.level < 0 || config->guarding.level > 3 ||
        (unsigned)config->index > TH_HEAP_INDEX_GIVEN || !th_lock_is_valid(&config->lock)) {
        return TH_ERR_CONFIG;
    }
    if (!th_heap_has_layout(config->layout)) {
        return TH_ERR_LAYOUT;
    }
    if (config->layout == TH_HEAP_LAYOUT_LEAN && config->guarding.level > 0) {
        return TH_ERR_CONFIG; /* a lean header has no place for a check word */
    }
    return TH_OK;
}

/* The units of a region of so many bytes, which the heap's limits do not bound yet. */
static uint32_t units_of(size_t bytes, size_t alignment) {
    size_t units = bytes / alignment;
    return units < UINT32_MAX ? (uint32_t)units : UINT32_MAX - 1;
}

/* Its bytes at the end of the region, what is lost to its alignment included. */
static size_t inner_index_bytes(size_t bytes, size_t alignment) {
    return bytes < INDEX_REGION_BYTES_MIN
               ? 0
               : th_index_bytes(units_of(bytes, alignment)) + sizeof(uint64_t);
}

size_t th_heap_index_bytes(size_t region_bytes, size_t alignment) {
    return th_index_bytes(units_of(region_bytes, alignment != 0 ? alignment : ALIGNMENT_DEFAULT) +
                          1);
}

/* Where AUTO begins: the first of these that there is. */
#if TH_LAYOUTS & TH_LAYOUTS_CLASSIC
#define LAYOUT_SMALL TH_HEAP_LAYOUT_CLASSIC
#elif TH_LAYOUTS & TH_LAYOUTS_WIDE
#define LAYOUT_SMALL TH_HEAP_LAYOUT_WIDE
#else
#define LAYOUT_SMALL TH_HEAP_LAYOUT_LEAN
#endif

/* Divides the region, which begins at a suitable address: FIRST's payload and two headers. A region
 * of as many dwords as there are numbers loses the last few, so that its end has a number, too. */
static th_status divide(th_heap *fresh, size_t bytes, th_heap_layout layout) {
    static const uint8_t stored_dwords[] = {[TH_HEAP_LAYOUT_CLASSIC] = TH_LAYOUT_CLASSIC_DWORDS,
                                            [TH_HEAP_LAYOUT_LEAN] = TH_LAYOUT_LEAN_DWORDS,
                                            [TH_HEAP_LAYOUT_WIDE] = TH_LAYOUT_WIDE_DWORDS};
    size_t managed = bytes / TH_DWORD_BYTES;
    if (managed > TH_LAYOUT_WIDE_DWORDS_MAX) {
        managed = TH_LAYOUT_WIDE_DWORDS_MAX;
    }
    fresh->layout = (uint8_t)layout;
    fresh->size_max = layout == TH_HEAP_LAYOUT_WIDE ? TH_LAYOUT_WIDE_SIZE_MAX : TH_LAYOUT_SIZE_MAX;
    fresh->header_dwords = (uint8_t)th_round_up(stored_dwords[layout], fresh->unit_dwords);
    size_t headers = 2 * (size_t)fresh->header_dwords;
    if (managed < headers + TH_LAYOUT_SPLIT_PAYLOAD) {
        return TH_ERR_TOO_SMALL;
    }
    size_t payload = (managed - headers) & ~(size_t)(fresh->unit_dwords - 1u);
    if (payload > fresh->size_max) {
        return TH_ERR_TOO_LARGE;
    }
    fresh->dwords = (uint32_t)(headers + payload);
    fresh->last = fresh->dwords - fresh->header_dwords;
    return TH_OK;
}

/* As the config says, or classic as far as it reaches and wide above. */
static th_status choose_layout(th_heap *fresh, size_t bytes) {
    th_heap_layout layout = fresh->config.layout;
    bool automatic = layout == TH_HEAP_LAYOUT_AUTO;
    th_status status = divide(fresh, bytes, automatic ? LAYOUT_SMALL : layout);
#if TH_LAYOUTS & TH_LAYOUTS_WIDE
    if (automatic && status == TH_ERR_TOO_LARGE) {
        status = divide(fresh, bytes, TH_HEAP_LAYOUT_WIDE);
    }
#endif
    fresh->tag_free = layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_FREE : TH_TAG_FREE;
    return status;
}

/* No layout reaches further, and no object. */
#define REGION_BYTES_MAX                                                                           \
    (PTRDIFF_MAX < TH_LAYOUT_WIDE_BYTES_MAX ? PTRDIFF_MAX : TH_LAYOUT_WIDE_BYTES_MAX)

/* FIRST, free, and LAST. */
static void make_first_and_last(th_heap *heap) {
    th_header first = th_header_free(heap, 0, heap->last - th_header_dwords(heap));
    th_header last = th_header_free(heap, heap->last, 0);
    th_header_store(heap, &last);
    th_chain_replace(heap, 0, &first, 1, last.offset);
}

th_status th_heap_init(th_heap *heap, void *region, size_t bytes, const th_heap_config *config) {
    static const th_heap_config defaults = {0};
    if (heap == NULL || region == NULL) {
        return TH_ERR_NULL;
    }
    th_heap fresh = {.config = config != NULL ? *config : defaults};
    th_status status = check_config(&fresh.config);
    if (status != TH_OK) {
        return status;
    }
    size_t alignment = fresh.config.alignment;
    if (alignment == 0) {
        alignment = ALIGNMENT_DEFAULT;
        fresh.skipped_bytes = (uint8_t)(-(uintptr_t)region & (alignment - 1));
    } else if (!th_is_aligned((uintptr_t)region, alignment)) {
        return TH_ERR_MISALIGNED;
    }
    fresh.unit_dwords = (uint8_t)(alignment / TH_DWORD_BYTES);
    if (bytes < fresh.skipped_bytes) {
        return TH_ERR_TOO_SMALL;
    }
    size_t usable = bytes - fresh.skipped_bytes;
    if (usable > REGION_BYTES_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    size_t inner =
        fresh.config.index == TH_HEAP_INDEX_AUTO ? inner_index_bytes(usable, alignment) : 0;
    status = choose_layout(&fresh, usable - inner);
    if (status != TH_OK) {
        return status;
    }
    fresh.base = (unsigned char *)region + fresh.skipped_bytes;
    fresh.first_tail = fresh.last;
    fresh.middle = TH_INDEX_NOWHERE;
    fresh.low_used = fresh.header_dwords;
    fresh.high_used = fresh.last;
    fresh.guard =
        (uint8_t)(fresh.config.guarding.level < TH_GUARD ? fresh.config.guarding.level : TH_GUARD);
    fresh.index_inside = inner != 0;
    status = th_index_accepts(&fresh);
    if (status != TH_OK) {
        return status;
    }
    /* An earlier heap's FIRST has its check word there, which differs from the seed below it. */
    fresh.check_seed = th_header_old_check(&fresh);
    *heap = fresh;
    th_track_close(heap->base, th_managed_bytes(heap));
    th_index_start(heap);
    make_first_and_last(heap);
    if (heap->config.poison_unused && th_guard(heap) >= 2) {
        th_guard_wipe(heap, heap->header_dwords, heap->last);
        heap->low_used = heap->last; /* there is nothing left that was never written */
    }
    th_fast_choose(heap);
    th_seal(heap);
    return TH_OK;
}

th_status th_heap_set_on_event(th_heap *heap, th_event_fn on_event, void *context) {
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    if (!th_call_begin(heap)) {
        return th_seal_holds(heap) ? TH_ERR_BUSY : TH_ERR_CORRUPT;
    }
    heap->config.on_event = on_event;
    heap->config.event_context = context;
    th_fast_choose(heap);
    th_seal(heap);
    th_let_go(heap);
    return TH_OK;
}

/* One that is frozen is in no low-memory callback, and is not written to. */
th_status th_heap_renew(th_heap *heap) {
    th_status status = TH_OK;
    if (heap == NULL || th_is_ended(heap)) {
        return TH_ERR_NULL;
    }
    th_hold(heap);
    if (!th_guard_control(heap)) {
        status = TH_ERR_CORRUPT;
    } else if (th_refuse_inside(heap)) {
        status = TH_ERR_BUSY;
    } else if (heap->in_low_memory) {
        heap->in_low_memory = false;
        th_seal(heap);
    }
    th_let_go(heap);
    return status;
}

void th_heap_detach(th_heap *heap) {
    if (th_call_begin_last(heap)) {
        th_track_release(heap->base, th_heap_region_bytes(heap));
        th_let_go(heap);
    }
}

void th_heap_clean_up(th_heap *heap) {
    static const th_heap none = {0};
    if (heap == NULL || !th_call_begin_last(heap)) {
        return;
    }
    (void)th_tell(heap, TH_EVENT_RESET, NULL, NULL);
    th_track_release(heap->base, th_heap_region_bytes(heap));
    th_heap_config config = heap->config;
    *heap = none;
    if (config.lock.release != NULL) {
        config.lock.release(config.lock.context);
    }
}
