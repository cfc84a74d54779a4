/* SPDX-License-Identifier: MIT */
/* The guards of a span. Everything here but th_span_make, _release, _cut and _resize is skipped
 * at guard level 0.
 *
 *   at                     dirty      limit                          end
 *    [canary][   poison   ][ anything ][ record n-1 ] ... [ record 0 ]
 *
 * The canary after the last block covers at most TH_SPAN_CANARY_BYTES, and nothing if no block
 * has been made. A gap is recorded when its block is made, unless there is no room. */
#include "alloc/span.h"

#include <string.h>

#include "base/assert.h"

/* The bytes [offset, offset + bytes) from the base are a gap. */
typedef struct record {
    uint32_t offset;
    uint32_t bytes;
} record;

static unsigned char *record_place(const th_span *span, size_t i) {
    return span->end - (i + 1) * sizeof(record);
}

/* Where the free memory ends and the records begin. */
static unsigned char *limit_of(const th_span *span) {
    return span->end - span->gaps * sizeof(record);
}

static unsigned char *lower(unsigned char *a, unsigned char *b) {
    return (uintptr_t)a < (uintptr_t)b ? a : b;
}

/* The end of the canary after the last block. */
static unsigned char *canary_end(const th_span *span) {
    if (span->at == span->base) {
        return span->at;
    }
    size_t room = (size_t)(limit_of(span) - span->at);
    return span->at + (room < TH_SPAN_CANARY_BYTES ? room : TH_SPAN_CANARY_BYTES);
}

static TH_TRACK_BLIND record load_record(const th_span *span, size_t i) {
    const unsigned char *from = record_place(span, i);
    unsigned char bytes[sizeof(record)];
    record gap;
    th_track_blind_begin();
    for (size_t k = 0; k < sizeof bytes; k++) {
        bytes[k] = from[k];
    }
    th_track_trust(bytes, sizeof bytes);
    th_track_blind_end();
    memcpy(&gap, bytes, sizeof gap);
    th_track_trust(&gap, sizeof gap);
    return gap;
}

static TH_TRACK_BLIND void store_record(const th_span *span, size_t i, record gap) {
    unsigned char *to = record_place(span, i);
    unsigned char bytes[sizeof(record)];
    memcpy(bytes, &gap, sizeof gap);
    th_track_blind_begin();
    for (size_t k = 0; k < sizeof bytes; k++) {
        to[k] = bytes[k];
    }
    th_track_blind_end();
}

/* ---- what can be wrong -------------------------------------------------------------------- */

/* What is in [from, to) and no poison. */
static th_status find_written(const th_span *span, size_t number, const unsigned char *from,
                              const unsigned char *to, th_fault *fault) {
    uint32_t found = 0;
    if ((uintptr_t)from >= (uintptr_t)to) {
        return TH_OK;
    }
    size_t bytes = (size_t)(to - from);
    size_t bad = th_pattern_find(from, TH_POISON_BYTE, bytes, &found);
    if (bad == bytes) {
        return TH_OK;
    }
    return th_guarding_corrupt(fault, TH_FAULT_POISON, number, (size_t)(from - span->base) + bad,
                               TH_POISON_BYTE, found);
}

static th_status find_canary(const th_span *span, size_t number, th_fault *fault) {
    return th_guarding_find_canary((uintptr_t)span->base, span->at,
                                   (size_t)(canary_end(span) - span->at), number, fault);
}

/* Free memory from the end of the canary up to `to`. */
static th_status find_poison(const th_span *span, const th_guarding *guarding, size_t number,
                             unsigned char *to, th_fault *fault) {
    if (th_guarding_level(guarding) < 2) {
        return TH_OK;
    }
    to = lower(to, lower(span->dirty, limit_of(span)));
    return find_written(span, number, canary_end(span), to, fault);
}

/* Record i, and the canary in the gap that it names. */
static th_status find_gap(const th_span *span, size_t number, size_t i, record gap,
                          th_fault *fault) {
    size_t used = th_span_used(span);
    if (gap.bytes == 0 || gap.bytes > used || gap.offset > used - gap.bytes) {
        return th_guarding_corrupt(fault, TH_FAULT_HEADER, number,
                                   (size_t)(record_place(span, i) - span->base), used, gap.offset);
    }
    return th_guarding_find_canary((uintptr_t)span->base, span->base + gap.offset, gap.bytes,
                                   number, fault);
}

/* The last gaps, down to the first one at or above `at`; the records ascend. */
static th_status find_gaps(const th_span *span, size_t number, const unsigned char *at,
                           th_fault *fault) {
    for (size_t i = span->gaps; i-- > 0;) {
        record gap = load_record(span, i);
        th_status status = find_gap(span, number, i, gap, fault);
        if (status != TH_OK) {
            return status;
        }
        if (gap.offset < (size_t)(at - span->base)) {
            break;
        }
    }
    return TH_OK;
}

/* The gaps whose records a block that ends at `at` would overwrite. */
static th_status find_displaced(const th_span *span, size_t number, const unsigned char *at,
                                th_fault *fault) {
    for (size_t i = span->gaps; i-- > 0 && (uintptr_t)record_place(span, i) < (uintptr_t)at;) {
        th_status status = find_gap(span, number, i, load_record(span, i), fault);
        if (status != TH_OK) {
            return status;
        }
    }
    return TH_OK;
}

static bool is_sound(const th_span *span) {
    uintptr_t base = (uintptr_t)span->base;
    uintptr_t at = (uintptr_t)span->at;
    uintptr_t end = (uintptr_t)span->end;
    uintptr_t last = (uintptr_t)span->last;
    return base <= at && at <= end && (last == 0 || (base <= last && last <= at)) &&
           span->gaps <= (end - at) / sizeof(record);
}

static th_status find_all(const th_span *span, const th_guarding *guarding, size_t number,
                          const unsigned char *at, th_fault *fault) {
    th_status status = TH_OK;
    if (!is_sound(span)) {
        return th_guarding_corrupt(fault, TH_FAULT_CHAIN, number, SIZE_MAX,
                                   (uintptr_t)span->end - (uintptr_t)span->base,
                                   (uintptr_t)span->at - (uintptr_t)span->base);
    }
    if (th_guarding_level(guarding) > 0) {
        status = find_canary(span, number, fault);
    }
    if (status == TH_OK && th_guarding_level(guarding) > 0) {
        status = find_gaps(span, number, at, fault);
    }
    return status;
}

th_status th_span_check(const th_span *span, const th_guarding *guarding, size_t number,
                        th_fault *fault) {
    th_no_fault(fault);
    if (span->base == NULL) {
        return TH_OK;
    }
    th_status status = find_all(span, guarding, number, span->base, fault);
    return status != TH_OK ? status : find_poison(span, guarding, number, span->end, fault);
}

bool th_span_verify(const th_span *span, const th_guarding *guarding, size_t number,
                    const unsigned char *at) {
    th_fault fault;
    if (th_guarding_level(guarding) == 0 || span->base == NULL ||
        find_all(span, guarding, number, at, &fault) == TH_OK) {
        return true;
    }
    th_guarding_report(guarding, &fault);
    return false;
}

void th_span_raise_bad_pointer(const th_span *span, const th_guarding *guarding, size_t number,
                               const void *pointer) {
    size_t offset = (size_t)((uintptr_t)pointer - (uintptr_t)span->base);
    if (th_span_covers(span, pointer)) {
        th_guarding_raise(guarding, TH_FAULT_DOUBLE_FREE, number, offset, th_span_used(span),
                          offset);
    } else {
        th_guarding_raise(guarding, TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0, (uint32_t)offset);
    }
}

/* ---- what is written ---------------------------------------------------------------------- */

static void wipe(unsigned char *from, unsigned char *to) {
    if ((uintptr_t)from < (uintptr_t)to) {
        th_pattern_fill(from, TH_POISON_BYTE, (size_t)(to - from));
    }
}

static void fill_canary(th_span *span, unsigned char *from, unsigned char *to) {
    th_guarding_write_canary((uintptr_t)span->base, from, (size_t)(to - from));
}

static void write_canary(th_span *span) {
    unsigned char *end = canary_end(span);
    fill_canary(span, span->at, end);
    if ((uintptr_t)end > (uintptr_t)span->dirty) {
        span->dirty = end;
    }
}

/* Gives up the last records, from number `kept` on: their memory is free. */
static void drop_records(th_span *span, const th_guarding *guarding, size_t kept) {
    unsigned char *from = limit_of(span);
    span->gaps = kept;
    if (th_guarding_level(guarding) >= 2) {
        wipe(from, limit_of(span));
    }
}

static void note_gap(th_span *span, const unsigned char *from, size_t bytes) {
    size_t offset = (size_t)(from - span->base);
    if (bytes > 0 && (size_t)(limit_of(span) - span->at) >= sizeof(record) &&
        offset + bytes <= UINT32_MAX) {
        store_record(span, span->gaps, (record){(uint32_t)offset, (uint32_t)bytes});
        span->gaps++;
    }
}

/* ---- the operations ----------------------------------------------------------------------- */

th_span th_span_make(void *memory, size_t bytes) {
    unsigned char *base = memory;
    th_track_close(base, bytes);
    return (th_span){.at = base, .end = base + bytes, .last = NULL, .base = base, .dirty = base};
}

void th_span_release(const th_span *span) {
    th_track_release(span->base, (size_t)(span->end - span->base));
}

/* A new end at `to` also needs memory for the canary after it. */
static unsigned char *canary_end_above(const th_span *span, unsigned char *to) {
    size_t room = (size_t)(span->end - to);
    return to + (room < TH_SPAN_CANARY_BYTES ? room : TH_SPAN_CANARY_BYTES);
}

/* And maybe the place of the next record. */
static th_status find_record_poison(const th_span *span, const th_guarding *guarding, size_t number,
                                    const unsigned char *to, th_fault *fault) {
    const unsigned char *from = record_place(span, span->gaps);
    if (th_guarding_level(guarding) < 2 || (uintptr_t)from < (uintptr_t)to) {
        return TH_OK;
    }
    if ((uintptr_t)from < (uintptr_t)canary_end(span)) {
        from = canary_end(span);
    }
    return find_written(span, number, from, lower(span->dirty, limit_of(span)), fault);
}

static bool may_take(const th_span *span, const th_guarding *guarding, size_t number,
                     unsigned char *to) {
    th_fault fault;
    th_status status = find_canary(span, number, &fault);
    if (status == TH_OK) {
        status = find_displaced(span, number, to, &fault);
    }
    if (status == TH_OK) {
        status = find_poison(span, guarding, number, canary_end_above(span, to), &fault);
    }
    if (status == TH_OK) {
        status = find_record_poison(span, guarding, number, to, &fault);
    }
    if (status != TH_OK) {
        th_guarding_report(guarding, &fault);
    }
    return status == TH_OK;
}

/* How many records a block that ends at `at` leaves. */
static size_t records_above(const th_span *span, const unsigned char *at) {
    size_t room = (size_t)(span->end - at) / sizeof(record);
    return span->gaps < room ? span->gaps : room;
}

static void extend(th_span *span, const th_guarding *guarding, unsigned char *start,
                   unsigned char *at) {
    unsigned char *gap = span->at;
    drop_records(span, guarding, records_above(span, at));
    span->at = at;
    fill_canary(span, gap, start);
    note_gap(span, gap, (size_t)(start - gap));
    write_canary(span);
}

bool th_span_take_guarded(th_span *span, const th_guarding *guarding, size_t number,
                          unsigned char *start, size_t bytes) {
    if (!may_take(span, guarding, number, start + bytes)) {
        return false;
    }
    extend(span, guarding, start, start + bytes);
    span->last = start;
    th_track_open(start, bytes);
    return true;
}

void th_span_cut(th_span *span, const th_guarding *guarding, unsigned char *at) {
    TH_ASSERT(span->base <= at && at <= span->at);
    unsigned char *from = span->at;
    if (th_guarding_level(guarding) > 0 && span->base != NULL) {
        size_t kept = span->gaps;
        while (kept > 0 && load_record(span, kept - 1).offset >= (size_t)(at - span->base)) {
            kept--;
        }
        unsigned char *canary = canary_end(span);
        drop_records(span, guarding, kept);
        span->at = at;
        if (th_guarding_level(guarding) >= 2) {
            wipe(at, canary);
        }
        write_canary(span);
    }
    span->at = at;
    span->last = NULL;
    th_track_close(at, (size_t)(from - at));
}

static bool grow(th_span *span, const th_guarding *guarding, size_t number, size_t bytes) {
    unsigned char *from = span->at;
    unsigned char *to = span->last + bytes;
    if (th_guarding_level(guarding) > 0) {
        if (!may_take(span, guarding, number, to)) {
            return false;
        }
        extend(span, guarding, from, to);
    }
    span->at = to;
    th_track_open(from, (size_t)(to - from));
    return true;
}

bool th_span_resize(th_span *span, const th_guarding *guarding, size_t number, size_t bytes) {
    unsigned char *block = span->last;
    if (bytes - 1 >= (size_t)(span->end - block)) {
        return false;
    }
    if (bytes > (size_t)(span->at - block)) {
        return grow(span, guarding, number, bytes);
    }
    if (!th_span_verify(span, guarding, number, block + bytes)) {
        return false;
    }
    th_span_cut(span, guarding, block + bytes);
    span->last = block;
    return true;
}
