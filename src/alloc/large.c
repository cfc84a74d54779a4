/* SPDX-License-Identifier: MIT */
#include "alloc/large.h"

#include <assert.h>
#include <string.h>

#include "alloc/cells.h"
#include "alloc/moving.h"
#include "alloc/slab.h"
#include "alloc/thunks.h"
#include "base/align.h"
#include "base/compiler.h"
#include "base/ranges.h"
#include "tagheap/pages.h"

#define RECORD_SLAB_BYTES ((size_t)1024)

typedef struct th_large_record {
    th_range range; /* the block's memory */
    struct th_large_record *older, *newer;
    size_t requested;
} th_large_record;

static_assert(offsetof(th_large_record, range) == 0, "a range of the set is a record");

static int level_of(const th_large *large) {
    return th_guarding_level(&large->config.guarding);
}

static bool is_mapped(const th_large *large) {
    return large->config.backing.table == NULL;
}

TH_DEFINE_SETTLE(large);

TH_DEFINE_IS_SOUND(large);

static unsigned char *block_of(const th_large_record *record) {
    return (unsigned char *)(uintptr_t)record->range.start;
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Pages are released in this file without a look at the status. What is accessible is gone after
 * that, or kept (tagheap/pages.h); of what is not accessible, and not even noted, nothing but
 * addresses is lost. */

/* [page: no access][not used ... block][page: no access]; alignments above a page's begin after
 * the first one. The sum wraps around only for an alignment that no reservation can have. */
static unsigned char *get_guarded(size_t bytes, size_t alignment, size_t *whole) {
    size_t page = th_pages_size();
    size_t before = alignment > page ? alignment : page;
    size_t all = th_pages_round(bytes);
    unsigned char *pages = all > 0 ? th_pages_reserve(before + all + page, alignment) : NULL;
    if (pages == NULL) {
        return NULL;
    }
    if (before > page) {
        (void)th_pages_release(pages, before - page);
    }
    pages += before;
    if (th_pages_commit(pages, all) != TH_OK) {
        (void)th_pages_release(pages - page, all + 2 * page);
        return NULL;
    }
    *whole = th_size_round_up(bytes, alignment < page ? alignment : page);
    th_track_close(pages, all - *whole);
    return pages + (all - *whole);
}

static void return_guarded(unsigned char *block, size_t bytes) {
    size_t page = th_pages_size();
    size_t in_front = (uintptr_t)block & (page - 1);
    th_track_open(block - in_front, in_front);
    (void)th_pages_release(block - in_front - page, in_front + bytes + 2 * page);
}

/* ---- kept pages --------------------------------------------------------------------------- */

/* Kept pages number n are kept no more. */
static th_large_kept forget(th_large *large, size_t n) {
    th_large_kept pages = large->kept[n];
    large->kept_count--;
    large->kept_bytes -= pages.bytes;
    memmove(&large->kept[n], &large->kept[n + 1], (large->kept_count - n) * sizeof pages);
    return pages;
}

static void release_oldest(th_large *large) {
    th_large_kept pages = forget(large, 0);
    (void)th_pages_release(pages.start, pages.bytes);
}

/* At most kept_bytes_max bytes. */
TH_NOINLINE static void keep(th_large *large, unsigned char *start, size_t bytes) {
    while (large->kept_count == TH_LARGE_KEPT_MAX ||
           large->kept_bytes > large->kept_bytes_max - bytes) {
        release_oldest(large);
    }
    large->kept[large->kept_count++] = (th_large_kept){start, bytes};
    large->kept_bytes += bytes;
}

/* Of those that are enough, and not too many, the ones that were kept last, their first `bytes`
 * bytes zeroed if that is asked for; *whole becomes what they are. NULL: there are none. */
TH_NOINLINE static void *reuse(th_large *large, size_t *whole, size_t alignment, bool zeroed,
                               size_t bytes) {
    size_t most = *whole + *whole / 4;
    for (size_t n = large->kept_count; n-- > 0;) {
        th_large_kept pages = large->kept[n];
        if (pages.bytes >= *whole && pages.bytes <= most &&
            th_is_aligned((uintptr_t)pages.start, alignment)) {
            (void)forget(large, n);
            *whole = pages.bytes;
            return zeroed ? memset(pages.start, 0, bytes) : pages.start;
        }
    }
    return NULL;
}

size_t th_large_trim(th_large *large) {
    if (large == NULL) {
        return 0;
    }
    size_t bytes = large->kept_bytes;
    while (large->kept_count > 0) {
        release_oldest(large);
    }
    return bytes;
}

/* ---- memory, wherever it comes from ------------------------------------------------------- */

/* *whole: of so many bytes. Mapped ones are 0, if that is asked for. */
static unsigned char *get_memory(th_large *large, size_t bytes, size_t alignment, bool zeroed,
                                 size_t *whole) {
    *whole = bytes;
    if (!is_mapped(large)) {
        return th_allocator_alloc_aligned(large->config.backing, bytes, alignment);
    }
    if (large->config.guard_pages) {
        return get_guarded(bytes, alignment, whole);
    }
    *whole = th_size_round_up(bytes, large->page);
    void *pages = NULL;
    if (large->kept_count > 0) {
        pages = reuse(large, whole, alignment, zeroed, bytes);
    }
    if (pages == NULL) {
        pages = th_pages_map(*whole, alignment); /* NULL for 0: there is no size after the end */
    }
    if (pages == NULL && th_large_trim(large) > 0) {
        pages = th_pages_map(*whole, alignment);
    }
    return pages;
}

static void return_memory(th_large *large, unsigned char *block, size_t bytes) {
    th_track_open(block, bytes);
    if (large->config.guard_pages) {
        return_guarded(block, bytes);
    } else if (!is_mapped(large)) {
        th_allocator_free(large->config.backing, block);
    } else if (bytes > large->kept_bytes_max) {
        (void)th_pages_release(block, bytes);
    } else {
        keep(large, block, bytes);
    }
}

/* What lies after the requested bytes in the last page: canary, closed. */
static void close_rest(const th_large *large, const th_large_record *record) {
    unsigned char *end = block_of(record) + record->requested;
    size_t rest = record->range.bytes - record->requested;
    if (rest == 0) {
        return;
    }
    if (level_of(large) >= 1) {
        th_guarding_write_canary((uintptr_t)block_of(record), end, rest);
    }
    th_track_close(end, rest);
}

static th_status verify_canary(const th_large *large, const th_large_record *record,
                               th_fault *fault) {
    const unsigned char *block = block_of(record);
    if (level_of(large) < 1) {
        return TH_OK;
    }
    return th_guarding_find_canary((uintptr_t)block, block + record->requested,
                                   record->range.bytes - record->requested, SIZE_MAX, fault);
}

/* ---- records ------------------------------------------------------------------------------ */

static void count_bytes(th_large *large, const th_large_record *record) {
    large->requested_bytes += record->requested;
    large->bytes += record->range.bytes;
    large->bytes_max = large->bytes > large->bytes_max ? large->bytes : large->bytes_max;
}

static void discount_bytes(th_large *large, const th_large_record *record) {
    large->requested_bytes -= record->requested;
    large->bytes -= record->range.bytes;
}

/* The set of the blocks that begin there. */
static th_range **set_of(th_large *large, const void *start) {
    uint64_t mixed = (uintptr_t)start * UINT64_C(0x9E3779B97F4A7C15);
    return &large->ranges[mixed >> 32 & (TH_LARGE_SETS - 1)];
}

/* The block around the address, wherever it begins; NULL: there is none. */
static th_large_record *find_around(const th_large *large, const void *address) {
    th_range *found = NULL;
    for (size_t i = 0; i < TH_LARGE_SETS && found == NULL; i++) {
        found = th_ranges_find(large->ranges[i], address);
    }
    return (th_large_record *)found;
}

static void enter(th_large *large, th_large_record *record) {
    record->newer = NULL;
    record->older = large->newest;
    if (record->older != NULL) {
        record->older->newer = record;
    }
    large->newest = record;
    large->live++;
    th_ranges_insert(set_of(large, record->range.start), &record->range);
    count_bytes(large, record);
}

/* The block and its record, which is not in the set any more, end. */
static void end_block(th_large *large, th_large_record *record) {
    if (record->older != NULL) {
        record->older->newer = record->newer;
    }
    if (record->newer != NULL) {
        record->newer->older = record->older;
    } else {
        large->newest = record->older;
    }
    large->live--;
    discount_bytes(large, record);
    return_memory(large, block_of(record), record->range.bytes);
    th_slab_free(&large->records, record);
}

/* The block that begins there, or one around it, or NULL: there may still be one around it. */
static th_large_record *find(const th_large *large, const void *block) {
    return (th_large_record *)th_ranges_find(*set_of((th_large *)(uintptr_t)large, block), block);
}

/* No block begins at `block`: what is there? */
TH_NOINLINE static th_status describe(const th_large *large, const void *block, th_fault *fault) {
    const th_large_record *record = find_around(large, block);
    if (record == NULL) {
        return th_cells_foreign(block, fault);
    }
    size_t offset = (size_t)((uintptr_t)block - (uintptr_t)record->range.start);
    return th_guarding_corrupt(fault, TH_FAULT_NOT_A_BLOCK, SIZE_MAX, offset, 0, offset);
}

/* Is `block` a whole block? `record` is what find says. */
static inline th_status verify(const th_large *large, const th_large_record *record,
                               const void *block, th_fault *fault) {
    if (record == NULL || record->range.start != block) {
        return describe(large, block, fault);
    }
    return verify_canary(large, record, fault);
}

th_status th_large_verify(const th_large *large, const void *block, th_fault *fault) {
    return verify(large, find(large, block), block, fault);
}

/* The same; with a report, from level 1 on, of what is neither right nor NULL. */
static bool is_sound(const th_large *large, const th_large_record *record, const void *block) {
    th_fault fault;
    if (block == NULL) {
        return false;
    }
    th_status status = verify(large, record, block, &fault);
    if (status != TH_OK && level_of(large) >= 1) {
        th_guarding_report(&large->config.guarding, &fault);
    }
    return status == TH_OK;
}

/* NULL if there is no such block. */
static th_large_record *require_live(const th_large *large, const void *block) {
    if (large == NULL) {
        return NULL;
    }
    th_large_record *record = find(large, block);
    return is_sound(large, record, block) ? record : NULL;
}

/* ---- start and end ------------------------------------------------------------------------ */

th_status th_large_init(th_large *large, const th_large_config *config) {
    static const th_large_config defaults;
    th_large started = {.config = config != NULL ? *config : defaults};
    if (large == NULL) {
        return TH_ERR_NULL;
    }
    if ((started.config.guard_pages || started.config.kept_bytes_max > 0) && !is_mapped(&started)) {
        return TH_ERR_CONFIG;
    }
    th_slab_config records = {.object_bytes = sizeof(th_large_record),
                              .slab_bytes = started.config.record_slab_bytes,
                              .backing = started.config.backing,
                              .guarding = started.config.guarding};
    if (records.slab_bytes == 0) {
        records.slab_bytes = is_mapped(&started) ? th_pages_size() : RECORD_SLAB_BYTES;
    }
    started.page = th_pages_size();
    if (!th_guarding_watches(level_of(&started))) {
        started.kept_bytes_max = started.config.kept_bytes_max;
    }
    th_status status = th_slab_init(&started.records, &records);
    if (status == TH_OK) {
        *large = started; /* and with it the records' set of ranges */
        large->records.ranges = &large->records.own_ranges;
    }
    return status;
}

static void end_all(th_large *large) {
    while (large->newest != NULL) {
        th_large_record *record = large->newest;
        th_ranges_remove(set_of(large, record->range.start), &record->range);
        end_block(large, record);
    }
}

void th_large_clean_up(th_large *large) {
    if (large != NULL) {
        end_all(large);
        (void)th_large_trim(large);
        th_slab_clean_up(&large->records);
        memset(large, 0, sizeof *large);
    }
}

/* ---- blocks ------------------------------------------------------------------------------- */

static void *make_block(th_large *large, size_t bytes, size_t alignment, bool zeroed) {
    size_t whole;
    unsigned char *block = get_memory(large, bytes, alignment, zeroed, &whole);
    if (block == NULL) {
        return NULL; /* and no slab of records was taken for nothing */
    }
    th_large_record *record = th_slab_alloc(&large->records);
    if (record == NULL) {
        return_memory(large, block, whole);
        return NULL;
    }
    record->range.start = block;
    record->range.bytes = whole;
    record->requested = bytes;
    enter(large, record);
    close_rest(large, record);
    return block;
}

static void *alloc_block(th_large *large, size_t bytes, size_t alignment, bool zeroed) {
    if (large == NULL || bytes - 1 >= PTRDIFF_MAX || !th_is_power_of_two(alignment)) {
        return NULL;
    }
    void *block = make_block(large, bytes, alignment, zeroed);
    large->failed_allocs += block == NULL;
    th_large_settle(large);
    return block;
}

void *th_large_alloc(th_large *large, size_t bytes) {
    return alloc_block(large, bytes, TH_ALLOCATOR_ALIGNMENT, true);
}

void *th_large_alloc_aligned(th_large *large, size_t bytes, size_t alignment) {
    return alloc_block(large, bytes, alignment, true);
}

void *th_large_alloc_unzeroed(th_large *large, size_t bytes, size_t alignment) {
    return alloc_block(large, bytes, alignment, false);
}

void th_large_free(th_large *large, void *block) {
    if (large == NULL) {
        return;
    }
    th_range **link = th_ranges_find_link(set_of(large, block), block);
    th_large_record *record = (th_large_record *)*link;
    if (is_sound(large, record, block)) {
        th_ranges_unlink(link);
        end_block(large, record);
    }
    th_large_settle(large);
}

/* Gives back the pages that a shorter block has no use for. False iff it is longer, and the system
 * does not take part. */
static bool fit_pages(th_large_record *record, size_t bytes) {
    size_t whole = th_pages_round(bytes);
    if (bytes > record->range.bytes) {
        return false;
    }
    if (whole < record->range.bytes) {
        unsigned char *rest = block_of(record) + whole;
        th_track_open(rest, record->range.bytes - whole);
        (void)th_pages_release(rest, record->range.bytes - whole);
        record->range.bytes = whole;
    }
    return true;
}

/* What the backing does not take back stays with the block, if that may be. What it does take back,
 * it may use. */
static bool fit_backing(const th_large *large, th_large_record *record, size_t bytes, bool loose) {
    unsigned char *end = block_of(record) + record->requested;
    size_t rest = record->range.bytes - record->requested;
    th_track_open(end, rest);
    if (!th_allocator_resize_in_place(large->config.backing, block_of(record), bytes)) {
        th_track_close(end, rest);
        return bytes <= record->range.bytes && (loose || bytes >= record->range.bytes / 2);
    }
    record->range.bytes = bytes;
    return true;
}

static bool fit(const th_large *large, th_large_record *record, size_t bytes, bool loose) {
    if (large->config.guard_pages) {
        return bytes >= record->requested && bytes <= record->range.bytes;
    }
    return is_mapped(large) ? fit_pages(record, bytes) : fit_backing(large, record, bytes, loose);
}

static bool resize_block(th_large *large, th_large_record *record, size_t bytes, bool loose) {
    size_t old_bytes = record->requested;
    discount_bytes(large, record);
    bool fits = fit(large, record, bytes, loose);
    if (fits) {
        record->requested = bytes;
        if (bytes > old_bytes) {
            th_track_open(block_of(record) + old_bytes, bytes - old_bytes);
        }
        close_rest(large, record);
    }
    count_bytes(large, record);
    return fits;
}

/* `loose`: even if less than half of the memory remains in use. */
static bool resize(th_large *large, void *block, size_t bytes, bool loose) {
    th_large_record *record = bytes - 1 < PTRDIFF_MAX ? require_live(large, block) : NULL;
    bool done = record != NULL && resize_block(large, record, bytes, loose);
    if (large != NULL) {
        th_large_settle(large);
    }
    return done;
}

bool th_large_resize_in_place(th_large *large, void *block, size_t bytes) {
    return resize(large, block, bytes, true);
}

bool th_large_resize_snugly(th_large *large, void *block, size_t bytes) {
    return resize(large, block, bytes, false);
}

size_t th_large_requested_size(const th_large *large, const void *block) {
    const th_large_record *record = require_live(large, block);
    return record != NULL ? record->requested : 0;
}

size_t th_large_usable_size(const th_large *large, const void *block) {
    const th_large_record *record = require_live(large, block);
    return record != NULL ? record->range.bytes : 0;
}

th_status th_large_reset(th_large *large) {
    if (large == NULL || large->page == 0) {
        return TH_ERR_NULL;
    }
    if (!th_large_is_sound(large)) {
        return TH_ERR_CORRUPT;
    }
    end_all(large);
    th_large_settle(large);
    return TH_OK;
}

/* ---- the checker and queries -------------------------------------------------------------- */

static th_status wrong_count(size_t expected, size_t found, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, expected, found);
}

static th_status check_record(const th_large *large, const th_large_record *record,
                              const th_large_record *newer, th_fault *fault) {
    if (!th_slab_owns(&large->records, record) || record->newer != newer ||
        find(large, record->range.start) != record || record->requested > record->range.bytes) {
        return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, 0,
                                   (uint32_t)(uintptr_t)record);
    }
    return verify_canary(large, record, fault);
}

static size_t sum_kept(const th_large *large) {
    size_t bytes = 0;
    for (size_t n = 0; n < large->kept_count; n++) {
        bytes += large->kept[n].bytes;
    }
    return bytes;
}

th_status th_large_check(const th_large *large, th_fault *fault) {
    th_no_fault(fault);
    if (large == NULL || large->page == 0) {
        return TH_ERR_NULL;
    }
    const th_large_record *newer = NULL;
    size_t live = 0;
    size_t bytes = 0;
    size_t requested = 0;
    th_status status = th_slab_check(&large->records, fault);
    for (const th_large_record *record = large->newest; record != NULL && status == TH_OK;
         record = record->older) {
        status = check_record(large, record, newer, fault);
        newer = record;
        if (status == TH_OK) {
            live++;
            bytes += record->range.bytes;
            requested += record->requested;
        }
    }
    if (status != TH_OK) {
        return status;
    }
    if (live != large->live || live != large->records.live) {
        return wrong_count(live, large->live, fault);
    }
    if (bytes != large->bytes) {
        return wrong_count(bytes, large->bytes, fault);
    }
    if (large->kept_count > TH_LARGE_KEPT_MAX) {
        return wrong_count(TH_LARGE_KEPT_MAX, large->kept_count, fault);
    }
    if (sum_kept(large) != large->kept_bytes) {
        return wrong_count(sum_kept(large), large->kept_bytes, fault);
    }
    return requested == large->requested_bytes
               ? TH_OK
               : wrong_count(requested, large->requested_bytes, fault);
}

bool th_large_owns(const th_large *large, const void *address) {
    if (large == NULL) {
        return false;
    }
    const th_large_record *record = find_around(large, address);
    return record != NULL &&
           (uintptr_t)address - (uintptr_t)record->range.start < record->requested;
}

th_large_stats th_large_get_stats(const th_large *large) {
    if (large == NULL) {
        return (th_large_stats){0};
    }
    return (th_large_stats){.live = large->live,
                            .requested_bytes = large->requested_bytes,
                            .bytes = large->bytes,
                            .bytes_max = large->bytes_max,
                            .kept_bytes = large->kept_bytes,
                            .failed_allocs = large->failed_allocs};
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    return th_large_alloc_aligned(self, bytes, alignment);
}

TH_THUNKS(large);
TH_THUNK_USABLE_SIZE(large);

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_large_resize_snugly(self, pointer, bytes);
}

/* resize_in_place has been asked before, and has reported what is bad. */
static void *resize_by_moving(void *self, void *pointer, size_t kept, size_t bytes,
                              size_t alignment) {
    th_large *large = self;
    if (th_large_verify(large, pointer, NULL) != TH_OK) {
        return NULL;
    }
    return th_move_by_copy(th_large_allocator(large), pointer, kept, bytes, alignment);
}

th_allocator th_large_allocator(th_large *large) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .resize_in_place = resize_in_place,
                                             .realloc = resize_by_moving,
                                             .usable_size = th_large_thunk_usable_size,
                                             TH_THUNKS_OF(large)};
    return th_allocator_of(&table, large);
}
