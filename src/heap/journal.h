/* SPDX-License-Identifier: MIT */
/* A journal is told of each change of the blocks before the first byte of it is written, and moves
 * the contents of blocks in the heap's stead: with what it notes, a change that was begun by a
 * process that is gone can be undone, or brought to its end (src/resource/shared_heap_repair.c).
 *
 * Every operation of the heap replaces a run of neighbouring blocks by another run that tiles the
 * same dwords (chain.h), and writes nowhere else but to the header above. Whatever can refuse the
 * operation has been verified by then: what is noted is done. */
#ifndef TH_HEAP_JOURNAL_H
#define TH_HEAP_JOURNAL_H

#include <string.h>

#include "heap/chain.h"

typedef struct th_journal {
    /* What lies from run[0].offset up to the block at `above` is about to be replaced by the
     * `count` blocks of the run, which have no links yet. */
    void (*before)(void *context, const th_heap *heap, const th_header *run, unsigned count,
                   uint32_t above);
    /* memmove to a lower address. */
    void (*move)(void *context, unsigned char *to, const unsigned char *from, size_t bytes);
} th_journal;

/* Without an operating system there are no processes that could die: no heap has a journal. */
#if defined(TH_OS) && !TH_OS
#define TH_JOURNAL 0
#else
#define TH_JOURNAL 1
#endif

TH_CHAIN_INLINE void th_journal_before(const th_heap *heap, const th_header *run, unsigned count,
                                       uint32_t above) {
#if TH_JOURNAL
    if (heap->journal != NULL) {
        heap->journal->before(heap->journal_context, heap, run, count, above);
    }
#else
    (void)heap;
    (void)run;
    (void)count;
    (void)above;
#endif
}

TH_CHAIN_INLINE void th_journal_move(const th_heap *heap, unsigned char *to,
                                     const unsigned char *from, size_t bytes) {
#if TH_JOURNAL
    if (heap->journal != NULL) {
        heap->journal->move(heap->journal_context, to, from, bytes);
        return;
    }
#endif
    (void)heap;
    memmove(to, from, bytes);
}

#endif
