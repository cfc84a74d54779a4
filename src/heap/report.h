/* SPDX-License-Identifier: MIT */
/* How the heap says that something is wrong. */
#ifndef TH_HEAP_REPORT_H
#define TH_HEAP_REPORT_H

#include "heap/chain.h"

/* Hands a fault to the heap's handler, or to th_fault_abort if it has none. */
void th_report(const th_heap *heap, const th_fault *fault);

/* The same for one that is put together here. `block` may be NULL. */
void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, size_t offset,
              uint32_t expected, uint32_t found);

/* TH_FAULT_HEADER for a header that does not agree with its check word. */
void th_raise_header(const th_heap *heap, const th_header *block);

/* For checkers: false, and a fault that lies nowhere in the region, unless the two agree. */
TH_TRACK_BLIND_PART bool th_agrees(th_fault *fault, th_fault_kind kind, uint32_t expected,
                                   uint32_t found) {
    if (expected == found) {
        return true;
    }
    *fault = (th_fault){.kind = kind,
                        .block = TH_FAULT_NOWHERE,
                        .offset = TH_FAULT_NOWHERE,
                        .expected = expected,
                        .found = found};
    return false;
}

#endif
