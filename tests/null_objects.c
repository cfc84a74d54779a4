/* SPDX-License-Identifier: MIT */
#include "null_objects.h"

#include "suite.h"

unsigned char elsewhere[64];

th_fault any_fault(void) {
    return (th_fault){TH_FAULT_COUNT, 1, 2, 3, 4, 5};
}

void expect_no_fault(const th_fault *fault) {
    CHECK_EQ(fault->kind, TH_FAULT_NONE);
    CHECK(fault->block == TH_FAULT_NOWHERE && fault->offset == TH_FAULT_NOWHERE);
}

void expect_nothing_of(th_allocator allocator) {
    th_fault fault = any_fault();
    bool moved = true;
    void *blocks[2] = {elsewhere, elsewhere};
    CHECK(th_allocator_alloc(allocator, 16) == NULL);
    CHECK(th_allocator_alloc_aligned(allocator, 16, 64) == NULL);
    CHECK(th_allocator_alloc_zeroed(allocator, 16) == NULL);
    CHECK(!th_allocator_alloc_batch(allocator, 16, 16, blocks, 2));
    CHECK(th_allocator_realloc(allocator, NULL, 0, 16, 16, &moved) == NULL && !moved);
    CHECK(th_allocator_realloc(allocator, elsewhere, 16, 8, 16, &moved) == NULL && !moved);
    CHECK(th_allocator_realloc(allocator, elsewhere, 16, 32, 16, &moved) == NULL && !moved);
    CHECK(th_allocator_realloc(allocator, elsewhere, 16, 0, 16, &moved) == NULL && !moved);
    CHECK(!th_allocator_resize_in_place(allocator, elsewhere, 8));
    CHECK(!th_allocator_owns(allocator, elsewhere));
    CHECK_EQ(th_allocator_usable_size(allocator, elsewhere), 0);
    CHECK_EQ(th_allocator_reset(allocator), TH_ERR_NULL);
    CHECK_EQ(th_allocator_check(allocator, &fault), TH_ERR_NULL);
    expect_no_fault(&fault);
    th_allocator_free(allocator, elsewhere);
    th_allocator_free(allocator, NULL);
}
