/* SPDX-License-Identifier: MIT */
#include "alloc/guarding.h"

static uint32_t narrow(uint64_t value) {
    return value < TH_FAULT_NOWHERE ? (uint32_t)value : TH_FAULT_NOWHERE;
}

static th_fault describe(th_fault_kind kind, size_t block, size_t offset, uint64_t expected,
                         uint64_t found) {
    return (th_fault){.kind = kind,
                      .block = narrow(block),
                      .tag = 0,
                      .offset = narrow(offset),
                      .expected = narrow(expected),
                      .found = narrow(found)};
}

void th_guarding_report(const th_guarding *guarding, const th_fault *fault) {
    if (guarding->on_fault != NULL) {
        guarding->on_fault(guarding->fault_context, fault);
    } else {
        th_fault_abort(NULL, fault);
    }
}

void th_guarding_raise(const th_guarding *guarding, th_fault_kind kind, size_t block, size_t offset,
                       uint64_t expected, uint64_t found) {
    th_fault fault = describe(kind, block, offset, expected, found);
    th_guarding_report(guarding, &fault);
}

void th_guarding_describe(th_fault *fault, th_fault_kind kind, size_t block, size_t offset,
                          uint64_t expected, uint64_t found) {
    if (fault != NULL) {
        *fault = describe(kind, block, offset, expected, found);
    }
}
