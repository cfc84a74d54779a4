/* SPDX-License-Identifier: MIT */
/* FIFO allocator. Offsets count from `base`; all of blocks are multiples of UNIT.
 *
 *   [ header ][ payload: `bytes` bytes, of which `requested` are open ]
 *
 * A header leads to the next younger block's, over what lies between them: what alignment skipped,
 * or the end of the memory. Headers, free memory and what is freed are closed. */
#include "tagheap/fifo.h"

#include <assert.h>

#include "alloc/guarding.h"
#include "alloc/moving.h"
#include "alloc/thunks.h"
#include "base/align.h"
#include "base/mix.h"

#define UNIT TH_ALLOCATOR_ALIGNMENT

typedef struct header {
    size_t next; /* of the newest block, 0 */
    size_t bytes;
    size_t requested; /* 0: freed */
    uint32_t check;
} header;

static_assert(sizeof(header) <= TH_FIFO_HEADER_BYTES && TH_FIFO_HEADER_BYTES % UNIT == 0,
              "a payload after it is aligned");

/* A block, as it is worked with. */
typedef struct block {
    size_t at; /* offset of the header */
    header head;
} block;

static int level_of(const th_fifo *fifo) {
    return th_guarding_level(&fifo->config.guarding);
}

TH_DEFINE_SETTLE(fifo);

TH_DEFINE_IS_SOUND(fifo);

/* ---- blocks ------------------------------------------------------------------------------- */

static size_t payload_of(const block *b) {
    return b->at + TH_FIFO_HEADER_BYTES;
}

static size_t end_of(const block *b) {
    return payload_of(b) + b->head.bytes;
}

static uint32_t check_due(const block *b) {
    uint64_t sum = th_mix(th_mix(b->at + 1, b->head.next), b->head.bytes);
    return (uint32_t)th_mix(sum, b->head.requested);
}

static TH_TRACK_BLIND void peek(const header *place, header *head) {
    th_track_blind_begin();
    head->next = place->next;
    head->bytes = place->bytes;
    head->requested = place->requested;
    head->check = place->check;
    th_track_trust(head, sizeof *head);
    th_track_blind_end();
}

static TH_TRACK_BLIND void put(header *place, const header *head) {
    th_track_blind_begin();
    place->next = head->next;
    place->bytes = head->bytes;
    place->requested = head->requested;
    place->check = head->check;
    th_track_blind_end();
}

static void store(const th_fifo *fifo, block *b) {
    b->head.check = level_of(fifo) >= 1 ? check_due(b) : 0;
    put((header *)(void *)(fifo->base + b->at), &b->head);
}

/* TH_ERR_CORRUPT: its check word does not agree. */
static th_status load(const th_fifo *fifo, size_t at, block *b, th_fault *fault) {
    b->at = at;
    peek((const header *)(const void *)(fifo->base + at), &b->head);
    uint32_t due = level_of(fifo) >= 1 ? check_due(b) : b->head.check;
    return b->head.check == due
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_HEADER, at, at, due, b->head.check);
}

/* ---- guards ------------------------------------------------------------------------------- */

/* [from, to) is in no live block. */
static void close_free(const th_fifo *fifo, size_t from, size_t to) {
    if (level_of(fifo) >= 2) {
        th_pattern_fill(fifo->base + from, TH_POISON_BYTE, to - from);
    }
    th_track_close(fifo->base + from, to - from);
}

static th_status verify_free(const th_fifo *fifo, size_t from, size_t to, th_fault *fault) {
    uint32_t found = 0;
    if (level_of(fifo) < 2) {
        return TH_OK;
    }
    size_t good = th_pattern_find(fifo->base + from, TH_POISON_BYTE, to - from, &found);
    return good == to - from ? TH_OK
                             : th_guarding_corrupt(fault, TH_FAULT_POISON, SIZE_MAX, from + good,
                                                   TH_POISON_BYTE, found);
}

/* The canary, or of a freed block, all of it. */
static th_status verify_payload(const th_fifo *fifo, const block *b, th_fault *fault) {
    size_t from = payload_of(b) + b->head.requested;
    if (b->head.requested == 0) {
        return verify_free(fifo, from, end_of(b), fault);
    }
    if (level_of(fifo) < 1) {
        return TH_OK;
    }
    return th_guarding_find_canary((uintptr_t)fifo->base, fifo->base + from, end_of(b) - from,
                                   b->at, fault);
}

/* Opens what is asked for, from its byte `kept` on; the rest is canary. */
static void open_payload(const th_fifo *fifo, const block *b, size_t kept) {
    unsigned char *payload = fifo->base + payload_of(b);
    size_t rest = b->head.bytes - b->head.requested;
    if (b->head.requested > kept) {
        th_track_open(payload + kept, b->head.requested - kept);
    }
    th_track_close(payload + b->head.requested, rest);
    if (level_of(fifo) >= 1) {
        th_guarding_write_canary((uintptr_t)fifo->base, payload + b->head.requested, rest);
    }
}

/* ---- start and end ------------------------------------------------------------------------ */

th_status th_fifo_init(th_fifo *fifo, void *memory, size_t bytes, const th_fifo_config *config) {
    static const th_fifo_config defaults = {0};
    if (fifo == NULL || memory == NULL) {
        return TH_ERR_NULL;
    }
    if (bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    size_t skipped = (size_t)(0 - (uintptr_t)memory) & (UNIT - 1);
    if (bytes < skipped + TH_FIFO_HEADER_BYTES + UNIT) {
        return TH_ERR_TOO_SMALL;
    }
    config = config != NULL ? config : &defaults;
    if (!th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *fifo = (th_fifo){.base = (unsigned char *)memory + skipped,
                      .bytes = (bytes - skipped) & ~(size_t)(UNIT - 1),
                      .config = *config};
    close_free(fifo, 0, fifo->bytes);
    return TH_OK;
}

void th_fifo_clean_up(th_fifo *fifo) {
    if (fifo == NULL || fifo->base == NULL) {
        return;
    }
    (void)th_fifo_is_sound(fifo);
    th_track_release(fifo->base, fifo->bytes);
    *fifo = (th_fifo){0};
}

/* ---- allocation --------------------------------------------------------------------------- */

/* Where in [low, high) would a block of so many bytes, a multiple of UNIT, at a multiple of mask +
 * 1 begin? */
static bool fits(const th_fifo *fifo, size_t low, size_t high, size_t bytes, size_t mask,
                 size_t *at) {
    size_t first = low + TH_FIFO_HEADER_BYTES;
    size_t gap = (size_t)(0 - ((uintptr_t)fifo->base + first)) & mask;
    if (high < first || gap > high - first || bytes > high - first - gap) {
        return false;
    }
    *at = low + gap;
    return true;
}

/* Above the newest block, else below the oldest; *low is where free memory began there. */
static bool find_place(const th_fifo *fifo, size_t bytes, size_t mask, size_t *low, size_t *at) {
    *low = fifo->end;
    if (fifo->blocks > 0 && fifo->end <= fifo->oldest) {
        return fits(fifo, *low, fifo->oldest, bytes, mask, at);
    }
    if (fits(fifo, *low, fifo->bytes, bytes, mask, at)) {
        return true;
    }
    *low = 0;
    return fits(fifo, 0, fifo->oldest, bytes, mask, at);
}

/* What the newest block must say, which is the newest no more: false after a fault. */
static bool link_newest(const th_fifo *fifo, size_t at) {
    block newest;
    th_fault fault;
    if (fifo->blocks == 0) {
        return true;
    }
    if (!th_guarding_passes(&fifo->config.guarding, load(fifo, fifo->newest, &newest, &fault),
                            &fault)) {
        return false;
    }
    newest.head.next = at;
    store(fifo, &newest);
    return true;
}

/* `more`, or less, modulo 2^n. */
static void note_used(th_fifo *fifo, size_t more) {
    fifo->used += more;
    fifo->high_water = fifo->used > fifo->high_water ? fifo->used : fifo->high_water;
}

static void *place(th_fifo *fifo, size_t bytes, size_t mask) {
    block b = {0};
    th_fault fault;
    size_t low;
    if (fifo == NULL || bytes == 0) {
        return NULL;
    }
    if (bytes > fifo->bytes ||
        !find_place(fifo, th_size_round_up(bytes, UNIT), mask | (UNIT - 1), &low, &b.at)) {
        fifo->failed_allocs++;
        return NULL;
    }
    b.head.bytes = th_size_round_up(bytes, UNIT);
    b.head.requested = bytes;
    if (!th_guarding_passes(&fifo->config.guarding, verify_free(fifo, low, end_of(&b), &fault),
                            &fault) ||
        !link_newest(fifo, b.at)) {
        return NULL;
    }
    store(fifo, &b);
    open_payload(fifo, &b, 0);
    fifo->oldest = fifo->blocks == 0 ? b.at : fifo->oldest;
    fifo->newest = b.at;
    fifo->end = end_of(&b);
    fifo->blocks++;
    fifo->live++;
    fifo->live_bytes += bytes;
    fifo->allocs++;
    note_used(fifo, end_of(&b) - b.at);
    th_fifo_settle(fifo);
    return fifo->base + payload_of(&b);
}

void *th_fifo_alloc(th_fifo *fifo, size_t bytes) {
    return place(fifo, bytes, 0);
}

void *th_fifo_alloc_aligned(th_fifo *fifo, size_t bytes, size_t alignment) {
    return th_is_power_of_two(alignment) ? place(fifo, bytes, alignment - 1) : NULL;
}

/* ---- blocks that come back ---------------------------------------------------------------- */

/* The block in which the offset lies, its header included. False: in none; or *status says what is
 * wrong. */
static bool find_block(const th_fifo *fifo, size_t offset, block *b, th_status *status,
                       th_fault *fault) {
    size_t at = fifo->oldest;
    *status = TH_OK;
    for (size_t i = 0; i < fifo->blocks; i++) {
        *status = load(fifo, at, b, fault);
        if (*status != TH_OK) {
            return false;
        }
        if (offset >= at && offset < end_of(b)) {
            return true;
        }
        at = b->head.next;
    }
    return false;
}

/* The live block whose payload begins there. At level 0 it is taken to be one. */
static th_status find_live(const th_fifo *fifo, const void *pointer, block *b, th_fault *fault) {
    size_t offset = (size_t)((uintptr_t)pointer - (uintptr_t)fifo->base);
    th_status status;
    if (level_of(fifo) < 1) {
        return load(fifo, offset - TH_FIFO_HEADER_BYTES, b, fault);
    }
    if (offset >= fifo->bytes) {
        return th_guarding_corrupt(fault, TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0,
                                   (uint32_t)(uintptr_t)pointer);
    }
    bool inside = find_block(fifo, offset, b, &status, fault);
    if (status != TH_OK) {
        return status;
    }
    if (offset % UNIT != 0) {
        return th_guarding_corrupt(fault, TH_FAULT_MISALIGNED, SIZE_MAX, offset, 0, offset);
    }
    if (!inside || (b->head.requested == 0 && offset == payload_of(b))) {
        return th_guarding_corrupt(fault, TH_FAULT_DOUBLE_FREE, SIZE_MAX, offset, 0, offset);
    }
    if (offset != payload_of(b)) {
        return th_guarding_corrupt(fault, TH_FAULT_NOT_A_BLOCK, b->at, offset, payload_of(b),
                                   offset);
    }
    return verify_payload(fifo, b, fault);
}

static bool find(const th_fifo *fifo, const void *pointer, block *b) {
    th_fault fault;
    return fifo != NULL && fifo->base != NULL && pointer != NULL &&
           th_guarding_passes(&fifo->config.guarding, find_live(fifo, pointer, b, &fault), &fault);
}

/* Of the oldest block: is it freed, and may its memory be used again? */
static bool can_go(const th_fifo *fifo, block *b) {
    th_fault fault;
    if (!th_guarding_passes(&fifo->config.guarding, load(fifo, fifo->oldest, b, &fault), &fault)) {
        return false;
    }
    return b->head.requested == 0 &&
           th_guarding_passes(&fifo->config.guarding, verify_payload(fifo, b, &fault), &fault);
}

/* The oldest blocks that are freed give their memory back. */
static void reclaim(th_fifo *fifo) {
    block b;
    while (fifo->blocks > 0) {
        if (!can_go(fifo, &b)) {
            return;
        }
        close_free(fifo, b.at, end_of(&b));
        fifo->used -= end_of(&b) - b.at;
        fifo->oldest = b.head.next;
        fifo->blocks--;
    }
    fifo->oldest = 0;
    fifo->newest = 0;
    fifo->end = 0;
}

void th_fifo_free(th_fifo *fifo, void *pointer) {
    block b;
    if (!find(fifo, pointer, &b)) {
        return;
    }
    fifo->live--;
    fifo->live_bytes -= b.head.requested;
    b.head.requested = 0;
    store(fifo, &b);
    close_free(fifo, payload_of(&b), end_of(&b));
    reclaim(fifo);
    th_fifo_settle(fifo);
}

/* May the newest block, whose payload begins at `payload`, have so many bytes? */
static bool has_room(const th_fifo *fifo, size_t payload, size_t bytes) {
    size_t high = fifo->newest < fifo->oldest ? fifo->oldest : fifo->bytes;
    return bytes <= high - payload;
}

/* The newest block gets as much as it needs, and no more; others keep what they have. False: it is
 * too little, or damage was met and reported. */
static bool fit_to(th_fifo *fifo, block *b, size_t bytes) {
    th_fault fault;
    if (b->at != fifo->newest) {
        return bytes <= b->head.bytes;
    }
    if (!has_room(fifo, payload_of(b), bytes)) {
        return false;
    }
    size_t old_end = end_of(b);
    b->head.bytes = th_size_round_up(bytes, UNIT);
    size_t end = end_of(b);
    if (end < old_end) {
        close_free(fifo, end, old_end);
    } else if (!th_guarding_passes(&fifo->config.guarding, verify_free(fifo, old_end, end, &fault),
                                   &fault)) {
        return false;
    }
    fifo->end = end;
    note_used(fifo, end - old_end);
    return true;
}

bool th_fifo_resize_in_place(th_fifo *fifo, void *pointer, size_t bytes) {
    block b;
    if (bytes == 0 || !find(fifo, pointer, &b) || !fit_to(fifo, &b, bytes)) {
        return false;
    }
    size_t old = b.head.requested;
    fifo->live_bytes += bytes - old;
    b.head.requested = bytes;
    store(fifo, &b);
    open_payload(fifo, &b, old);
    th_fifo_settle(fifo);
    return true;
}

void *th_fifo_oldest(const th_fifo *fifo, size_t *bytes) {
    size_t none;
    block b;
    th_fault fault;
    bytes = bytes != NULL ? bytes : &none;
    *bytes = 0;
    if (fifo == NULL || fifo->blocks == 0 ||
        !th_guarding_passes(&fifo->config.guarding, load(fifo, fifo->oldest, &b, &fault), &fault)) {
        return NULL;
    }
    *bytes = b.head.requested;
    return fifo->base + payload_of(&b);
}

th_status th_fifo_reset(th_fifo *fifo) {
    if (fifo == NULL || fifo->base == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_fifo_is_sound(fifo)) {
        return TH_ERR_CORRUPT;
    }
    close_free(fifo, 0, fifo->bytes);
    fifo->blocks = 0;
    fifo->live = 0;
    fifo->live_bytes = 0;
    fifo->used = 0;
    reclaim(fifo);
    return TH_OK;
}

/* ---- queries ------------------------------------------------------------------------------ */

bool th_fifo_owns(const th_fifo *fifo, const void *pointer) {
    block b;
    th_status status;
    if (fifo == NULL) {
        return false;
    }
    size_t offset = (size_t)((uintptr_t)pointer - (uintptr_t)fifo->base);
    return find_block(fifo, offset, &b, &status, NULL) && offset >= payload_of(&b) &&
           offset - payload_of(&b) < b.head.requested;
}

th_fifo_stats th_fifo_get_stats(const th_fifo *fifo) {
    if (fifo == NULL) {
        return (th_fifo_stats){0};
    }
    return (th_fifo_stats){.bytes = fifo->bytes,
                           .live_bytes = fifo->live_bytes,
                           .used_bytes = fifo->used,
                           .high_water_bytes = fifo->high_water,
                           .live = fifo->live,
                           .waiting = fifo->blocks - fifo->live,
                           .allocs = fifo->allocs,
                           .failed_allocs = fifo->failed_allocs};
}

/* ---- the checker -------------------------------------------------------------------------- */

/* What the blocks come to. */
typedef struct totals {
    size_t live, live_bytes, used;
    size_t end; /* of the last one */
} totals;

static th_status wrong_count(size_t expected, size_t found, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, expected, found);
}

static th_status bad_chain(size_t at, size_t found, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_CHAIN, at, at, 0, found);
}

/* From where the block before it ends (or from the start of the memory) to a block is free memory;
 * *wrapped: the memory has ended once. */
static th_status check_gap(const th_fifo *fifo, size_t from, size_t at, bool *wrapped,
                           th_fault *fault) {
    if (at >= from) {
        return verify_free(fifo, from, at, fault);
    }
    if (*wrapped) {
        return bad_chain(at, from, fault);
    }
    *wrapped = true;
    th_status status = verify_free(fifo, from, fifo->bytes, fault);
    return status == TH_OK ? verify_free(fifo, 0, at, fault) : status;
}

/* Is the header one of a block that lies in the memory? */
static bool is_block(const th_fifo *fifo, size_t at) {
    return at % UNIT == 0 && at < fifo->bytes && fifo->bytes - at > TH_FIFO_HEADER_BYTES;
}

static th_status check_block(const th_fifo *fifo, size_t at, block *b, totals *sum,
                             th_fault *fault) {
    if (!is_block(fifo, at)) {
        return bad_chain(at, at, fault);
    }
    th_status status = load(fifo, at, b, fault);
    if (status != TH_OK) {
        return status;
    }
    if (b->head.bytes > fifo->bytes - payload_of(b) || b->head.requested > b->head.bytes) {
        return bad_chain(at, b->head.bytes, fault);
    }
    sum->live += b->head.requested != 0;
    sum->live_bytes += b->head.requested;
    sum->used += end_of(b) - at;
    sum->end = end_of(b);
    return verify_payload(fifo, b, fault);
}

static th_status check_blocks(const th_fifo *fifo, totals *sum, th_fault *fault) {
    block b = {.at = 0, .head.next = fifo->oldest};
    bool wrapped = false;
    sum->end = fifo->oldest;
    for (size_t i = 0; i < fifo->blocks; i++) {
        size_t at = b.head.next;
        size_t from = sum->end;
        th_status status = check_block(fifo, at, &b, sum, fault);
        if (status == TH_OK) {
            status = check_gap(fifo, from, at, &wrapped, fault);
        }
        if (status != TH_OK) {
            return status;
        }
        if (wrapped && sum->end > fifo->oldest) {
            return bad_chain(at, sum->end, fault);
        }
    }
    if (sum->end != fifo->end || b.at != fifo->newest) {
        return bad_chain(fifo->newest, fifo->end, fault);
    }
    if (wrapped) {
        return verify_free(fifo, fifo->end, fifo->oldest, fault);
    }
    th_status status = verify_free(fifo, fifo->end, fifo->bytes, fault);
    return status == TH_OK ? verify_free(fifo, 0, fifo->oldest, fault) : status;
}

th_status th_fifo_check(const th_fifo *fifo, th_fault *fault) {
    totals sum = {0};
    th_no_fault(fault);
    if (fifo == NULL || fifo->base == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_blocks(fifo, &sum, fault);
    if (status != TH_OK) {
        return status;
    }
    if (sum.live != fifo->live) {
        return wrong_count(sum.live, fifo->live, fault);
    }
    if (sum.live_bytes != fifo->live_bytes) {
        return wrong_count(sum.live_bytes, fifo->live_bytes, fault);
    }
    return sum.used == fifo->used ? TH_OK : wrong_count(sum.used, fifo->used, fault);
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return place(self, bytes, alignment - 1);
}

TH_THUNKS(fifo);
TH_THUNK_RESIZE_IN_PLACE(fifo);

/* The block is the newest then. resize_in_place, which is always asked first, has reported what is
 * bad. */
static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_fifo *fifo = self;
    block b;
    if (fifo->base == NULL ||
        (level_of(fifo) >= 1 && find_live(fifo, pointer, &b, NULL) != TH_OK)) {
        return NULL;
    }
    return th_move_by_copy(th_fifo_allocator(fifo), pointer, kept, bytes, alignment);
}

th_allocator th_fifo_allocator(th_fifo *fifo) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .resize_in_place = th_fifo_thunk_resize_in_place,
                                             .realloc = table_realloc,
                                             TH_THUNKS_OF(fifo)};
    return th_allocator_of(&table, fifo);
}
