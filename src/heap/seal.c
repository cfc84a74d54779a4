/* SPDX-License-Identifier: MIT */
#include "heap/seal.h"

#include "heap/check.h"
#include "heap/report.h"

#if TH_GUARD >= 3
TH_TRACK_BLIND void th_seal(th_heap *heap) {
    if (heap->guard >= 3) {
        th_seals due = th_seals_due(heap);
        heap->seal_layout = due.layout;
        heap->seal_counts = due.counts;
    }
}

TH_TRACK_BLIND bool th_seal_holds(const th_heap *heap) {
    if (!th_sealed(heap)) {
        return true;
    }
    th_seals due = th_seals_due(heap);
    return heap->seal_layout == due.layout && heap->seal_counts == due.counts;
}
#endif

/* The checker looks at the seals, too: where they do not hold it finds that, or what caused it.
 */
bool th_guard_control(const th_heap *heap) {
    th_fault fault;
    if (th_seal_holds(heap)) {
        return true;
    }
    (void)th_check(heap, &fault);
    th_report(heap, &fault);
    return false;
}

bool th_guard_control_after(const th_heap *heap, const th_heap *before) {
    if (!th_sealed(before) || th_sealed(heap)) {
        return th_guard_control(heap);
    }
    th_raise(before, TH_FAULT_CONTROL, NULL, TH_FAULT_NOWHERE, (uint32_t)before->seal_layout,
             (uint32_t)heap->seal_layout);
    return false;
}
