/* SPDX-License-Identifier: MIT */
/* What the linear allocators share: see include/tagheap/span.h for the terms and the promises.
 *
 * An allocation is two steps, th_span_find (where?) and th_span_take (it is yours), so that an
 * allocator can tell "no room here" from "there is damage". Both are inline: with guards compiled
 * out they are the whole fast path. `number` is the span's number in fault reports. */
#ifndef TH_ALLOC_SPAN_H
#define TH_ALLOC_SPAN_H

#include "alloc/guarding.h"
#include "tagheap/span.h"

/* The memory bytes[0 .. bytes-1], all of it free, closed. */
th_span th_span_make(void *memory, size_t bytes);

/* Ends the span: its memory is ordinary again. */
void th_span_release(const th_span *span);

static inline size_t th_span_used(const th_span *span) {
    return (size_t)(span->at - span->base);
}

static inline size_t th_span_room(const th_span *span) {
    return (size_t)(span->end - span->at);
}

/* Where a block of `bytes` bytes at a multiple of mask + 1 (a power of two) would start: false iff
 * there is no room for it or bytes is 0. */
static inline bool th_span_find(const th_span *span, size_t bytes, size_t mask,
                                unsigned char **start) {
    size_t gap = (size_t)(0 - (uintptr_t)span->at) & mask;
    size_t room = th_span_room(span);
    if (gap > room || bytes - 1 >= room - gap) {
        return false;
    }
    *start = span->at + gap;
    return true;
}

/* The guarded form of the next one, which also looks for damage first. */
bool th_span_take_guarded(th_span *span, const th_guarding *guarding, size_t number,
                          unsigned char *start, size_t bytes);

/* Hands out what th_span_find has found. False iff damage was met and reported. */
static inline bool th_span_take(th_span *span, const th_guarding *guarding, size_t number,
                                unsigned char *start, size_t bytes) {
    if (th_guarding_level(guarding) > 0) {
        return th_span_take_guarded(span, guarding, number, start, bytes);
    }
    span->last = start;
    span->at = start + bytes;
    th_track_open(start, bytes);
    return true;
}

/* Makes the last block `bytes` bytes long: false iff there is no room, bytes is 0 or damage was
 * met and reported. span->last must not be NULL. */
bool th_span_resize(th_span *span, const th_guarding *guarding, size_t number, size_t bytes);

/* Could the memory from `at` up be taken back? False iff damage was met and reported. */
bool th_span_verify(const th_span *span, const th_guarding *guarding, size_t number,
                    const unsigned char *at);

/* Takes back what was handed out from `at` (base <= at <= span->at) up, with no look at it. */
void th_span_cut(th_span *span, const th_guarding *guarding, unsigned char *at);

/* Has the address been handed out, and not been taken back? */
static inline bool th_span_holds(const th_span *span, const void *pointer) {
    return (uintptr_t)pointer >= (uintptr_t)span->base && (uintptr_t)pointer < (uintptr_t)span->at;
}

/* Does the address belong to the span's memory, handed out or not? */
static inline bool th_span_covers(const th_span *span, const void *pointer) {
    return (uintptr_t)pointer >= (uintptr_t)span->base && (uintptr_t)pointer < (uintptr_t)span->end;
}

/* Proves the span: TH_OK, or TH_ERR_CORRUPT with *fault (which may be NULL) filled in. */
th_status th_span_check(const th_span *span, const th_guarding *guarding, size_t number,
                        th_fault *fault);

/* A pointer that came back and is not in live memory: free memory of this span, or foreign. */
void th_span_raise_bad_pointer(const th_span *span, const th_guarding *guarding, size_t number,
                               const void *pointer);

#endif
