/* SPDX-License-Identifier: MIT */
#include "alloc/guarding.h"

static uint32_t narrow(uint64_t value) {
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static th_fault describe(th_fault_kind kind, size_t block, size_t offset, uint64_t expected,
                         uint64_t found) {
    return (th_fault){.kind = kind,
                      .block = block,
                      .tag = 0,
                      .offset = offset,
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

void th_guarding_raise_refusal(const th_guarding *guarding, th_fault_kind kind) {
    th_guarding_raise(guarding, kind, TH_FAULT_NOWHERE, TH_FAULT_NOWHERE, 0, 1);
}

void th_guarding_describe(th_fault *fault, th_fault_kind kind, size_t block, size_t offset,
                          uint64_t expected, uint64_t found) {
    if (fault != NULL) {
        *fault = describe(kind, block, offset, expected, found);
    }
}

/* ---- canaries -----------------------------------------------------------------------------
 *
 * The allocators have no seed of their own: this one stands for all. */
#define SEED 0x7A6C5E3Bu

/* A place is as far from a multiple of 4 as its address. */
static size_t place_of(uintptr_t start, const void *at) {
    return (uintptr_t)at - (start - start % TH_DWORD_BYTES);
}

void th_guarding_write_canary(uintptr_t start, void *at, size_t bytes) {
    th_canary_write(SEED, place_of(start, at), at, bytes);
}

th_status th_guarding_find_canary(uintptr_t start, const void *at, size_t bytes, size_t block,
                                  th_fault *fault) {
    uint32_t found = 0;
    size_t place = place_of(start, at);
    size_t bad = th_canary_find(SEED, place, at, bytes, &found);
    return bad == bytes
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_CANARY, block, (uintptr_t)at - start + bad,
                                     th_canary_byte(SEED, place + bad), found);
}
