/* SPDX-License-Identifier: MIT */
#include "heap/report.h"

void th_report(const th_heap *heap, const th_fault *fault) {
    if (heap->config.guarding.on_fault != NULL) {
        heap->config.guarding.on_fault(heap->config.guarding.fault_context, fault);
    } else {
        th_fault_abort(NULL, fault);
    }
}

void th_raise(const th_heap *heap, th_fault_kind kind, const th_header *block, size_t offset,
              uint32_t expected, uint32_t found) {
    const th_fault fault = {.kind = kind,
                            .block = block != NULL ? block->offset : TH_FAULT_NOWHERE,
                            .tag = block != NULL ? block->tag : 0,
                            .offset = offset,
                            .expected = expected,
                            .found = found};
    th_report(heap, &fault);
}

void th_raise_header(const th_heap *heap, const th_header *block) {
    th_raise(heap, TH_FAULT_HEADER, block,
             (size_t)(block->offset + TH_LAYOUT_CHECK_DWORD) * TH_DWORD_BYTES, block->check_due,
             block->check);
}
